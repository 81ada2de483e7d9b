"""Works off a job in this process: each stage of the table through the real executor, messages by their wire form."""

from collections import deque
from collections.abc import Sequence
from pkgutil import resolve_name

from embedmill.producers.sources.base import Source
from embedmill.producers.submission import Submitter
from embedmill.shared import stages
from embedmill.shared.db.schema import index_version
from embedmill.workers.executor import execute
from embedmill.workers.messages import BatchMessage, decode
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker


def embed_by_hash(runtime: WorkerRuntime, tracker: Tracker) -> None:
    """Have the tracker's collection embedded as `hash` makes vectors."""
    embedder = runtime.embedder("hash")
    tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)
    runtime.forget_collections()


def submit_sources(runtime: WorkerRuntime, tracker: Tracker, sources: list[Source]) -> int:
    """One job of the sources, read to their end; it is the tracker's job from now on."""
    submitter = Submitter(runtime)
    submitted = submitter.open(sources, tracker.collection, options={})
    submitter.enumerate(submitted, sources, tracker.collection, allow_deletes=False)
    tracker.job = submitted.job_id
    return tracker.job


def work_off(runtime: WorkerRuntime, tracker: Tracker) -> None:
    """What workers do with what is ready of the tracker's job, until nothing follows."""
    work_through(runtime, [BatchMessage(stages.first(), tuple(tracker.queue()))])


def work_through(runtime: WorkerRuntime, messages: Sequence[BatchMessage]) -> None:
    """What workers do with messages, until nothing follows."""
    sent = deque(messages)
    while sent:
        message = decode(sent.popleft().encode())
        execute(runtime, message, resolve_name(stages.find_stage(message.stage).function), sent.append)
