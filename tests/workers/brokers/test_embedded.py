"""The embedded broker when its file cannot be had: away like any other broker, and never a fault of ours."""

import json

import pytest
from celery import Celery

from embedmill.shared.errors import BrokerUnavailable
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.queue_file import QueueFile
from embedmill.workers.brokers.sending import send
from embedmill.workers.brokers.table import configuration, open_broker
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
    monkeypatch.setattr(QueueFile, "put", refuse)
    with pytest.raises(BrokerUnavailable, match="No space left"):
        broker.publish_many([BatchMessage("chunk", (1,))])


def test_a_wake_up_is_what_celery_would_have_sent(settings: Settings) -> None:
    message, file = BatchMessage("embed", (4, 5), alone=True), QueueFile(str(settings.home_path / "queue.db"))
    settings.home_path.mkdir(parents=True, exist_ok=True)
    app = Celery("embedmill", set_as_current=False)
    app.conf.update(configuration(settings))
    send(app, message)
    open_broker(settings).publish_many([message])
    rows = file.connection.execute("SELECT queue, body FROM message ORDER BY id").fetchall()
    (theirs, ours), queues = (json.loads(body) for _, body in rows), {queue for queue, _ in rows}
    assert len(queues) == 1
    assert ours["body"] == theirs["body"]
    assert {k: theirs[k] for k in ours if "content" in k} == {k: ours[k] for k in ours if "content" in k}
    for part in ("headers", "properties"):
        same = ours[part].keys() - {"id", "root_id", "origin", "correlation_id", "delivery_tag"}
        assert {k: theirs[part][k] for k in same} == {k: ours[part][k] for k in same}
        assert not {
            k
            for k in theirs[part].keys() - ours[part].keys() - {"reply_to", "argsrepr", "kwargsrepr"}
            if theirs[part][k]
        }
