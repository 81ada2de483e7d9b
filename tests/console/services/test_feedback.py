"""What queries leave behind, what readers say of their hits, and what both add up to."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text, update

from embedmill.console.services import asking, searching
from embedmill.console.services.collections import create_collection, update_collection
from embedmill.console.services.feedback import add_feedback, export_feedback, report_feedback
from embedmill.console.services.judgements import read_judgements, read_queries
from embedmill.console.services.query_stats import measure_queries
from embedmill.console.services.searching import Query
from embedmill.producers.sources.given import GivenSource
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.staged import Judge
from embedmill.retrieval.hits import SearchResult
from embedmill.retrieval.view import View
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.installation import name_installation
from embedmill.shared.db.query_records import hash_query
from embedmill.shared.db.schema import query_record
from embedmill.shared.errors import NotFound, UsageError
from embedmill.shared.metering import FreeMeter
from embedmill.shared.presence import Presence
from embedmill.shared.prompts import load_prompt
from embedmill.shared.providers.models.base import Prompt
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.workers.chores.cleaner import forget_queries
from embedmill.workers.runtime import WorkerRuntime
from tests.logs import captured_logs
from tests.migrated import place_migrated
from tests.retrieval.grading.judge import Scripted, ScriptedModel, grades
from tests.shared.db.tracker import Tracker
from tests.workers.working import submit_sources, work_off

DAY = 86_400.0
TEXTS = ["A blocked roof drain made stack 2 wet.", "The pump is in room 7.", "Letters are kept for ten years."]


@pytest.fixture
def runtime(settings: Settings) -> Iterator[WorkerRuntime]:
    """A worker's, which can index, too."""
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        yield opened
        opened.close()


@pytest.fixture
def indexed(runtime: WorkerRuntime, tracker: Tracker) -> WorkerRuntime:
    """Three documents in the collection `c`."""
    create_collection(runtime, "c", embedding="hash")
    tracker.collection = runtime.database.query(lambda connection: get_collection(connection, "c"))
    submit_sources(runtime, tracker, [GivenSource.of({"id": str(n), "text": said} for n, said in enumerate(TEXTS))])
    work_off(runtime, tracker)
    return runtime


def find(runtime: Runtime, query: str = "wet stack", **how: Any) -> SearchResult:
    whole: dict[str, Any] = {"top_k": 2, "mode": "hybrid", **how}
    return searching.search(runtime, query, collection="c", **whole)


def records(runtime: Runtime) -> list[Mapping[str, Any]]:
    runtime.query_log.flush()
    with runtime.database.read() as connection:
        return [dict(row) for row in connection.execute(select(query_record)).mappings()]


def test_a_query_leaves_its_numbers_and_none_of_its_words(indexed: WorkerRuntime) -> None:
    found = find(indexed, "wet stack", where='uri = "0"')
    (record,) = records(indexed)
    assert record["id"] == found.id
    assert (record["door"], record["mode"], record["filtered"], record["ranked"]) == ("search", "hybrid", True, False)
    assert (record["hits"], record["relevance"]) == (len(found.hits), found.relevance)
    assert record["shown"] == [f"{hit.document}/{hit.chunk}" for hit in found.hits]
    assert record["seconds"] == pytest.approx(found.timings["total"] / 1000)
    assert record["steps"] == {s.name: [s.seconds, s.given, s.out, 0] for s in found.steps if s.ran}
    assert record["models"] == {"embed": {"model": indexed.embedder("hash").name, "prompt": ""}}
    assert abs(record["created_at"] - time.time()) < 60
    assert record["text"] is None
    for path in indexed.home.glob("tracking.db*"):
        assert b"wet stack" not in path.read_bytes()


def test_the_same_words_have_the_same_hash_under_the_key_of_an_installation_alone(indexed: WorkerRuntime) -> None:
    for said in ("Wet  Stack", "wet stack", "wet stacks"):
        find(indexed, said)
    first, again, other = (record["hash"] for record in records(indexed))
    assert first == again != other
    assert hash_query("wet stack", indexed.keys.derive("query")) == first != hash_query("wet stack", b"another")


def test_a_home_of_an_older_release_goes_on_with_its_own_key(indexed: WorkerRuntime) -> None:
    with indexed.database.write() as connection:
        name_installation(connection)
        connection.execute(text("UPDATE installation SET query_key = :key"), {"key": "ab" * 32})
    find(indexed, "wet stack")
    (record,) = records(indexed)
    assert record["hash"] == hash_query("wet stack", bytes.fromhex("ab" * 32))


def test_a_question_leaves_one_record_with_the_step_of_its_answer(indexed: WorkerRuntime) -> None:
    reply = asking.ask(indexed, "Why was stack 2 wet?", collection="c", rank=False)
    (record,) = records(indexed)
    assert (record["id"], record["door"]) == (reply.id, "ask")


def test_models_that_took_part_are_told_with_their_prompts_and_what_they_made_up_is_counted(
    indexed: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(shown: Sequence[tuple[str, str]], prompt: Prompt) -> str:
        if prompt.schema_name == "grades":
            quotes = [*(said for _, said in shown[:1]), *("it is made of gold" for _ in shown[1:])]
            return grades([{"id": id_, "quote": q, "score": 5} for (id_, _), q in zip(shown, quotes, strict=True)])
        return '{"claims": [{"text": "It is gold.", "quotes": []}]}'

    judge = Judge(ScriptedModel(Scripted(say)), FreeMeter())
    judges = Judges(rank=judge, answer=judge)
    monkeypatch.setattr(searching, "open_judges", lambda *_: judges)
    found = find(indexed, rank=True)
    assert found.faults == {"fabricated": 2}
    asking.ask(indexed, "wet stack?", collection="c", rank=True)
    searched, asked = sorted(records(indexed), key=lambda record: record["door"], reverse=True)
    assert (searched["ranked"], searched["faults"], searched["hallucinations"]) == (True, {"fabricated": 2}, 2)
    assert searched["models"]["rank"] == {
        "model": "anthropic/judge",
        "prompt": load_prompt("embedmill.retrieval.grading", "rank").hash,
    }
    assert asked["models"]["answer"]["prompt"] == load_prompt("embedmill.retrieval.answering", "answer").hash
    assert asked["faults"] == {"fabricated": 2, "no_quote": 1}


def test_each_of_many_queries_leaves_a_record_under_an_id_of_its_own(indexed: WorkerRuntime) -> None:
    queries = (Query(n, f"stack {n}") for n in range(30))
    answers = list(searching.search_each(indexed, queries, collection="c", top_k=1, mode="lexical"))
    assert [answer.id for answer in answers] == list(range(30))
    assert {answer.result for answer in answers} == {record["id"] for record in records(indexed)}


def test_texts_are_kept_where_the_collection_says_so_and_forgotten_when_it_no_longer_does(
    indexed: WorkerRuntime,
) -> None:
    update_collection(indexed, "c", keep_queries=True)
    find(indexed, "wet \0 st\ud83dack")
    (record,) = records(indexed)
    assert record["text"] == "wet  st?ack"
    update_collection(indexed, "c", chunk_tokens=200)
    assert records(indexed)[0]["text"] == "wet  st?ack"
    update_collection(indexed, "c", keep_queries=False)
    assert records(indexed)[0]["text"] is None


def test_where_records_are_off_results_have_no_id(
    indexed: WorkerRuntime, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexed, "settings", settings.model_copy(update={"record_queries": False}))
    assert find(indexed).id is None
    assert not records(indexed)


def test_a_database_that_takes_no_record_changes_no_answer(indexed: WorkerRuntime) -> None:
    with indexed.database.write() as connection:
        connection.execute(text("DROP TABLE feedback"))
        connection.execute(text("DROP TABLE query_record"))
    with captured_logs() as logged:
        assert find(indexed).hits
        indexed.query_log.flush()
    assert [event["event"] for event in logged] == ["queries.not_recorded"]
    assert "wet" not in str(logged)


def test_what_was_said_of_a_hit_is_replaced_by_what_is_said_of_it_later(indexed: WorkerRuntime) -> None:
    found = find(indexed)
    hit = found.hits[0]
    said = add_feedback(indexed, str(found.id), hit.chunk, helpful=False, why="too wet")
    assert (said.document, said.uri, said.text) == (hit.document, hit.uri, None)
    report = report_feedback(indexed, collection="c")
    assert (report.queries, report.judged, report.helpful, report.not_helpful) == (1, 1, 0, 1)
    assert [(row.query, row.whys) for row in report.worst] == [(said.query, ["too wet"])]
    add_feedback(indexed, "last", "1", helpful=True)
    report = report_feedback(indexed)
    assert (report.helpful, report.not_helpful, report.worst) == (1, 0, [])


def test_a_hit_goes_by_its_rank_on_a_later_page_too(indexed: WorkerRuntime) -> None:
    page = find(indexed, top_k=1, view=View(offset=1))
    assert add_feedback(indexed, "last", "2", helpful=True).document == page.hits[0].document
    with pytest.raises(NotFound, match="no hit '1'"):
        add_feedback(indexed, "last", "1", helpful=True)


def test_results_and_hits_that_there_are_not_are_named(indexed: WorkerRuntime) -> None:
    with pytest.raises(NotFound, match="no query is recorded"):
        add_feedback(indexed, "last", "1", helpful=True)
    find(indexed)
    with pytest.raises(NotFound, match="no result 'abc'"):
        add_feedback(indexed, "abc", "1", helpful=True)
    with pytest.raises(NotFound, match="no hit 'abc'"):
        add_feedback(indexed, "last", "abc", helpful=True)


def test_a_chunk_of_several_documents_is_asked_for_by_its_document(indexed: WorkerRuntime) -> None:
    find(indexed)
    records(indexed)
    with indexed.database.write() as connection:
        connection.execute(update(query_record).values(shown=["a/x", "b/x"]))
    with pytest.raises(UsageError, match="several documents"):
        add_feedback(indexed, "last", "x", helpful=True)
    assert add_feedback(indexed, "last", "b/x", helpful=True).document == "b"


def test_what_is_exported_is_what_eval_takes_and_the_majority_s(indexed: WorkerRuntime, tmp_path: Path) -> None:
    find(indexed, "unkept")
    add_feedback(indexed, "last", "1", helpful=True)
    update_collection(indexed, "c", keep_queries=True)
    for helpful in (True, False, False):
        found = find(indexed)
        add_feedback(indexed, "last", "1", helpful=helpful)
        add_feedback(indexed, "last", "2", helpful=True)
    exported = export_feedback(indexed, "c")
    assert exported.left_out == 1
    first, second = (hit.document for hit in found.hits)
    for name, rows in (("queries", exported.queries), ("qrels", exported.judgements)):
        lines = (orjson.dumps(row) for row in rows)
        (tmp_path / name).write_bytes(b"\n".join(lines))
    ((id_, said),) = read_queries(tmp_path / "queries").items()
    assert said == "wet stack"
    judged = {(row.query, row.document): row.relevance for row in read_judgements(tmp_path / "qrels")}
    assert judged == {(id_, first): 0, (id_, second): 1}


def test_statistics_are_by_day_and_collection(indexed: WorkerRuntime) -> None:
    for _ in range(4):
        find(indexed)
    changes: list[dict[str, Any]] = [
        {"seconds": 1.0, "relevance": "none", "calls": 2, "cost_microusd": 1500, "steps": {"embed": [0.5, 1, 1, 2]}},
        {"seconds": 3.0, "relevance": "good", "degraded": True, "hallucinations": 3, "steps": {"embed": [1.5, 1, 1]}},
        {"seconds": 9.0, "relevance": None, "created_at": time.time() - DAY, "steps": {}},
        {"created_at": time.time() - 3 * DAY},
    ]
    recorded = records(indexed)
    with indexed.database.write() as connection:
        for record, changed in zip(recorded, changes, strict=True):
            connection.execute(update(query_record).where(query_record.c.id == record["id"]).values(changed))
    today, before = measure_queries(indexed, days=2).days
    assert (today.queries, today.no_match, today.degraded) == (2, 0.5, 0.5)
    assert (today.calls, today.usd, today.unpriced_calls, today.hallucinations) == (2, 0.0015, 2, 3)
    assert (today.seconds.p50, today.steps["embed"].p50, today.steps["embed"].count) == (2.0, 1.0, 2)
    assert (before.queries, before.no_match, before.seconds.p99, before.steps) == (1, None, 9.0, {})
    assert before.day < today.day
    assert not measure_queries(indexed, collection="default").days


def test_old_records_are_forgotten_and_judged_ones_are_not(indexed: WorkerRuntime) -> None:
    find(indexed, "judged")
    add_feedback(indexed, "last", "1", helpful=True)
    find(indexed, "old")
    records(indexed)
    with indexed.database.write() as connection:
        connection.execute(update(query_record).values(created_at=query_record.c.created_at - 2 * DAY))
    kept = find(indexed, "new").id
    records(indexed)
    assert forget_queries(indexed.database, days=0) == 0
    assert forget_queries(indexed.database, days=1) == 1
    assert len(records(indexed)) == 2
    assert kept in {record["id"] for record in records(indexed)}
