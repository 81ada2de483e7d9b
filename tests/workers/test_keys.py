"""Keys that a provider does not accept, as stages meet them: who waits, and how often a vendor is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.db import tallies, waits
from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import dead_letter, index_version
from embedmill.shared.outcomes import Advance, Complete, Outcome, Park
from embedmill.shared.states import Result, State
from embedmill.simulators.base import Simulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from embedmill.workers.stages.embed import embed
from embedmill.workers.stages.index import index
from embedmill.workers.stages.validate import validate
from tests.corpus import text_of
from tests.services.pinecone import running_pinecone
from tests.shared.db.tracker import Tracker

MODEL = "openai/text-embedding-3-small@64"
STAGES = {"chunk": chunk, "validate": validate, "embed": embed}
REFUSED = Fault(kind="status", status=401, times=None)


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAISimulator]:
    with running(OpenAISimulator()) as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        yield server.simulator


@pytest.fixture
def pinecone(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer[PineconeSimulator]]:
    with running_pinecone() as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        yield server


@pytest.fixture
def other(runtime: WorkerRuntime) -> Iterator[WorkerRuntime]:
    """Another worker of the fleet."""
    opened = WorkerRuntime(runtime.settings, process_id="other")
    yield opened
    opened.close()


def use(runtime: WorkerRuntime, tracker: Tracker, model: str) -> None:
    embedder = runtime.embedder(model)
    tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)
    with runtime.database.write() as connection:
        update_settings(connection, 1, {"embedding": model, "validator": "rules"})
    runtime.forget_collections()


def claim_of(runtime: WorkerRuntime, tracker: Tracker, folder: Path, number: int, *, stage: str) -> Lease:
    """A document that has come as far as a stage."""
    path = folder / f"{number}.txt"
    path.write_text(text_of(number))
    claim = tracker.take([path.as_uri()])
    while claim.stage != stage:
        (sent,) = tracker.settle(claim, STAGES[claim.stage](runtime, claim)).items()
        claim = tracker.claim(sent[1], sent[0])
    return claim


def refusals(simulator: Simulator) -> int:
    """How often the vendor has refused a key."""
    (fault,) = simulator.faults.left()
    return int(fault["happened"])


def only(outcomes: dict[int, Outcome]) -> Outcome:
    (outcome,) = outcomes.values()
    return outcome


def test_a_worker_with_a_good_key_is_not_held_back_by_one_with_a_bad_key(
    runtime: WorkerRuntime,
    other: WorkerRuntime,
    tracker: Tracker,
    openai: OpenAISimulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(runtime, tracker, MODEL)
    first, second, third = (claim_of(runtime, tracker, tmp_path, n, stage="embed") for n in range(3))
    monkeypatch.setenv("OPENAI_API_KEY", "revoked")
    openai.faults.add(REFUSED)
    refused = only(embed(other, first))
    assert isinstance(refused, Park)
    assert (refused.reason, refused.seconds) == ("key", 60.0)
    openai.faults.clear()
    monkeypatch.setenv("OPENAI_API_KEY", "good")
    assert isinstance(only(embed(runtime, second)), Advance)
    held = only(embed(other, third))
    assert isinstance(held, Park)
    assert held.reason == "key"
    assert isinstance(only(embed(runtime, third)), Advance)


def test_a_refused_key_uses_up_no_attempt_and_makes_no_dead_letter(
    runtime: WorkerRuntime, tracker: Tracker, openai: OpenAISimulator, tmp_path: Path
) -> None:
    use(runtime, tracker, MODEL)
    claim = claim_of(runtime, tracker, tmp_path, 1, stage="embed")
    openai.faults.add(REFUSED)
    for _ in range(5):
        tracker.settle(claim, embed(runtime, claim))
        assert [(row["state"], row["attempt"]) for row in tracker.rows()] == [(State.WAITING, 0)]
        runtime.spender.keys.wake()
        claim = tracker.claim(tracker.queue(), "embed")
    assert refusals(openai) == 1
    assert not tracker.rows(dead_letter)
    runtime.spender.keys.try_anew()
    openai.faults.clear()
    assert isinstance(only(embed(runtime, claim)), Advance)


def test_only_what_a_supervisors_own_workers_parked_is_beyond_its_help(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    from embedmill.shared.db import presence

    with runtime.database.write() as connection:
        for name in ("ours", "theirs"):
            presence.register_worker(
                connection, name, host="here", pid=1, queues=["embed"], supervisor_id=f"supervisor of {name}"
            )
    tracker.submit(["file:///a"])
    claim = tracker.claim(tracker.queue(), worker="theirs")
    tracker.settle(claim, Park("key", 60.0))
    with runtime.database.read() as connection:
        assert tallies.measure_left(connection, tracker.job).waiting == {"key": 1}
        assert waits.was_refused_here(connection, tracker.job, supervisor="supervisor of theirs")
        assert not waits.was_refused_here(connection, tracker.job, supervisor="supervisor of ours")


@pytest.mark.parametrize("path", ["/indexes", "upsert"])
def test_pinecones_refused_key_parks_the_documents_and_is_not_asked_again(
    runtime: WorkerRuntime,
    other: WorkerRuntime,
    tracker: Tracker,
    pinecone: SimulatorServer[PineconeSimulator],
    tmp_path: Path,
    path: str,
) -> None:
    use(runtime, tracker, "hash")
    for worker in (runtime, other):
        worker.settings = worker.settings.model_copy(update={"vector_url": "pinecone://mill?timeout=30"})
    first, second = (claim_of(runtime, tracker, tmp_path, n, stage="index") for n in range(2))
    pinecone.simulator.faults.add(Fault(kind="status", status=401, path=path, times=None))
    refused = only(index(runtime, first))
    assert isinstance(refused, Park)
    assert (refused.reason, refused.seconds) == ("key", 60.0)
    assert "PINECONE_API_KEY" in str(refused.told)
    for worker in (runtime, other):
        held = only(index(worker, second))
        assert isinstance(held, Park)
        assert held.reason == "key"
    assert refusals(pinecone.simulator) == 1
    pinecone.simulator.faults.clear()
    runtime.spender.keys.try_anew()
    for claim in (first, second):
        assert only(index(other, claim)) == Complete(Result.INDEXED)


@pytest.mark.parametrize(("status", "reason"), [(402, "budget"), (403, "circuit")])
def test_what_pinecones_account_may_not_is_no_documents_fault(
    runtime: WorkerRuntime,
    tracker: Tracker,
    pinecone: SimulatorServer[PineconeSimulator],
    tmp_path: Path,
    status: int,
    reason: str,
) -> None:
    use(runtime, tracker, "hash")
    runtime.settings = runtime.settings.model_copy(update={"vector_url": "pinecone://mill?timeout=30"})
    claim = claim_of(runtime, tracker, tmp_path, 1, stage="index")
    pinecone.simulator.faults.add(Fault(kind="status", status=status))
    parked = only(index(runtime, claim))
    assert isinstance(parked, Park)
    assert parked.reason == reason
    assert only(index(runtime, claim)) == Complete(Result.INDEXED)
