"""The dead-letter queues of RabbitMQ and SQS: what the broker gives up lands there, and comes back from there."""

import json

import pytest
from celery import Celery

from embedmill.shared import stages
from embedmill.shared.states import State
from embedmill.workers.brokers.base import Broker
from embedmill.workers.chores.reconciler import reconcile
from embedmill.workers.messages import BatchMessage
from embedmill.workers.queues import queue_name
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until
from tests.workers.brokers.conftest import Place

pytestmark = pytest.mark.parametrize("place", ["rabbitmq", "sqs"], indirect=True)


def give_up(place: Place, app: Celery) -> None:
    """Take the one message of a queue and refuse it for good, as often as the broker asks."""
    with app.connection_for_write() as connection:
        if place.name == "sqs":
            client = connection.default_channel.sqs()
            url = client.get_queue_url(QueueName=queue_name("chunk"))["QueueUrl"]
            policy = json.loads(
                client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"]
            )
            for _ in range(int(policy["maxReceiveCount"]) + 1):
                client.receive_message(QueueUrl=url, VisibilityTimeout=0)
        else:
            message = connection.default_channel.basic_get(queue_name("chunk"))
            connection.default_channel.basic_reject(message.delivery_tag, requeue=False)


def test_an_innocent_that_the_broker_gave_up_is_pending_again(
    broker: Broker, place: Place, app: Celery, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    tracker.submit(["file:///1"])
    (id_,) = tracker.queue()
    broker.publish_many([BatchMessage("chunk", (id_,))])
    give_up(place, app)
    wait_until(lambda: sum(broker.dead_depths().values()) == 1, "the broker has given it up")
    assert broker.depth() == 0
    assert reconcile(runtime.database, broker) == 1
    assert tracker.states() == [State.PENDING]
    assert sum(broker.dead_depths().values()) == 0


def test_every_queue_has_its_dead_letter_queue(broker: Broker) -> None:
    broker.publish_many([BatchMessage(stage, (1,)) for stage in stages.names()])
    assert set(broker.dead_depths()) == set(stages.names())
    assert not [warning for warning in broker.check().warnings if "redrive" in warning]
