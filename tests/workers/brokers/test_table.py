"""Broker URLs and the settings that come with them are checked before anything is opened."""

import json

import pytest

from embedmill.shared import stages
from embedmill.shared.configuration import load_settings
from embedmill.shared.errors import BrokerUnavailable, SettingsError
from embedmill.workers.brokers.table import BROKERS, configuration, open_broker
from embedmill.workers.messages import BatchMessage
from tests.services import moto
from tests.services.needed import free_port, require

QUEUES = {stage: f"https://sqs.eu-west-1.amazonaws.com/1/{stage}" for stage in stages.names()}


@pytest.mark.parametrize("url", ["kafka://host", "redis", "memory://"])
def test_another_broker_is_refused_with_the_names_of_those_that_there_are(url: str) -> None:
    with pytest.raises(SettingsError, match="redis://"):
        configuration(load_settings(broker_url=url))


@pytest.mark.parametrize("scheme", BROKERS)
def test_nothing_is_delayed_stored_pickled_or_controlled_on_any_broker(scheme: str) -> None:
    found = configuration(load_settings(broker_url=f"{scheme}://"))
    assert found["accept_content"] == ["json"]
    assert found["task_ignore_result"] and found["task_acks_late"]
    assert not found["worker_enable_remote_control"] and not found["worker_send_task_events"]
    assert {queue.name for queue in found["task_queues"]} == {f"embedmill-{stage}" for stage in stages.names()}


def test_queues_that_exist_already_are_given_for_every_stage() -> None:
    found = configuration(load_settings(broker_url="sqs://", sqs_queues=QUEUES))["broker_transport_options"]
    assert found["predefined_queues"]["embedmill-chunk"] == {"url": QUEUES["chunk"]}
    with pytest.raises(SettingsError, match="EMBEDMILL_SQS_QUEUES"):
        configuration(load_settings(broker_url="sqs://", sqs_queues={"chunk": "https://one"}))


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_said_to_be_so_soon_and_without_its_password(
    scheme: str, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    monkeypatch.setenv("EMBEDMILL_BROKER_URL", f"{scheme}://user:secret@127.0.0.1:{free_port()}/0")
    broker = open_broker(load_settings())
    for call in (broker.depths, broker.check, lambda: broker.publish_many([BatchMessage("chunk", (1,))])):
        with pytest.raises(BrokerUnavailable) as raised:
            call()
        assert "secret" not in str(raised.value)
    broker.close()


def test_what_sqs_refuses_is_the_brokers_failure(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    require(moto.why_not())
    with moto.running_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("EMBEDMILL_BROKER_URL", "sqs://")
        monkeypatch.setenv("EMBEDMILL_SQS_QUEUES", json.dumps({s: f"{server.url}/1/nowhere-{s}" for s in QUEUES}))
        broker = open_broker(load_settings())
        for call in (broker.depths, lambda: broker.publish_many([BatchMessage("chunk", (1,))])):
            with pytest.raises(BrokerUnavailable, match=r"NonExistentQueue|QueueDoesNotExist"):
                call()
        broker.close()
