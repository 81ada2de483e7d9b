"""Single keys of a bucket, read as messages in a queue name them."""

import threading
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from embedmill.console.listening import NOBODY, Listener, Notice
from embedmill.console.services.submitting import JobOptions, JobSubmission, recall_options
from embedmill.shared.buckets.client import BucketFaultKind, connect, errors, fault_of
from embedmill.shared.db import schedules
from embedmill.shared.db.schedules import Claimant, Schedule
from embedmill.shared.errors import EmbedmillError, UsageError
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source
    from embedmill.producers.sources.buckets.source import S3Source

log = get_logger()

WAIT_SECONDS = 20
"""How long the queue holds a request for a message: the longest that it allows."""
MOST_MESSAGES = 500
MOST_TRIES = 10
"""So often a message may come whose object cannot be asked for; then the next listing makes up for it."""
COUNT = "ApproximateReceiveCount"
LEASE_SECONDS = 60.0
"""Of one process on a queue; long enough for a request that waits."""
LOOK_SECONDS = 10.0
"""Between two looks which queues there are, and whether another process still reads one."""
AT_ONCE = 10
"""Messages of one request, as many as the queue allows."""
# After a fault of the queue, doubled up to the longest.
BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 1.0, 60.0
CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EventQueue:
    """A queue of messages about a source, and the collection that they are for."""

    source: "S3Source"
    url: str
    collection: str
    options: JobOptions = field(default_factory=JobOptions)

    @classmethod
    def of(cls, sources: "Sequence[Source]", url: str, collection: str, options: JobOptions) -> "EventQueue":
        """Raise UsageError unless the messages are about one bucket."""
        from embedmill.producers.sources.buckets.source import S3Source

        if len(sources) != 1 or not isinstance(sources[0], S3Source):
            raise UsageError("--events is for one source, a bucket", hint="Name one s3://bucket/prefix.")
        if urlsplit(url).username is not None:
            raise UsageError("--events holds a user or a password, which is not used", hint="Use the AWS_* variables.")
        # An event names one object, and that it is gone was asked for: there is no mistake to ask about.
        return cls(sources[0], url, collection, replace(options, allow_deletes=True))


def read_events(runtime: Runtime, queue: EventQueue, client: Any, *, wait_seconds: int) -> int | None:
    """Take what is in the queue, read the objects that it names, and remove the messages; returns the job, if any.

    Messages leave only when what they brought is durable. One of an object of which the store could say nothing stays,
    and comes again. Raises what the SDK does, UserError.
    """
    from embedmill.producers.sources.buckets.events import NoEvent, S3Changes, read_message

    messages = _receive(client, queue.url, wait_seconds)
    named, notes = [], []
    for message in messages:
        try:
            message["Places"] = read_message(message["Body"])
            named += message["Places"]
        except NoEvent as error:
            notes.append(str(error))
    changes = S3Changes.of(queue.source, named, notes)
    job = _submit(runtime, queue, changes) if changes.keys or changes.notes else None
    _remove(client, queue.url, [message for message in messages if not _comes_again(message, changes.away)])
    return job


def _comes_again(message: dict[str, Any], away: Container[str]) -> bool:
    tries = int(message.get("Attributes", {}).get(COUNT, MOST_TRIES))
    return tries < MOST_TRIES and any(place.key in away for place in message.get("Places", ()))


def _submit(runtime: Runtime, queue: EventQueue, changes: "Source") -> int:
    submission = JobSubmission(runtime, [changes], queue.collection, queue.options, NOBODY)
    submitted = submission.open()
    submission.scan(submitted)
    return submitted.job_id


def _receive(client: Any, url: str, wait_seconds: int) -> list[dict[str, Any]]:
    """The messages that there are, up to so many; waits for the first."""
    messages: list[dict[str, Any]] = []
    while len(messages) < MOST_MESSAGES:
        wait = 0 if messages else wait_seconds
        asked = {"MaxNumberOfMessages": AT_ONCE, "WaitTimeSeconds": wait, "AttributeNames": [COUNT]}
        answer = client.receive_message(QueueUrl=url, **asked)
        if not answer.get("Messages"):
            break
        messages += answer["Messages"]
    return messages


def _remove(client: Any, url: str, messages: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(messages), AT_ONCE):
        some = messages[start : start + AT_ONCE]
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(some)]
        client.delete_message_batch(QueueUrl=url, Entries=entries)


def _anybody() -> bool:
    return True


class EventReader:
    """A thread that reads a queue until it is ended; a queue in trouble is asked again, later and later.

    `may_read` is asked before each request: another process may read the queue.
    """

    def __init__(
        self, runtime: Runtime, queue: EventQueue, listener: Listener, may_read: Callable[[], bool] = _anybody
    ) -> None:
        self._may_read = may_read
        self._runtime = runtime
        self._queue = queue
        self._listener = listener
        self._ended = threading.Event()
        self._client = connect("sqs", wanted_by="--events", extra="s3")
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def begin(self) -> "EventReader":
        """Read from now on."""
        self._thread.start()
        return self

    def end(self) -> None:
        """Read no more once what is in hand is recorded; a request that waits is not waited for."""
        self._ended.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        pause = BACK_OFF_SECONDS
        faults: tuple[type[Exception], ...] = (EmbedmillError, *errors())
        while not self._ended.is_set():
            try:
                if not self._may_read():
                    self._ended.wait(LOOK_SECONDS)
                    continue
                read_events(self._runtime, self._queue, self._client, wait_seconds=WAIT_SECONDS)
                pause = BACK_OFF_SECONDS
            except faults as error:
                self._tell(error, pause)
                self._ended.wait(pause)
                pause = min(2 * pause, LONGEST_BACK_OFF_SECONDS)

    def _tell(self, error: Exception, pause: float) -> None:
        if isinstance(error, EmbedmillError):
            why = str(error)
        else:
            fault = fault_of(error)
            why = (
                f"{fault.told}; check its address, region and rights"
                if fault.kind is BucketFaultKind.REFUSED
                else fault.told
            )
        log.warning("events.failed", error_class=type(error).__name__)
        self._listener.on_notice(Notice(f"the queue of events could not be read, again in {pause:.0f} s: {why}"))


class EventReaders:
    """A reader for each queue that the timetable of a source names, for as long as it does."""

    def __init__(self, runtime: Runtime, listener: Listener) -> None:
        self._runtime = runtime
        self._listener = listener
        self._readers: dict[tuple[int, str], EventReader] = {}
        self._looked = 0.0

    def look(self) -> None:
        """Read what is named now, and nothing else."""
        if self._looked and time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        named = {(each.source_id, each.events): each for each in self._runtime.database.query(schedules.list_heard)}
        for key in self._readers.keys() - named.keys():
            self._readers.pop(key).end()
        for key in named.keys() - self._readers.keys():
            self._readers[key] = self._read(named[key])

    @property
    def queues(self) -> list[str]:
        """Those that are read."""
        return [url for _, url in self._readers]

    def close(self) -> None:
        """End them all."""
        for reader in self._readers.values():
            reader.end()

    def _read(self, found: Schedule) -> EventReader:
        from embedmill.producers.sources.open import source_from_spec

        options = recall_options(found.options)
        queue = EventQueue.of([source_from_spec(dict(found.spec))], found.events, found.collection, options)
        runtime = self._runtime
        claimant = Claimant(runtime.process_id, LEASE_SECONDS, partial(is_gone, runtime.run_folder))
        hold = partial(schedules.hold_queue, source_id=found.source_id, claimant=claimant)
        reader = EventReader(runtime, queue, self._listener, lambda: runtime.database.transact(hold))
        return reader.begin()
