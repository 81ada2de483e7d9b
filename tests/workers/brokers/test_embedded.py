"""The embedded broker when its file cannot be had: away like any other broker, and never a fault of ours."""

import pytest

from embedmill.shared.errors import BrokerUnavailable
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.table import open_broker
from embedmill.workers.messages import BatchMessage


def test_a_queue_file_that_cannot_be_opened_is_a_broker_that_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    (settings.home_path / "queue.db").mkdir(parents=True)
    broker = open_broker(settings)
    for ask in (broker.depths, broker.depth, broker.check, broker.purge):
        with pytest.raises(BrokerUnavailable, match="unable to open"):
            ask()
    monkeypatch.setattr("embedmill.workers.brokers.embedded.send", refuse)
    with pytest.raises(BrokerUnavailable, match="No space left"):
        broker.publish_many([BatchMessage("chunk", (1,))])
