"""Single keys of a bucket, read as messages in a queue name them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from embedmill.console.listening import NOBODY, Listener, Notice
from embedmill.console.services.submitting import JobOptions, JobSubmission
from embedmill.shared.buckets.client import FaultKind, connect, errors, fault_of
from embedmill.shared.errors import EmbedmillError, UsageError
from embedmill.shared.logs import get_logger
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source
    from embedmill.producers.sources.buckets.source import S3Source

log = get_logger()

WAIT_SECONDS = 20
"""How long the queue holds a request for a message: the longest that it allows."""
MOST_MESSAGES = 500
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
        # An event names one object, and that it is gone was asked for: there is no mistake to ask about.
        return cls(sources[0], url, collection, replace(options, allow_deletes=True))


def read_events(runtime: Runtime, queue: EventQueue, client: Any, *, wait_seconds: int) -> int | None:
    """Take what is in the queue, read the objects that it names, and remove the messages; returns the job, if any.

    Messages leave only when what they brought is durable. Raises what the SDK does, UserError.
    """
    from embedmill.producers.sources.buckets.events import NoEvent, S3Changes, read_message

    messages = _receive(client, queue.url, wait_seconds)
    named, notes = [], []
    for message in messages:
        try:
            named += read_message(message["Body"])
        except NoEvent as error:
            notes.append(str(error))
    changes = S3Changes.of(queue.source, named, notes)
    job = _submit(runtime, queue, changes) if changes.keys or changes.notes else None
    _remove(client, queue.url, messages)
    return job


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
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=AT_ONCE, WaitTimeSeconds=wait)
        if not answer.get("Messages"):
            break
        messages += answer["Messages"]
    return messages


def _remove(client: Any, url: str, messages: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(messages), AT_ONCE):
        some = messages[start : start + AT_ONCE]
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(some)]
        client.delete_message_batch(QueueUrl=url, Entries=entries)


class EventReader:
    """A thread that reads a queue until the block ends; a queue in trouble is asked again, later and later."""

    def __init__(self, runtime: Runtime, queue: EventQueue, listener: Listener) -> None:
        self._runtime = runtime
        self._queue = queue
        self._listener = listener
        self._ended = threading.Event()
        self._client = connect("sqs", wanted_by="--events", extra="s3")
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def __enter__(self) -> "EventReader":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        pause = BACK_OFF_SECONDS
        faults: tuple[type[Exception], ...] = (EmbedmillError, *errors())
        while not self._ended.is_set():
            try:
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
                f"{fault.told}; check its address, region and rights" if fault.kind is FaultKind.REFUSED else fault.told
            )
        log.warning("events.failed", error_class=type(error).__name__)
        self._listener.on_notice(Notice(f"the queue of events could not be read, again in {pause:.0f} s: {why}"))
