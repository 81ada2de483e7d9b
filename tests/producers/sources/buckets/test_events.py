"""Event messages trigger single keys: what is asked of the store decides, and not what a message says happened."""

import json
import random
from typing import Any
from urllib.parse import quote_plus

import pytest

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services import events as events_module
from embedmill.console.services.events import EventQueue, EventReader, EventReaders, read_events
from embedmill.console.services.submitting import JobOptions
from embedmill.console.services.watching import schedule_sources
from embedmill.producers.sources.buckets.events import TEST, UNKNOWN, NoEvent, read_message
from embedmill.producers.sources.buckets.source import S3Source
from embedmill.producers.sources.folder import FolderSource
from embedmill.shared.buckets.names import BucketPlace
from embedmill.shared.db import presence, schedules
from embedmill.shared.db.schedules import Claimant
from embedmill.shared.db.schema import document, scan_note
from embedmill.shared.errors import UsageError
from embedmill.shared.timetable import Timetable
from tests.contracts.sources import Desk, desk
from tests.corpus import text_of
from tests.services.buckets import Bucket, refusal
from tests.waiting import wait_until
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]
WHOLE = S3Source(BucketPlace("embedmill-test", ""))


class Queue:
    """A queue, and what reads it."""

    def __init__(self, desk: Desk) -> None:
        import boto3

        self.desk = desk
        self.client = boto3.client("sqs")
        self.url = self.client.create_queue(QueueName="events")["QueueUrl"]

    def send(self, *bodies: Any) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.client.send_message(QueueUrl=self.url, MessageBody=text)

    def read(self, whole: S3Source = WHOLE) -> int | None:
        queue = EventQueue.of([whole], self.url, "default", JobOptions())
        job = read_events(self.desk.runtime, queue, self.client, wait_seconds=0)
        if job is not None:
            self.desk.work(job)
        return job

    @property
    def length(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


@pytest.fixture
def queue(bucket: Bucket, desk: Desk) -> Queue:
    return Queue(desk)


def event(key: str, name: str = "ObjectCreated:Put", bucket: str = "embedmill-test") -> dict[str, Any]:
    told = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "eTag": "any"}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": name, "s3": told}]}


def uris(desk: Desk) -> set[str]:
    found = [row["uri"] for row in desk.tracker.rows(document) if row["active_version"]]
    return {uri.removeprefix("s3://embedmill-test/") for uri in found}


@pytest.mark.parametrize("key", ["a b", "a+b", "ä", "x=1", "a%2Bb", "folder/x?y"])
def test_keys_are_read_as_events_write_them(key: str) -> None:
    assert read_message(json.dumps(event(key))) == [BucketPlace("embedmill-test", key)]
    wrapped = {"Type": "Notification", "Message": json.dumps(event(key))}
    assert read_message(json.dumps(wrapped)) == [BucketPlace("embedmill-test", key)]
    bridge = {"source": "aws.s3", "detail": {"bucket": {"name": "embedmill-test"}, "object": {"key": key}}}
    assert read_message(json.dumps(bridge)) == [BucketPlace("embedmill-test", key)]


@pytest.mark.parametrize(
    "body",
    ["", "no JSON", "[]", "{}", "7", '{"Records": []}', '{"Records": [{}]}', '{"Records": [null]}', '"x"', "null"],
)
def test_a_message_of_no_known_shape_is_none(body: str) -> None:
    with pytest.raises(NoEvent, match="no known shape"):
        read_message(body)


def test_what_came_is_read_and_what_is_gone_leaves_whatever_the_messages_say(
    bucket: Bucket, desk: Desk, queue: Queue
) -> None:
    for name in ("stays", "changes", "goes", "returns"):
        bucket.put(name, text_of(0))
    desk.ingest(WHOLE)
    bucket.put("changes", text_of(1))
    bucket.put("new one", text_of(2))
    bucket.remove("goes")
    told = [event("changes"), event("new one"), event("goes", "ObjectRemoved:Delete")]
    # Out of order, twice, and of what has been undone since.
    told += [*told, event("goes"), event("returns", "ObjectRemoved:Delete"), event("other", bucket="another")]
    random.Random(3).shuffle(told)
    queue.send(*told)
    assert queue.read() is not None
    assert uris(desk) == {"stays", "changes", "new one", "returns"}
    assert text_of(1) in desk.indexed()["s3://embedmill-test/changes"]
    assert queue.length == 0
    assert queue.read() is None


def test_what_names_nothing_is_removed_with_a_note_and_the_rest_is_read(
    bucket: Bucket, desk: Desk, queue: Queue
) -> None:
    bucket.put("a.md", text_of(0))
    queue.send({"Event": "s3:TestEvent", "Bucket": "embedmill-test"}, "nonsense", event("a.md"))
    queue.read()
    assert uris(desk) == {"a.md"}
    assert {(row["kind"], row["reason"]) for row in desk.tracker.rows(scan_note)} == {("note", TEST), ("note", UNKNOWN)}
    assert queue.length == 0


def test_what_the_source_does_not_want_is_not_asked_for(bucket: Bucket, desk: Desk, queue: Queue) -> None:
    keys = ("in/a.md", "in/b.txt", "in/.git/config", "out.md", "in/x.png")
    for key in keys:
        bucket.put(key, text_of(0))
    queue.send(*(event(key) for key in keys))
    bucket.take_asked("HEAD")
    queue.read(S3Source(BucketPlace("embedmill-test", "in/"), include=("*.md",)))
    assert uris(desk) == {"in/a.md"}
    assert len(bucket.take_asked("HEAD")) == 1


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (404, "NoSuchBucket")])
def test_a_store_in_trouble_departs_nothing(bucket: Bucket, desk: Desk, queue: Queue, status: int, code: str) -> None:
    bucket.put("a.md", text_of(0))
    desk.ingest(WHOLE)
    queue.send(event("a.md", "ObjectRemoved:Delete"))
    with bucket.answering(lambda request: refusal(request, status, code)):
        queue.read()
    assert uris(desk) == {"a.md"}


def test_a_message_of_what_the_store_cannot_give_now_comes_again_but_not_for_ever(
    bucket: Bucket, desk: Desk, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.md", "b.md"):
        bucket.put(name, text_of(0))
    desk.ingest(WHOLE)
    for name in ("a.md", "b.md"):
        bucket.put(name, text_of(1))
    queue.send(event("a.md"), event("b.md"), "nonsense")

    def answer(request: Any) -> Any:
        return refusal(request, 503, "SlowDown") if request.url.endswith("a.md") else None

    with bucket.answering(answer):
        queue.read()
        assert queue.length == 1
        assert text_of(1) in desk.indexed()["s3://embedmill-test/b.md"]
        queue.send(event("a.md"))
        monkeypatch.setattr(events_module, "MOST_TRIES", 1)
        queue.read()
    assert queue.length == 1
    assert text_of(0) in desk.indexed()["s3://embedmill-test/a.md"]


def test_what_was_said_of_messages_stays_when_more_come_before_their_job_has_ended(
    bucket: Bucket, desk: Desk, queue: Queue
) -> None:
    whole = EventQueue.of([WHOLE], queue.url, "default", JobOptions())
    jobs = []
    for body in ("nonsense", event("a.md")):
        bucket.put("a.md", text_of(0))
        queue.send(event("a.md"), body)
        jobs.append(read_events(desk.runtime, whole, queue.client, wait_seconds=0))
    assert jobs[0] == jobs[1] is not None
    assert [(row["kind"], row["reason"]) for row in desk.tracker.rows(scan_note)] == [("note", UNKNOWN)]


def test_messages_that_bring_nothing_say_nothing_of_the_bucket(bucket: Bucket, desk: Desk, queue: Queue) -> None:
    queue.send("nonsense")
    queue.read()
    assert [row["reason"] for row in desk.tracker.rows(scan_note)] == [UNKNOWN]


def test_a_listing_and_an_event_see_one_state(bucket: Bucket, desk: Desk, queue: Queue) -> None:
    for number in range(6):
        bucket.put(f"{number}.md", text_of(number))
    desk.ingest(WHOLE)
    bucket.put("new.md", text_of(9))
    queue.send(event("new.md"))
    queue.read()
    assert desk.ingest(WHOLE).documents.unchanged == 7
    assert len(uris(desk)) == 7


def test_messages_are_about_one_bucket() -> None:
    for sources in ([], [WHOLE, WHOLE], [FolderSource(b"/")]):
        with pytest.raises(UsageError, match="--events is for one source"):
            EventQueue.of(sources, "queue", "default", JobOptions())


def test_a_queue_in_trouble_is_said_and_asked_again(
    bucket: Bucket, desk: Desk, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a.md", text_of(0))
    queue.send(event("a.md"))
    told: list[str] = []
    listener = Listener(lambda notice: told.append(notice.text))
    monkeypatch.setattr(events_module, "BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr(events_module, "WAIT_SECONDS", 0)
    monkeypatch.setattr(events_module, "connect", lambda *_, **__: queue.client)
    missing = queue.url
    queue.client.delete_queue(QueueUrl=missing)
    reader = EventReader(desk.runtime, EventQueue.of([WHOLE], missing, "default", JobOptions()), listener).begin()
    try:
        wait_until(lambda: told, "the trouble is said")
        queue.client.create_queue(QueueName="events")
        queue.send(event("a.md"))
        wait_until(lambda: desk.tracker.rows(document), "the object is recorded")
    finally:
        reader.end()
    assert "the queue of events could not be read" in told[0]


def test_whoever_runs_the_chores_reads_the_queue_that_a_timetable_names(
    bucket: Bucket, desk: Desk, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "WAIT_SECONDS", 0)
    monkeypatch.setattr(events_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(events_module, "connect", lambda *_, **__: queue.client)
    how: dict[str, Any] = {"collection": "default", "timetable": Timetable(every_seconds=3600.0), "begins_now": False}
    (watched,) = schedule_sources(desk.runtime, [WHOLE], events=queue.url, **how)
    # Another timetable leaves the queue as it was.
    (watched,) = schedule_sources(desk.runtime, [WHOLE], **how)
    assert watched.schedule.events == queue.url
    bucket.put("a.md", text_of(0))
    queue.send(event("a.md"))
    claimant = Claimant("another-process", 60.0, lambda _: None)
    readers = EventReaders(desk.runtime, NOBODY)
    with desk.runtime.database.write() as connection:
        assert schedules.hold_queue(connection, source_id=watched.source, claimant=claimant)
        assert not schedules.hold_queue(
            connection, source_id=watched.source, claimant=Claimant("me", 60.0, lambda _: None)
        )
    try:
        readers.look()
        assert not desk.tracker.rows(document)
        with desk.runtime.database.write() as connection:
            presence.free_chore(connection, f"events-{watched.source}", holder="another-process")
        wait_until(lambda: desk.tracker.rows(document), "the object is recorded")
        schedule_sources(desk.runtime, [WHOLE], events="", **how)

        def is_left() -> bool:
            readers.look()
            return not readers.queues

        wait_until(is_left, "nobody reads it any more")
    finally:
        readers.close()


def test_a_queue_with_a_password_in_its_address_is_refused() -> None:
    with pytest.raises(UsageError, match="a user or a password"):
        EventQueue.of([WHOLE], "https://me:secret@sqs.example/1/q", "default", JobOptions())
