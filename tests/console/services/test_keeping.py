"""What was answered before costs nothing again, until anything that it rests on changes."""

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from embedmill.console.cli.explained import print_explanation
from embedmill.console.services import asking, keeping, searching, turns
from embedmill.console.services.caches import clear_answers, prune_caches, show_caches
from embedmill.console.services.collections import create_collection, update_collection
from embedmill.console.services.query_stats import measure_queries
from embedmill.console.services.spending import sum_spend
from embedmill.producers.sources.given import GivenSource
from embedmill.retrieval.hits import SearchResult
from embedmill.retrieval.search import RESULT
from embedmill.retrieval.view import EVERY_SAYING, View
from embedmill.shared import stages
from embedmill.shared.access.principals import Principal, Role
from embedmill.shared.db import claims, kept_answers
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.engine import Database
from embedmill.shared.db.kept_answers import KEPT_KINDS, measure_kept
from embedmill.shared.db.schema import chore, document, kept_answer
from embedmill.shared.errors import ProviderUnavailable
from embedmill.shared.presence import Presence
from embedmill.shared.providers.models.base import ModelAnswer, Prompt, Stop
from embedmill.shared.settings import Settings
from embedmill.shared.sharding import ReadingOrder
from embedmill.shared.sqlite_files import read_as_they_stand
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.retrieval.grading.judge import Scripted, ScriptedModel, answer, grades, scores
from tests.shared.db.tracker import Tracker
from tests.workers.working import submit_sources, work_off, work_through

TEXTS = [f"Stack {n} is wet because drain {n} is blocked." for n in range(12)]
QUESTION = "why is stack 3 wet?"
Ask = Callable[..., Any]


def say(shown: Sequence[tuple[str, str]], prompt: Prompt) -> str:
    if prompt.schema_name == "scores":
        return scores([{"id": id, "score": 5} for id, _ in shown])
    if prompt.schema_name == "grades":
        return grades([{"id": id, "quote": said, "score": 5 if "tack 3" in said else 1} for id, said in shown])
    quotes = [{"id": id, "quote": said} for id, said in shown]
    return json.dumps({"claims": [{"text": "It is wet because drain 3 is blocked.", "quotes": quotes}]})


class Known(Tracker):
    """A tracker of the collection `c`, which is there already."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.collection = database.query(lambda connection: get_collection(connection, "c"))


class Indexed:
    """Documents in the collection `c`, and models that answer by a script and cost what Claude costs."""

    def __init__(self, runtime: WorkerRuntime, script: Scripted) -> None:
        self.runtime = runtime
        self.script = script
        self.tracker = Known(runtime.database)

    def write(self, *texts: str) -> None:
        """These and no others are the documents."""
        source = GivenSource.of({"id": str(n), "text": said} for n, said in enumerate(texts) if said)
        submit_sources(self.runtime, self.tracker, [source])
        work_off(self.runtime, self.tracker)

    def remove(self, *uris: str) -> None:
        """These documents leave, and nobody claims them."""
        job = self.tracker.create_job(f"removal {uris}")
        with self.runtime.database.write() as connection:
            ids = list(connection.execute(select(document.c.id).where(document.c.uri.in_(uris))).scalars())
            claims.end_claims(connection, claims.of_anybody, ids, job_id=job, max_attempts=3)
        work_through(self.runtime, [BatchMessage(stages.last(), tuple(self.tracker.queue(job=job)))])

    def search(self, query: str = QUESTION, **how: Any) -> SearchResult:
        whole: dict[str, Any] = {"collection": "c", "top_k": 3, "mode": "hybrid", "rank": True, **how}
        return searching.search(self.runtime, query, **whole)

    def ask(self, question: str = QUESTION, **how: Any) -> asking.Reply:
        whole: dict[str, Any] = {"collection": "c", "rank": True, **how}
        return asking.ask(self.runtime, question, **whole)

    @property
    def calls(self) -> int:
        return len(self.script.prompts)

    def age(self, minutes: float) -> None:
        """Let everything that is kept be so much older."""
        with self.runtime.database.write() as connection:
            connection.execute(update(kept_answer).values(created_at=kept_answer.c.created_at - 60 * minutes))


@pytest.fixture
def script() -> Scripted:
    return Scripted(say)


@contextmanager
def opened(settings: Settings) -> Iterator[WorkerRuntime]:
    with Presence(settings.home_path / "run") as presence:
        runtime = WorkerRuntime(settings, process_id=presence.id)
        yield runtime
        runtime.close()


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with twelve documents, to be copied."""
    settings = Settings(home=tmp_path_factory.mktemp("twelve"))
    place_migrated(settings.home_path / "tracking.db")
    with opened(settings) as runtime:
        create_collection(runtime, "c", embedding="hash")
        Indexed(runtime, Scripted(say)).write(*TEXTS)
    return settings.home_path


@pytest.fixture
def indexed(settings: Settings, twelve: Path, script: Scripted, monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexed]:
    shutil.copytree(twelve, settings.home_path, dirs_exist_ok=True)
    with opened(settings) as runtime:
        monkeypatch.setattr(runtime, "model", lambda name: ScriptedModel(script, name.partition("/")[2]))
        yield Indexed(runtime, script)


def same(found: SearchResult) -> SearchResult:
    """A result without what differs from time to time."""
    return replace(found, id=None, timings={}, steps=[], cached=False)


def test_a_search_that_is_repeated_asks_nobody(indexed: Indexed) -> None:
    first = indexed.search()
    asked = indexed.calls
    again = indexed.search()
    assert (first.cached, again.cached) == (False, True)
    assert same(again) == same(first)
    assert indexed.calls == asked > 0
    assert sum(step.calls + step.tokens for step in again.steps) == 0
    assert sum(step.saved_usd for step in again.steps) == pytest.approx(sum(step.usd for step in first.steps))
    assert first.id != again.id


def test_an_answer_that_is_repeated_asks_nobody(indexed: Indexed) -> None:
    first = indexed.ask()
    asked = indexed.calls
    again = indexed.ask()
    assert (first.cached, again.cached, again.answer) == (False, True, first.answer)
    assert again.claims == first.claims
    assert (indexed.calls, again.spend.calls, again.spend.usd) == (asked, 0, 0.0)
    assert first.spend.usd > 0


def test_what_is_explained_of_it_is_what_it_costs_now(indexed: Indexed) -> None:
    for ask, view in ((indexed.search, View(explain=True)), (indexed.ask, replace(EVERY_SAYING, explain=True))):
        first, again = ask(view=view), ask(view=view)
        assert again.cached
        assert ask(view=replace(view, explain=False)).explanation is None
        told, before = again.explanation, first.explanation
        assert told and before
        assert sum(stage.usd for stage in before.stages) > sum(stage.usd for stage in told.stages) == 0
        assert [stage.change for stage in told.stages] == [stage.change for stage in before.stages]
        assert told.hits == before.hits


def test_what_is_kept_is_explained_without_paying_again(indexed: Indexed) -> None:
    for ask, view in ((indexed.search, View()), (indexed.ask, EVERY_SAYING)):
        assert ask(view=view).explanation is None
        asked = indexed.calls
        again = ask(view=replace(view, explain=True))
        assert (again.cached, indexed.calls) == (True, asked)
        told = again.explanation
        assert told
        assert next(stage.change for stage in told.stages if stage.name == "rank")
        assert [hit.ranks["rank"] for hit in told.hits][:3] == [1, 2, 3]


def test_a_result_that_was_kept_without_an_explanation_tells_its_steps(indexed: Indexed) -> None:
    def forget(found: SearchResult) -> SearchResult:
        return replace(found, explanation=None)

    found = RESULT.as_kept(forget(indexed.search(view=View(explain=True))), 1.0)
    assert found.explanation is not None
    assert {stage.name for stage in found.explanation.stages} == {step.name for step in found.steps}
    assert not found.explanation.hits


def test_a_step_whose_grades_were_kept_says_so(indexed: Indexed, capsys: pytest.CaptureFixture[str]) -> None:
    indexed.search()
    print_explanation(indexed.search(top_k=2, view=View(explain=True)).explanation)
    noted = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "12 kept from before" in line]
    assert noted == ["filter", "rank"]


def test_an_answer_goes_by_the_result_of_the_same_search(indexed: Indexed) -> None:
    indexed.search(top_k=asking.READ, view=EVERY_SAYING)
    asked = indexed.calls
    assert indexed.ask().answered
    assert indexed.calls == asked + 1


@pytest.mark.parametrize("ask", [Indexed.search, Indexed.ask], ids=["search", "ask"])
@pytest.mark.parametrize(
    "write",
    [
        lambda indexed: indexed.write("Stack 3 is wet, and nobody knows why.", *TEXTS[1:]),
        lambda indexed: indexed.write(*TEXTS, "Stack 3 is wet because it rains."),
        lambda indexed: indexed.remove("3"),
        lambda indexed: indexed.remove("11"),
    ],
    ids=["a document that changes", "a new one", "one that goes", "one that was no hit"],
)
def test_any_write_acts_on_the_very_next_query(indexed: Indexed, ask: Ask, write: Callable[[Indexed], None]) -> None:
    assert not ask(indexed).cached
    assert ask(indexed).cached
    write(indexed)
    assert not ask(indexed).cached
    assert ask(indexed).cached


def test_of_a_document_that_is_gone_nothing_is_shown(indexed: Indexed) -> None:
    for ask in (indexed.search, indexed.ask):
        assert TEXTS[3] in str(ask())
    indexed.remove("3")
    for ask in (indexed.search, indexed.ask):
        assert TEXTS[3] not in str(ask())


@pytest.mark.parametrize(
    "how",
    [
        {"top_k": 2},
        {"mode": "dense"},
        {"where": 'uri != "5"'},
        {"view": View(context=1)},
        {"view": View(fold=False)},
        {"expand": True},
        {"decompose": True},
        {"query": "why is stack 4 wet?"},
    ],
    ids=str,
)
def test_with_anything_else_it_is_another_question(indexed: Indexed, how: dict[str, Any]) -> None:
    indexed.search()
    assert not indexed.search(**how).cached
    assert indexed.search().cached


@pytest.mark.parametrize(
    "change",
    [
        {"domain": "Roofs"},
        {"rank_model": "anthropic/claude-opus-5-5"},
        {"fast_model": "off"},
        {"similarity_weight": 0.5},
        {"candidates": 30},
    ],
    ids=str,
)
def test_what_a_collection_says_of_its_stages_counts(indexed: Indexed, change: dict[str, Any]) -> None:
    indexed.ask()
    update_collection(indexed.runtime, "c", **change)
    assert not indexed.ask().cached


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VERSION", "another"),
        ("EVERYTHING", "one"),
        ("get_reading_order", lambda *_: ReadingOrder(("v1-000", "v1-001"))),
    ],
)
def test_the_cutter_of_words_the_rights_of_the_caller_and_the_shards_count(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    indexed.search()
    monkeypatch.setattr(keeping, name, value)
    assert not indexed.search().cached


def test_what_is_left_out_is_not_kept(indexed: Indexed) -> None:
    indexed.script.say = lambda *_: answer("", Stop.REFUSAL)
    assert indexed.search().degraded
    assert indexed.ask().degraded
    indexed.script.say = say
    for found in (indexed.search(), indexed.ask()):
        assert not (found.cached or found.degraded)


def test_a_partial_judgement_is_not_kept(indexed: Indexed) -> None:
    def judge_one(shown: Sequence[tuple[str, str]], prompt: Prompt) -> str:
        return say(shown[:1] if prompt.schema_name == "grades" else shown, prompt)

    indexed.script.say = judge_one
    found = indexed.search()
    assert found.degraded
    (remark,) = found.remarks
    assert remark.startswith("rank: ")
    assert "were not judged" in remark, "it ran, and that is said once"
    assert not indexed.search().cached


def test_an_answer_that_was_cut_is_not_kept(indexed: Indexed) -> None:
    def cut(shown: Sequence[tuple[str, str]], prompt: Prompt) -> "str | ModelAnswer":
        whole = say(shown, prompt)
        if prompt.schema_name in ("scores", "grades"):
            return whole
        more = whole.replace("]}]}", ']}, {"text": "And it r')
        return answer(more, Stop.MAX_TOKENS)

    indexed.script.say = cut
    assert indexed.ask().cut
    assert not indexed.ask().cached


def test_a_result_is_kept_for_an_hour_and_grades_for_a_day(indexed: Indexed) -> None:
    indexed.search()
    asked = indexed.calls
    indexed.age(59)
    assert indexed.search().cached
    indexed.age(2)
    assert not indexed.search().cached
    assert indexed.calls == asked, "the grades are known"
    indexed.age(24 * 60)
    assert not indexed.search().cached
    assert indexed.calls == 2 * asked


def test_nothing_is_kept_where_the_settings_keep_nothing(indexed: Indexed) -> None:
    runtime = indexed.runtime
    runtime.settings = runtime.settings.model_copy(update={"cache_result_minutes": 0.0, "cache_grade_hours": 0.0})
    indexed.search()
    asked = indexed.calls
    assert not indexed.search().cached
    assert indexed.calls == 2 * asked
    with runtime.database.read() as connection:
        assert measure_kept(connection) == {}


def test_without_the_cache_everything_is_asked_again_and_nothing_kept(indexed: Indexed) -> None:
    indexed.ask(cache=False)
    asked = indexed.calls
    assert not indexed.ask(cache=False).cached
    assert indexed.calls == 2 * asked
    assert not indexed.ask().cached


def test_a_search_without_models_is_not_kept(indexed: Indexed) -> None:
    assert not indexed.search(rank=False).cached
    assert not indexed.search(rank=False).cached
    assert not indexed.ask(rank=False).cached
    with indexed.runtime.database.read() as connection:
        assert measure_kept(connection) == {}


def test_what_is_kept_says_nothing_to_who_does_not_know_the_question(indexed: Indexed) -> None:
    indexed.ask()
    with closing(sqlite3.connect(indexed.runtime.home / "tracking.db")) as file:
        contents = [row[0] for row in file.execute("SELECT content FROM kept_answer")]
    assert len(contents) > 2
    assert not any(word in content for content in contents for word in (b"stack", b"drain", b"wet", b"score"))


def test_what_is_damaged_is_asked_again(indexed: Indexed) -> None:
    indexed.search()
    asked = indexed.calls
    with indexed.runtime.database.write() as connection:
        connection.execute(update(kept_answer).values(content=b"damaged"))
    assert not indexed.search().cached
    assert indexed.calls == 2 * asked
    assert indexed.search().cached


def test_what_was_saved_is_told_by_the_ledger_the_caches_and_the_records(indexed: Indexed) -> None:
    first = indexed.ask()
    indexed.ask()
    indexed.search(top_k=asking.READ, view=EVERY_SAYING)
    kinds = show_caches(indexed.runtime).kinds
    assert (kinds["answer"].hits, kinds["result"].hits) == (1, 1)
    assert kinds["answer"].saved_usd == pytest.approx(first.spend.usd, abs=1e-5)
    assert kinds["answer"].saved_tokens == sum(step.tokens for step in first.steps)
    assert (kinds["answer"].misses, kinds["result"].misses, kinds["grade"].entries) == (1, 1, 24)
    report = sum_spend(indexed.runtime, "operation")
    saved = {row.key: row.saved.cache_usd for row in report.rows}
    assert saved["answer"] == pytest.approx(first.spend.usd, abs=1e-5)
    assert saved["result"] > 0
    (day,) = measure_queries(indexed.runtime).days
    assert (day.queries, day.calls) == (3, first.spend.calls)
    assert day.cached == sum(kind.hits for kind in kinds.values()) == report.total.cached == 2
    assert day.saved_usd == pytest.approx(report.total.saved.cache_usd, abs=1e-5)


def test_grades_that_are_known_are_counted_with_what_they_had_cost(indexed: Indexed) -> None:
    first = indexed.search()
    found = indexed.search(top_k=2)
    told = {step.name: step for step in found.steps}
    assert (told["filter"].cached, told["rank"].cached, told["rank"].calls) == (12, 12, 0)
    paid = sum(step.usd for step in first.steps)
    assert told["filter"].saved_usd + told["rank"].saved_usd == pytest.approx(paid, rel=0.01)


def test_what_readers_no_longer_see_is_forgotten(indexed: Indexed) -> None:
    def kept() -> dict[str, int]:
        with indexed.runtime.database.read() as connection:
            return {kind: size.entries for kind, size in measure_kept(connection).items()}

    indexed.ask()
    assert kept() == {"grade": 24, "result": 1, "answer": 1}
    indexed.remove("11")
    assert {"result", "answer"} <= prune_caches(indexed.runtime).evicted.keys()
    assert kept() == {"grade": 24}
    indexed.ask()
    indexed.write(*TEXTS)
    indexed.search()
    assert kept()["result"] == 1, "what is kept takes the place of what was left behind"
    assert clear_answers(indexed.runtime).evicted.keys() <= set(KEPT_KINDS)
    assert kept() == {}


def test_the_oldest_go_where_there_is_no_more_room(indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed.search("why is stack 1 wet?")
    with indexed.runtime.database.read() as connection:
        room = sum(size.bytes for size in measure_kept(connection).values())
    monkeypatch.setattr(keeping, "MEBIBYTE", 2 * room / 64)
    for n in range(8):
        indexed.search(f"why is stack {n} wet?")
    assert indexed.search("why is stack 7 wet?").cached
    assert not indexed.search("why is stack 0 wet?").cached
    with indexed.runtime.database.read() as connection:
        assert sum(size.bytes for size in measure_kept(connection).values()) <= 2 * room


def test_a_home_that_cannot_be_written_answers_all_the_same(indexed: Indexed) -> None:
    indexed.search()
    indexed.runtime.database.freeze()
    with read_as_they_stand():
        assert indexed.search().cached


def test_a_database_that_refuses_costs_a_call_and_no_answer(indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ProviderUnavailable("no")

    monkeypatch.setattr(keeping, "find_kept", fail)
    monkeypatch.setattr(keeping, "store_kept", fail)
    assert indexed.ask().answered


READERS = [
    Principal("ann", Role.VIEWER, None, frozenset({"internal"})),
    Principal("zoe", Role.VIEWER, None, frozenset({"internal"})),
    Principal("zoe", Role.VIEWER, None, frozenset({"internal", "secret"})),
    Principal("zoe", Role.VIEWER, frozenset({"c"})),
]


def test_nothing_that_was_kept_for_somebody_tells_another_who_reaches_something_else(indexed: Indexed) -> None:
    indexed.search()
    assert indexed.search().cached
    for reader in READERS:
        with indexed.runtime.acting_for(reader):
            before = indexed.calls
            first = indexed.search()
            assert not first.cached
            assert not any(step.cached for step in first.steps), "grades of passages are not told either"
            assert indexed.calls > before
            assert indexed.search().cached


def test_those_who_reach_the_same_share_what_was_kept(indexed: Indexed) -> None:
    for name in ("ann", "zoe"):
        with indexed.runtime.acting_for(Principal(name, Role.VIEWER, frozenset({"c"}))):
            assert indexed.search().cached is (name == "zoe")


def at_once(*asked: Callable[[], Any]) -> list[Any]:
    """What several who ask at the same moment are told."""
    with ThreadPoolExecutor(len(asked)) as threads:
        return [answer.result() for answer in [threads.submit(ask) for ask in asked]]


@pytest.mark.parametrize("door", ["search", "ask"])
def test_what_two_ask_at_once_is_paid_once(
    indexed: Indexed, settings: Settings, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, held = threading.Event(), indexed.script.say

    def slowly(shown: Sequence[tuple[str, str]], prompt: Prompt) -> Any:
        assert waiting.wait(30), "the other one never waited"
        return held(shown, prompt)

    indexed.script.say = slowly
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: waiting.set()))
    with opened(settings) as other:
        monkeypatch.setattr(other, "model", lambda name: ScriptedModel(indexed.script, name.partition("/")[2]))
        one, two = at_once(getattr(indexed, door), getattr(Indexed(other, indexed.script), door))
    assert sorted([one.cached, two.cached]) == [False, True]
    asked = indexed.calls
    clear_answers(indexed.runtime)
    assert not getattr(indexed, door)().cached
    assert indexed.calls == 2 * asked, "as many as one alone"
    assert indexed.tracker.rows(chore) == []


@pytest.mark.parametrize("maker", ["gone", "lapsed"])
def test_nobody_waits_for_one_who_ended_in_the_midst(
    indexed: Indexed, maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Presence(indexed.runtime.run_folder) as presence:
        dead = presence.id
    holder, until = (dead, time.time() + 1000) if maker == "gone" else ("another-host-1-aa", time.time() - 1)
    begin = kept_answers.begin_making

    def after_another(connection: Any, *, address: str, **how: Any) -> bool:
        values = {"name": kept_answers.MAKING + address, "holder": holder, "lease_until": until}
        connection.execute(chore.insert().values(values))
        return begin(connection, address, **how)

    monkeypatch.setattr(turns, "begin_making", after_another)
    assert not indexed.search().cached
    assert indexed.tracker.rows(chore) == []


def test_one_who_takes_too_long_is_waited_for_no_longer_than_a_question_may_take(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(0, 10**9, 3600))
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: float(next(hours)), sleep=lambda _: None))
    monkeypatch.setattr(turns, "begin_making", lambda *_, **__: False)
    assert not indexed.search().cached


def test_the_leases_of_those_who_ended_are_removed(indexed: Indexed) -> None:
    rows = [("answer-1", -1), ("answer-2", 60), ("schedule-1", -1)]
    with indexed.runtime.database.write() as connection:
        connection.execute(
            chore.insert(), [{"name": n, "holder": "h", "lease_until": time.time() + left} for n, left in rows]
        )
        assert kept_answers.forget_makers(connection) == 1
    assert [row["name"] for row in indexed.tracker.rows(chore)] == ["answer-2", "schedule-1"]
