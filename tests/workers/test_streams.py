"""Threads of one process that embed with a paid model: their texts share requests, and are paid once after a crash."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.schema import index_version
from embedmill.shared.settings import Settings
from embedmill.shared.states import State
from embedmill.simulators.faults import Fault, Kind
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from embedmill.workers.executor import execute
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from embedmill.workers.stages.embed import embed
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.working import work_through

MODEL = "openai/text-embedding-3-small@64"
THREADS = 4
MANY = 40
"""More documents than requests may be made about them."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAISimulator]:
    with running(OpenAISimulator()) as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        yield server.simulator


@pytest.fixture
def shared(settings: Settings, runtime: WorkerRuntime) -> Iterator[WorkerRuntime]:
    """The runtime of a process with threads."""
    with closing(WorkerRuntime(settings, process_id=runtime.process_id, slots=THREADS)) as opened:
        yield opened


@pytest.fixture
def chunked(
    provider: OpenAISimulator,
    runtime: WorkerRuntime,
    tracker: Tracker,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> list[int]:
    """Work whose next stage is to embed; a parameter says how many documents."""
    embedder = runtime.embedder(MODEL)
    tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)
    with runtime.database.write() as connection:
        update_settings(connection, 1, {"embedding": MODEL, "validator": "off"})
    count = getattr(request, "param", THREADS)
    for number in range(count):
        (tmp_path / f"{number}.txt").write_text(text_of(number, paragraphs=7 if count == THREADS else 2))
    tracker.submit([path.as_uri() for path in sorted(tmp_path.glob("*.txt"))])
    tracker.write_job(enumerated_at=1.0)
    execute(runtime, BatchMessage("chunk", tuple(tracker.queue())), chunk, lambda message: None)
    assert {(row["stage"], row["state"]) for row in tracker.rows()} == {("embed", State.QUEUED)}
    return [row["id"] for row in tracker.rows()]


def embed_apart(shared: WorkerRuntime, work: Sequence[int], *, each: int = 1) -> list[BatchMessage]:
    """So many pieces of work each in a message and a thread of its own; returns what follows."""
    following: list[BatchMessage] = []
    messages = [BatchMessage("embed", tuple(work[n : n + each])) for n in range(0, len(work), each)]
    with ExitStack() as stack, ThreadPoolExecutor(len(messages)) as threads:
        runtimes = [stack.enter_context(closing(shared.for_thread(n + 1))) for n in range(len(messages))]
        list(threads.map(lambda r, m: execute(r, m, embed, following.append), runtimes, messages))
    return following


def test_what_threads_embed_of_one_job_is_one_request(
    shared: WorkerRuntime, tracker: Tracker, provider: OpenAISimulator, chunked: list[int]
) -> None:
    following = embed_apart(shared, chunked)
    assert len(provider.exchanges) == 1
    work_through(shared, following)
    assert {row["state"] for row in tracker.rows()} == {State.COMPLETED}
    assert provider.bill.total("inputs") == sum(row["chunks_embedded"] for row in tracker.rows())


def test_after_a_crash_what_has_no_answer_is_one_request_and_the_rest_is_paid_once(
    runtime: WorkerRuntime,
    shared: WorkerRuntime,
    tracker: Tracker,
    provider: OpenAISimulator,
    chunked: list[int],
) -> None:
    answered, lost = chunked[:2], chunked[2:]
    claim = tracker.claim(answered, "embed")
    embed(runtime, claim)
    before = provider.bill.total("inputs")
    # Both die: one with its answers stored and not settled, one before it asked.
    for each in (claim, tracker.claim(lost, "embed")):
        tracker.rescue(each)
    embed_apart(shared, tracker.queue())
    assert len(provider.exchanges) == 2
    sizes = {row["id"]: row["chunks_expected"] for row in tracker.rows()}
    assert before == sum(sizes[id_] for id_ in answered)
    assert provider.bill.total("inputs") == sum(sizes.values())


@pytest.mark.parametrize("chunked", [MANY], indirect=True)
def test_what_a_fault_took_along_shares_requests_again_whatever_claims_it_comes_back_in(
    shared: WorkerRuntime, tracker: Tracker, provider: OpenAISimulator, chunked: list[int]
) -> None:
    provider.faults.add(Fault(kind="cut", times=2))
    ready, rounds = chunked, 0
    while ready:
        embed_apart(shared, ready, each=MANY // THREADS)
        waiting = [row for row in tracker.rows() if row["stage"] == "embed"]
        for row in waiting:
            tracker.write(row["id"], available_at=1.0)
        ready, rounds = tracker.queue() if waiting else [], rounds + 1
    assert rounds > 1
    assert len(provider.exchanges) <= 6


@pytest.mark.parametrize("chunked", [MANY], indirect=True)
@pytest.mark.parametrize(
    ("faults", "most"),
    [(["cut"], 6), (["malformed"], 6), (["cut", "malformed"], 6), (["status", "cut"], 8)],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_what_a_fault_took_along_shares_requests_again(
    runtime: WorkerRuntime,
    tracker: Tracker,
    provider: OpenAISimulator,
    chunked: list[int],
    faults: Sequence[Kind],
    most: int,
) -> None:
    provider.faults.add(*(Fault(kind=kind, status=503) for kind in faults))
    ready, rounds = chunked, 0
    while ready:
        execute(runtime, BatchMessage("embed", tuple(ready)), embed, lambda message: None)
        waiting = [row for row in tracker.rows() if row["stage"] == "embed"]
        for row in waiting:
            tracker.write(row["id"], available_at=1.0)
        ready, rounds = tracker.queue() if waiting else [], rounds + 1
    assert rounds > 1
    assert len(provider.exchanges) <= most
