"""What every broker has to do: carry wake-ups in batches, count them, drop them, and keep what nobody can read."""

import json
import signal
import sqlite3
from contextlib import closing
from typing import Any

from celery import Celery

from embedmill.shared import stages
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Broker
from embedmill.workers.messages import BatchMessage
from embedmill.workers.queues import queue_name
from tests.command import Command, finish
from tests.corpus import write_corpus
from tests.waiting import wait_until
from tests.workers.brokers.conftest import Place

DOCUMENTS = 6
GARBAGE = ("no JSON at all", "[1, 2]", '{"body": "e30=", "properties": 7}', json.dumps({"task": 5}))


def messages(count: int, stage: str = "chunk") -> list[BatchMessage]:
    return [BatchMessage(stage, (number,)) for number in range(count)]


def test_what_is_published_is_counted_by_stage_until_it_is_purged(broker: Broker) -> None:
    assert broker.depths() == dict.fromkeys(stages.names(), 0)
    broker.publish_many([*messages(23), *messages(2, "index")])
    assert broker.depths() == {"chunk": 23, "validate": 0, "embed": 0, "index": 2}
    assert broker.depth() == 25
    broker.purge()
    assert broker.depth() == 0


def test_a_message_in_a_workers_hands_waits_no_more(broker: Broker, app: Celery) -> None:
    broker.publish_many(messages(2))
    with app.connection_for_write() as connection:
        assert connection.default_channel.basic_get(queue_name("chunk")) is not None
        wait_until(lambda: broker.depths()["chunk"] == 1, "only one waits")


def test_publishing_nothing_is_nothing(broker: Broker) -> None:
    broker.publish_many([])
    assert broker.depth() == 0


def test_the_check_names_the_broker_and_shows_no_password(broker: Broker, place: Place) -> None:
    health = broker.check()
    assert health.detail.startswith(place.environment["EMBEDMILL_BROKER_URL"].split("//")[0])
    assert "guest:guest" not in health.detail


def publish_unreadable(place: Place, app: Celery) -> int:
    """One of every kind; returns how many kinds there are."""
    queue = queue_name("chunk")

    def send(name: str, arguments: list[Any], **options: Any) -> None:
        app.send_task(name, args=arguments, queue=queue, retry=False, **options)

    for body in GARBAGE:
        place.put_raw(queue, body)
    send("embedmill.rewrite", [{"v": 1}])
    unknown = [{"v": 99, "stage": "chunk", "work": [1]}, {"v": 1, "stage": "polish", "work": [1]}, "not a batch"]
    for content in unknown:
        send("embedmill.chunk", [content])
    send("embedmill.chunk", [{"v": 1, "stage": "chunk", "work": [1]}, "and more"])
    send("embedmill.chunk", [{"v": 1}], serializer="yaml")
    return len(GARBAGE) + 1 + len(unknown) + 2


def test_a_worker_takes_every_document_once_and_keeps_what_it_cannot_read(
    command: Command, place: Place, placed: Settings, broker: Broker, app: Celery
) -> None:
    corpus = write_corpus(command.folder / "corpus", DOCUMENTS)
    job = command.json("submit", corpus)["job"]
    process = command.start("workers", "start")
    # Its queues are there by then: RabbitMQ drops what is sent to none.
    wait_until(lambda: query(placed, "SELECT 1 FROM attempt"), "a worker is at work")
    kinds = publish_unreadable(place, app)

    def is_completed() -> bool:
        # Late, doubled and about work that is not there.
        broker.publish_many([BatchMessage("chunk", (1, 2, 3)), BatchMessage("index", (1, 2, 999))])
        return query(placed, f"SELECT state FROM job WHERE id = {job}") == [("completed",)]

    wait_until(is_completed, "the job is completed", every=0.2)
    wait_until(lambda: query(placed, "SELECT count(*) FROM unreadable_message") == [(kinds,)], "the rest is kept")
    wait_until(lambda: broker.depth() == 0, "the queues are empty")
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert finish(process).status == 0
    rows = query(placed, "SELECT queue, reason FROM unreadable_message")
    assert {queue for queue, _ in rows} == {queue_name("chunk")}
    reasons = {reason for _, reason in rows}
    for part in ("version 99", "unknown stage", "unknown task 'embedmill.rewrite'", "not a task message"):
        assert any(part in reason for reason in reasons), (part, reasons)
    doubled = "SELECT work_id FROM attempt WHERE outcome = 'ok' GROUP BY work_id, stage HAVING count(*) > 1"
    assert query(placed, doubled) == []
    assert len({row["document"] for row in command.export().values()}) == DOCUMENTS


def query(settings: Settings, statement: str) -> list[Any]:
    """Rows of the tracking database."""
    with closing(sqlite3.connect(settings.home_path / "tracking.db", timeout=30)) as connection:
        return connection.execute(statement).fetchall()
