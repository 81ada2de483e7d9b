"""The index stage on a vector store that bills its requests: what a job pays, and what happens without money."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.console.services.searching import search
from embedmill.shared.db import budgets
from embedmill.shared.db.schema import index_version, usage
from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.flow.circuit import state_of
from embedmill.shared.ledger import BudgetScope
from embedmill.shared.outcomes import Complete, Park
from embedmill.shared.providers.endpoints import RERANKERS, find_endpoint
from embedmill.shared.settings import Settings
from embedmill.shared.states import Result, State
from embedmill.simulators.faults import Fault
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.workers.runtime import WorkerRuntime
from tests.services.pinecone import billed, running_pinecone
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until
from tests.workers.test_stages import STAGES

CIRCUIT = "vector store 1/v1-000"


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[PineconeSimulator]:
    with running_pinecone(lag_seconds=0.01) as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        yield service.simulator


@pytest.fixture
def settings(simulator: PineconeSimulator, settings: Settings) -> Settings:
    return settings.model_copy(update={"vector_url": "pinecone://mill?timeout=30&fresh=30", "circuit_seconds": 0.1})


@pytest.fixture(autouse=True)
def eight_dimensions(tracker: Tracker, runtime: WorkerRuntime) -> None:
    embedder = runtime.embedder("hash")
    tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)


@pytest.fixture
def uris(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text(f"What document {number} says.")
    return [path.as_uri() for path in paths]


def reach_index(runtime: WorkerRuntime, tracker: Tracker, uris: list[str]) -> list[int]:
    """Work that is embedded and waits to be indexed."""
    claim = tracker.take(uris)
    while claim.stage != "embed":
        (sent,) = tracker.settle(claim, STAGES[claim.stage](runtime, claim)).items()
        claim = tracker.claim(sent[1], sent[0])
    (sent,) = tracker.settle(claim, STAGES["embed"](runtime, claim)).items()
    return sent[1]


def index(runtime: WorkerRuntime, tracker: Tracker, work: list[int]) -> set[object]:
    """Run the stage once; returns its outcomes."""
    claim = tracker.claim(work, "index")
    outcomes = STAGES["index"](runtime, claim)
    tracker.settle(claim, outcomes)
    return set(outcomes.values())


def ledger(tracker: Tracker, *states: str) -> Counter[str]:
    """Thousandths of units in the ledger by operation."""
    found: Counter[str] = Counter()
    for row in tracker.rows(usage):
        if row["provider"] == "pinecone" and row["state"] in (states or ("settled",)):
            found[row["operation"]] += row["milliunits"]
    return found


def limit(tracker: Tracker, microusd: int) -> None:
    with tracker.database.write() as connection:
        budgets.set_budget(connection, BudgetScope.PROVIDER, "pinecone", limit_microusd=microusd, limit_tokens=None)


def test_every_unit_is_booked_on_its_job_with_its_documents(
    runtime: WorkerRuntime, tracker: Tracker, simulator: PineconeSimulator, uris: list[str]
) -> None:
    work = reach_index(runtime, tracker, uris)
    other = tracker.create_job("another")
    tracker.write(work[0], job_id=other)
    assert index(runtime, tracker, work) == {Complete(Result.INDEXED)}
    assert ledger(tracker) == billed(simulator)
    rows = [row for row in tracker.rows(usage) if row["operation"] == "upsert"]
    assert sorted((row["job_id"], len(row["documents"])) for row in rows) == sorted([(tracker.job, 2), (other, 1)])
    assert {row["collection_id"] for row in rows} == {tracker.collection.id}


def test_without_money_the_work_waits_and_goes_on_when_there_is_some(
    runtime: WorkerRuntime, tracker: Tracker, simulator: PineconeSimulator, uris: list[str]
) -> None:
    work = reach_index(runtime, tracker, uris)
    limit(tracker, 0)
    (outcome,) = index(runtime, tracker, work)
    assert isinstance(outcome, Park) and (outcome.reason, outcome.is_woken) == ("budget", True)
    assert billed(simulator) == Counter()
    limit(tracker, 1_000_000)
    assert tracker.states() == [State.PENDING] * 3
    tracker.queue()
    assert index(runtime, tracker, work) == {Complete(Result.INDEXED)}
    assert ledger(tracker) == billed(simulator)


def test_what_was_written_before_the_money_ran_out_is_not_paid_for_again(
    runtime: WorkerRuntime, tracker: Tracker, simulator: PineconeSimulator, uris: list[str]
) -> None:
    work = reach_index(runtime, tracker, uris)
    # Enough to look for the rows, 16, and to write them, 40 at most, but not to list three documents, 48.
    limit(tracker, 80)
    (outcome,) = index(runtime, tracker, work)
    assert isinstance(outcome, Park) and outcome.reason == "budget"
    written = billed(simulator)["upsert"]
    assert written > 0 and billed(simulator)["list"] == 0
    limit(tracker, 1_000_000)
    tracker.queue()
    assert index(runtime, tracker, work) == {Complete(Result.INDEXED)}
    assert billed(simulator)["upsert"] == written
    assert ledger(tracker) == billed(simulator)


def test_without_money_a_dead_shard_is_not_taken_for_well(
    runtime: WorkerRuntime, tracker: Tracker, simulator: PineconeSimulator, uris: list[str]
) -> None:
    work = reach_index(runtime, tracker, uris)
    shard = runtime.spender.circuit(name_circuit())
    down = ProviderUnavailable("no answer")
    while shard.failed(down) is down:
        pass
    limit(tracker, 0)
    wait_until(lambda: state_of_shard(runtime) == "half-open", "the shard may be tried")
    (outcome,) = index(runtime, tracker, work)
    assert isinstance(outcome, Park) and outcome.reason == "budget"
    assert state_of_shard(runtime) == "half-open"
    limit(tracker, 1_000_000)
    tracker.queue()
    assert index(runtime, tracker, work) == {Complete(Result.INDEXED)}
    assert state_of_shard(runtime) == "closed"


def state_of_shard(runtime: WorkerRuntime) -> str:
    return state_of(*runtime.spender.state.peek(f"circuit:{name_circuit()}"))


def name_circuit() -> str:
    """That of the shard at the simulator, which is not that of the vendor's."""
    return f"{CIRCUIT}@{find_endpoint(RERANKERS, 'pinecone')}"


def test_a_search_without_money_says_what_is_used_up(
    runtime: WorkerRuntime,
    tracker: Tracker,
    uris: list[str],
) -> None:
    index(runtime, tracker, reach_index(runtime, tracker, uris))
    limit(tracker, 0)
    with pytest.raises(FlowControl, match="the budget for provider pinecone is used up"):
        search(runtime, "document", collection="default", top_k=1, mode="dense")
    limit(tracker, 1_000_000)
    assert search(runtime, "document", collection="default", top_k=1, mode="dense").hits
    asked = [row for row in tracker.rows(usage) if row["operation"] == "query" and row["job_id"] is None]
    assert [(row["collection_id"], row["state"]) for row in asked] == [(tracker.collection.id, "settled")]


def test_a_time_out_is_covered_by_what_stays_open(
    runtime: WorkerRuntime, tracker: Tracker, simulator: PineconeSimulator, uris: list[str]
) -> None:
    work = reach_index(runtime, tracker, uris)
    simulator.faults.add(Fault(kind="cut_body", path="upsert"))
    (outcome,) = index(runtime, tracker, work)
    assert outcome == Complete(Result.INDEXED), "it is asked again at once"
    settled, doubtful = ledger(tracker)["upsert"], ledger(tracker, "unsettled")["upsert"]
    assert settled <= billed(simulator)["upsert"] <= settled + doubtful
