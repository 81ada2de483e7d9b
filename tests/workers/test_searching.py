"""Searching what workers have indexed, with a paid model that may not be there and shards that may be gone."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from embedmill.console.listening import Listener, Notice
from embedmill.console.services import searching
from embedmill.console.services.lost_shards import ShardWatch
from embedmill.console.services.searching import Unanswered
from embedmill.console.services.working import tell_lost
from embedmill.producers.sources.given import GivenSource
from embedmill.producers.submission import create_collection
from embedmill.retrieval.hits import SearchResult
from embedmill.retrieval.question import Mode
from embedmill.retrieval.steps import Step
from embedmill.shared.db import budgets
from embedmill.shared.errors import EmbedmillError, FlowControl, UsageError
from embedmill.shared.ledger import BudgetScope
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.workers.working import submit_sources, work_off

TEXTS = ["When the pump is blocked the display shows ERR-2041.", *(f"Page {n} of the manual." for n in range(20))]


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer[OpenAISimulator]]:
    with running(OpenAISimulator()) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def indexed(runtime: WorkerRuntime, tracker: Tracker, openai: SimulatorServer[OpenAISimulator]) -> WorkerRuntime:
    """Some documents in three shards, embedded by the simulator."""
    tracker.collection = create_collection(runtime, "c", embedding="openai/text-embedding-3-small@64", shards=3)
    source = GivenSource.of({"id": str(n), "text": text} for n, text in enumerate(TEXTS))
    submit_sources(runtime, tracker, [source])
    work_off(runtime, tracker)
    return runtime


def find(runtime: WorkerRuntime, query: str = "blocked pump", *, mode: Mode = "hybrid") -> SearchResult:
    return searching.search(runtime, query, collection="c", top_k=3, mode=mode)


def embed_step(result: SearchResult) -> Step:
    return next(step for step in result.steps if step.name == "embed")


def require_answer_by_words(runtime: WorkerRuntime, why: str) -> None:
    """The words answer, and the answer says why nothing else did."""
    result = find(runtime, "pump blocked")
    assert [hit.uri for hit in result.hits] == ["0"]
    assert result.degraded
    assert (embed_step(result).ran, embed_step(result).failed) == (False, True)
    assert why in embed_step(result).why
    with pytest.raises(EmbedmillError, match=why):
        find(runtime, "pump blocked", mode="dense")


def test_a_query_is_paid_for_once_and_says_what_it_cost_and_one_that_is_too_long_is_cut(indexed: WorkerRuntime) -> None:
    first, again = find(indexed), find(indexed)
    assert first.hits[0].uri == "0"
    assert (embed_step(first).calls, embed_step(again).calls) == (1, 0)
    assert embed_step(first).usd > 0 == embed_step(again).usd
    assert not first.degraded
    result = find(indexed, "pump " + " ".join(f"w{n}" for n in range(10_000)))
    assert (result.hits[0].uri, embed_step(result).ran, result.degraded) == ("0", True, False)
    assert "only the first" in embed_step(result).why
    assert any("only the first" in remark for remark in result.remarks)


def test_without_the_model_words_answer_and_the_answer_says_why(
    indexed: WorkerRuntime, openai: SimulatorServer[OpenAISimulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_money(indexed):
        require_answer_by_words(indexed, "budget for total is used up")
    embedder = indexed.embedder("openai/text-embedding-3-small@64")
    with monkeypatch.context() as patch:
        embedder.close()
        patch.delenv("OPENAI_API_KEY")
        require_answer_by_words(indexed, "OPENAI_API_KEY is not set")
    openai.simulator.faults.add(Fault(kind="slow", seconds=60.0))
    settings = indexed.settings
    indexed.settings = settings.model_copy(update={"search_seconds": 0.3})
    assert "did not answer within 0.3 s" in embed_step(find(indexed, "the display of a pump")).why
    indexed.settings = settings
    openai.simulator.faults.clear()
    openai.simulator.faults.add(Fault(kind="status", status=500, times=None))
    require_answer_by_words(indexed, "openai")
    openai.simulator.faults.clear()
    asked = len(openai.simulator.exchanges)
    left_alone = FlowControl("503", reason="circuit", retry_after_seconds=3600.0)
    indexed.spender.circuit(f"openai:embed@{embedder.endpoint}").failed(left_alone, is_down=True)
    require_answer_by_words(indexed, "does not answer and is left alone")
    assert len(openai.simulator.exchanges) == asked


@contextmanager
def no_money(runtime: WorkerRuntime) -> Iterator[None]:
    def limit(microusd: int) -> None:
        runtime.database.transact(
            lambda connection: budgets.set_budget(
                connection, BudgetScope.TOTAL, "", limit_microusd=microusd, limit_tokens=None
            )
        )

    limit(0)
    yield
    limit(10**9)


def test_a_shard_that_is_gone_is_told_from_one_that_holds_nothing(indexed: WorkerRuntime) -> None:
    told: list[Notice] = []
    whole = find(indexed)
    assert (whole.partial, whole.degraded) == ([], False)
    tell_lost(indexed, "c", Listener(told.append))
    assert told == []
    folder = indexed.home / "vectors" / f"c{indexed.collection(2).id}"
    gone = sorted(folder.glob("*.db"))[1]
    for file in folder.glob(f"{gone.name}*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    result = find(indexed)
    assert (result.partial, result.degraded) == ([gone.stem], True)
    tell_lost(indexed, "c", Listener(told.append))
    (notice,) = told
    assert f"shard {gone.stem} of collection c: it lacks what the records say" in notice.text
    assert "embedmill verify --collection c --repair" in notice.text
    create_collection(indexed, "empty", embedding="hash", shards=9)
    found = searching.search(indexed, "anything", collection="empty", top_k=3, mode="hybrid")
    assert (found.hits, found.partial, found.degraded) == ([], [], False)


def test_a_shard_that_gave_what_it_should_is_believed_for_a_while(
    indexed: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = indexed.collection(2)
    store = indexed.store(collection)
    asked: list[str] = []
    count_versions = store.count_versions

    def remember(shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        asked.append(shard)
        return count_versions(shard, documents)

    monkeypatch.setattr(store, "count_versions", remember)
    watch = ShardWatch(indexed, collection.id, store)
    shards = list(collection.shards)
    for _ in range(3):
        assert watch.find_lost(shards) == {}
    assert asked == shards
    watch = ShardWatch(indexed, collection.id, store)
    for shard in shards:
        store.drop(shard)
    assert set(watch.find_lost(shards)) == set(shards)


def test_what_cannot_be_answered_is_told_and_keeps_nobody_from_the_others(indexed: WorkerRuntime) -> None:
    queries = [searching.Query(1, "pump"), searching.Query(2, "pump", where="year >"), searching.Query(3, "manual")]
    answers = list(searching.answer_each(indexed, iter(queries), collection="c", top_k=3, mode="lexical"))
    assert [answer.id for answer in answers] == [1, 2, 3]
    assert [isinstance(answer, Unanswered) for answer in answers] == [False, True, False]
    assert len(answers[2].hits) == 3

    for arguments in (
        {"query": 5},
        {"query": " "},
        {"collection": None},
        {"where": 5},
        {"top_k": 0.5},
        {"mode": "any"},
    ):
        given: dict[str, Any] = {"query": "pump", "collection": "c", "top_k": 3, "mode": "hybrid"}
        with pytest.raises(UsageError):
            searching.search(indexed, **given | arguments)
