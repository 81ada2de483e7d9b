"""`--max-usd`: what has no room in it is a step that says so, and the search goes on without."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from embedmill.console.services import asking, searching, spending
from embedmill.console.services.collections import create_collection, update_collection
from embedmill.console.services.query_stats import measure_queries
from embedmill.producers.sources.given import GivenSource
from embedmill.shared.db.collections import get_collection
from embedmill.shared.errors import EmbedmillError, FlowControl, KeyRefused, ProviderUnavailable, UsageError
from embedmill.shared.presence import Presence
from embedmill.shared.providers.models.base import Prompt
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.retrieval.grading.judge import Say, Scripted, ScriptedModel, grades, scores
from tests.shared.db.tracker import Tracker
from tests.workers.working import submit_sources, work_off

TEXTS = [f"Stack {n} is wet because drain {n} is blocked." for n in range(12)]
QUESTION = "why is stack 3 wet?"


def say(shown: Sequence[tuple[str, str]], prompt: Prompt) -> str:
    if prompt.schema_name == "scores":
        return scores([{"id": id, "score": 5} for id, _ in shown])
    if prompt.schema_name == "grades":
        return grades([{"id": id, "quote": said, "score": 5 if "Stack 3" in said else 1} for id, said in shown])
    quotes = [{"id": id, "quote": said} for id, said in shown]
    return json.dumps({"claims": [{"text": "It is wet because drain 3 is blocked.", "quotes": quotes}]})


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerRuntime]:
    """Twelve documents in `c`, and models that answer by a script and cost what Claude costs."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), record_queries=False)
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        create_collection(opened, "c", embedding="hash")
        tracker = Tracker(opened.database)
        tracker.collection = opened.database.query(lambda connection: get_collection(connection, "c"))
        submit_sources(opened, tracker, [GivenSource.of({"id": str(n), "text": said} for n, said in enumerate(TEXTS))])
        work_off(opened, tracker)
        yield opened
        opened.close()


@pytest.fixture
def script(indexed: WorkerRuntime, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    scripted = Scripted(say)
    monkeypatch.setattr(indexed, "model", lambda name: ScriptedModel(scripted, name.partition("/")[2]), raising=True)
    return scripted


def ask(runtime: WorkerRuntime, **how: Any) -> asking.Reply:
    return asking.ask(runtime, QUESTION, collection="c", rank=True, cache=False, **how)


def test_without_a_bound_every_step_is_taken(indexed: WorkerRuntime, script: Scripted) -> None:
    reply = ask(indexed)
    assert (reply.degraded, reply.answer) == (False, "It is wet because drain 3 is blocked.")
    assert reply.spend.calls == len(script.prompts) == 5


@pytest.mark.parametrize("most", [0.0, 0.001, 0.01, 0.03, 0.05, 0.08, 0.2, 1.0])
def test_no_query_costs_more_than_it_may_and_each_is_answered(
    indexed: WorkerRuntime, script: Scripted, most: float
) -> None:
    reply = ask(indexed, max_usd=most)
    assert reply.spend.usd <= most
    assert reply.answered, "in the documents' own words at least"
    stopped = [step for step in reply.steps if step.failed]
    assert all("the query may" in step.why for step in stopped)
    assert reply.degraded == bool(stopped) == (most < 0.05)
    assert all(any(step.name in note for note in reply.notes) for step in stopped), "each says so"
    if not most:
        assert (script.prompts, {step.name for step in stopped}) == ([], {"filter", "rank", "answer"})


def test_a_search_that_may_cost_nothing_has_the_order_of_the_search(indexed: WorkerRuntime, script: Scripted) -> None:
    def find(**how: Any) -> list[str]:
        found = searching.search(indexed, QUESTION, collection="c", top_k=10, mode="hybrid", **how)
        return [hit.document for hit in found.hits]

    assert find(rank=True, max_usd=0) == find(rank=False)
    assert script.prompts == []


def test_a_collection_has_a_bound_of_its_own(indexed: WorkerRuntime, script: Scripted) -> None:
    update_collection(indexed, "c", max_usd=0.0)
    assert ask(indexed).spend.calls == 0
    assert ask(indexed, max_usd=1.0).spend.calls == 5
    update_collection(indexed, "c", max_usd=float("inf"))
    assert ask(indexed).spend.calls == 5


@pytest.mark.parametrize("most", [float("inf"), float("nan"), 1e300, -0.01])
def test_what_is_no_bound_is_refused(indexed: WorkerRuntime, script: Scripted, most: float) -> None:
    with pytest.raises(UsageError, match=r"max_usd is .* from 0 to 1000000000"):
        ask(indexed, max_usd=most)
    assert script.prompts == []


def _break_off(_: Sequence[tuple[str, str]], __: Prompt) -> EmbedmillError:
    return ProviderUnavailable("no sense in it")


def _time_out(_: Sequence[tuple[str, str]], __: Prompt) -> EmbedmillError:
    return FlowControl("too late", reason="circuit", retry_after_seconds=1, may_be_billed=True)


@pytest.mark.parametrize("fault", [_break_off, _time_out])
def test_a_fault_that_may_be_billed_costs_in_the_reply_what_it_costs_in_the_ledger(
    indexed: WorkerRuntime, script: Scripted, fault: Say
) -> None:
    def spent() -> tuple[float, int, int]:
        told = spending.sum_spend(indexed, "model").total
        return told.usd, told.tokens_in, told.tokens_out

    before = spent()
    script.say = fault
    reply = ask(indexed)
    assert reply.spend.calls >= 1
    steps = (reply.spend.usd, sum(step.tokens_in for step in reply.steps), sum(step.tokens_out for step in reply.steps))
    assert steps == pytest.approx([now - then for now, then in zip(spent(), before, strict=True)])
    assert reply.spend.usd > 0


def test_without_a_key_nothing_was_asked(indexed: WorkerRuntime, script: Scripted) -> None:
    script.say = lambda *_: KeyRefused("there is none")
    reply = ask(indexed)
    assert (reply.spend.calls, reply.spend.usd) == (0, 0.0)
    assert any(step.failed for step in reply.steps)


def test_an_empty_question_is_told_how_to_ask(indexed: WorkerRuntime) -> None:
    with pytest.raises(UsageError, match="is empty") as refused:
        asking.ask(indexed, " ", collection="c")
    assert refused.value.hint.startswith("embedmill ask ")


def test_calls_without_a_known_price_are_said_and_not_taken_for_free(
    indexed: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {"allow_unpriced": True, "rank_model": "anthropic/of-tomorrow", "record_queries": True}
    opened = WorkerRuntime(indexed.settings.model_copy(update=changed), process_id=indexed.process_id)
    monkeypatch.setattr(opened, "model", lambda name: ScriptedModel(Scripted(say), name.partition("/")[2]))
    reply = ask(opened)
    (today,) = measure_queries(opened).days
    opened.close()
    assert today.unpriced_calls == 4
    told = {step.name: step.unpriced_calls for step in reply.steps if step.unpriced_calls}
    assert told == {"rank": 3, "answer": 1}
    assert reply.spend.unpriced_calls == 4
    assert [note.partition(":")[0] for note in reply.notes if "no known price" in note] == ["rank", "answer"]
