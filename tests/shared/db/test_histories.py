"""The history of one document: found by any of its names, with what stands in its way now and what it cost."""

from typing import Any

import pytest
from sqlalchemy import text

from embedmill.shared.addresses import document_id
from embedmill.shared.db import catalogue, histories, named
from embedmill.shared.db.histories import History
from embedmill.shared.db.schema import document, work
from embedmill.shared.errors import NotFound, UnreadableDocument, UserError
from embedmill.shared.outcomes import Advance, Complete, Fail
from embedmill.shared.states import Result
from tests.shared.db.tracker import Tracker, submission

URI = "file:///a"
ID = submission(URI).document_id


def find(tracker: Tracker, *names: str, collection: str | None = None) -> str:
    with tracker.database.read() as connection:
        return str(named.find_document(connection, names, collection=collection)[0].id)


def read(tracker: Tracker) -> tuple[History, str | None]:
    """The history, and what stands in the way."""
    with tracker.database.read() as connection:
        row, _ = named.find_document(connection, [ID])
        history = histories.read_history(connection, ID)
        state = catalogue.state_of(row, catalogue.find_newest_work(connection, [ID]).get(ID))
        return history, histories.last_error(state, history)


def test_a_document_is_found_by_its_id_and_by_its_uri(tracker: Tracker) -> None:
    tracker.submit([URI])
    assert (
        find(tracker, ID) == find(tracker, URI) == find(tracker, "a", URI) == find(tracker, URI, collection="default")
    )
    with pytest.raises(NotFound, match="file:///b"):
        find(tracker, "file:///b")
    with pytest.raises(NotFound):
        find(tracker, URI, collection="nowhere")


def test_a_uri_of_several_collections_asks_for_one(tracker: Tracker) -> None:
    tracker.submit([URI])
    other = tracker.create_collection("other")
    with tracker.database.write() as connection:
        columns = [c.name for c in document.c if c.name not in ("id", "collection_id")]
        listed = ", ".join(columns)
        connection.execute(
            text(f"INSERT INTO document (id, collection_id, {listed}) SELECT :id, :other, {listed} FROM document"),
            {"id": document_id("other", URI), "other": other.id},
        )
    with pytest.raises(UserError, match="default, other"):
        find(tracker, URI)
    assert find(tracker, URI, collection="default") == ID


def test_an_error_is_shown_while_it_is_true(tracker: Tracker) -> None:
    claim = tracker.take([URI])
    assert read(tracker)[1] is None
    tracker.settle(claim, Fail(RuntimeError("odd")))
    assert "RuntimeError" in str(read(tracker)[1])
    id_ = claim.items[0].id
    tracker.write(id_, available_at=0)
    again = tracker.claim(tracker.queue())
    tracker.settle(again, Advance("index", {"chunks_expected": 1}))
    assert read(tracker)[1] is None
    last = tracker.claim([id_], "index")
    tracker.settle(last, Fail(UnreadableDocument("torn")))
    assert read(tracker)[1] == "UnreadableDocument: torn"


def test_attempts_letters_and_times_by_stage_are_those_of_the_document(tracker: Tracker) -> None:
    tracker.submit([URI, "file:///b"])
    claim = tracker.claim(tracker.queue())
    tracker.settle(claim, Advance("index", {"chunks_expected": 1}))
    last = tracker.claim([item.id for item in claim.items], "index")
    tracker.switch(last)
    tracker.settle(last, Complete(Result.INDEXED))
    history, _ = read(tracker)
    assert [(row["stage"], row["outcome"]) for row in history.attempts] == [("index", "ok"), ("chunk", "ok")]
    assert [(row["stage"], row["attempts"]) for row in histories.sum_stages(history)] == [("chunk", 1), ("index", 1)]
    assert all(row["seconds"] >= 0 for row in histories.sum_stages(history))
    assert history.letters == []


def test_what_a_document_cost_is_its_share_of_the_calls_that_named_it(tracker: Tracker) -> None:
    claim = tracker.take([URI])
    tracker.settle(claim, Advance("index", {"chunks_expected": 1}))
    calls: list[dict[str, Any]] = [
        {"documents": f'["{ID}", "other"]', "cost": 1000, "job": tracker.job},
        {"documents": f'["{ID}"]', "cost": 10, "job": tracker.job},
        {"documents": '["other"]', "cost": 7777, "job": tracker.job},
        {"documents": f'["{ID}"]', "cost": 8888, "job": tracker.create_job("second")},
    ]
    statement = text(
        "INSERT INTO usage (job_id, documents, provider, model, operation, state, inputs, cached, tokens_in, "
        "tokens_out, price, cost_microusd, created_at, settled_at) "
        "SELECT :job, :documents, 'p', 'm', 'embed', 'settled', 1, 0, 100, 0, 'x', :cost, started_at, 1 FROM attempt"
    )
    with tracker.database.write() as connection:
        for call in calls:
            connection.execute(statement, call)
    history, _ = read(tracker)
    with tracker.database.read() as connection:
        cost = histories.measure_cost(connection, ID, history)
    assert (cost.calls, cost.usd, cost.tokens_in) == (2, 0.00051, 150.0)


def test_a_long_history_is_bounded(tracker: Tracker) -> None:
    for n in range(histories.MOST_WORK + 3):
        tracker.submit([URI], text=f"text {n}", job=tracker.create_job(f"job {n}"))
    history, _ = read(tracker)
    assert len(history.work) == histories.MOST_WORK
    assert history.work[0]["id"] == max(row["id"] for row in tracker.rows(work))
