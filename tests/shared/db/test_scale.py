"""A large work table on Postgres: no claim, settlement, dispatch or look at a job reads the whole of it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select, text

from embedmill.shared import stages
from embedmill.shared.db import (
    agenda,
    documents,
    jobs,
    leases,
    queueing,
    rescues,
    scan_notes,
    settlement,
    submitting,
    tallies,
    waits,
)
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import dead_letter, document
from embedmill.shared.db.schema import work as work_table
from embedmill.shared.db.submission import Submission
from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park
from embedmill.shared.states import Result, State
from tests.migrated import place_migrated
from tests.services import postgres
from tests.services.needed import require
from tests.services.postgres import Server
from tests.shared.db.conftest import empty
from tests.shared.db.tracker import RETRY, Tracker, submission

ROWS = 24_000

# A table in every state, as it is in the middle of a large job; made by the server itself, which is quick.
FILL_DOCUMENTS = """
INSERT INTO document (id, collection_id, uri, generation, updated_at)
SELECT md5(n::text), 1, 'file:///' || n, 1, 0 FROM generate_series(1, :rows) AS n
"""
FILL_WORK = """
INSERT INTO work (job_id, document_id, generation, stage, state, max_attempts, size, content_hash, settings_hash,
    version, origin, created_at, finished_at, result, wait_reason, available_at, dispatched_at, reason)
SELECT 1, md5(n::text), 1, CASE WHEN n % 2 = 0 THEN 'index' ELSE 'chunk' END,
    CASE WHEN n % 10 < 5 THEN 'completed' WHEN n % 10 < 8 THEN 'pending' WHEN n % 10 < 9 THEN 'waiting'
        WHEN n % 100 = 99 THEN 'queued' ELSE 'pending' END,
    3, 10, '', '', '', '{}', 0,
    CASE WHEN n % 10 < 5 THEN 1.0 END, CASE WHEN n % 10 < 5 THEN 'indexed' END,
    CASE WHEN n % 10 = 8 THEN 'rate' END, CASE WHEN n % 10 = 8 THEN 4e9 END,
    CASE WHEN n % 100 = 99 THEN extract(epoch FROM now()) END, CASE WHEN n % 10 = 8 THEN 'slow down' END
FROM generate_series(1, :rows) AS n
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server


@pytest.fixture(scope="module")
def large(server: Server) -> Iterator[Tracker]:
    """A job of many documents."""
    empty(server.url)
    database = open_database(server.url)
    tracker = Tracker(database)
    with database.write() as connection:
        connection.execute(text(FILL_DOCUMENTS), {"rows": ROWS})
        connection.execute(text(FILL_WORK), {"rows": ROWS})
    with database.write() as connection:
        tallies.add_up_tallies(connection)
    server.execute("VACUUM ANALYZE")
    # What the planner knows does not depend on when the server looks again.
    for table in ("work", "document"):
        server.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    yield tracker
    database.close()


def plans(database: Database, call: Callable[[Connection], object]) -> list[dict[str, Any]]:
    """The plan of every statement that a call makes, with the call's own parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith("EXPLAIN") and "receipt" not in statement:
            statements.append((statement, parameters))

    with database.write() as connection:
        event.listen(connection, "before_cursor_execute", note)
        call(connection)
        event.remove(connection, "before_cursor_execute", note)
    found = []
    with database.write() as connection:
        for statement, parameters in statements:
            explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            found.append(explained[0]["Plan"] if not isinstance(explained, str) else json.loads(explained)[0]["Plan"])
    return found


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(kind, table) of every sequential scan in a plan."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Node Type"], plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scans(part)


def claim_some(tracker: Tracker, stage: str = "chunk") -> leases.Lease:
    query = select(work_table.c.id).where(work_table.c.state == State.QUEUED, work_table.c.stage == stage).limit(64)
    with tracker.database.write() as connection:
        ids = list(connection.execute(query).scalars())
        assert ids
        return leases.claim(connection, stage, ids, worker="worker", lease_seconds=60.0)


LOOKS: dict[str, Callable[[Connection], object]] = {
    "count_queued": queueing.count_queued,
    "count_ready": lambda c: queueing.count_ready(c, 1, limit=2048),
    "queue_ready": lambda c: queueing.queue_ready(c, 1, limit=2048),
    "requeue_lost": lambda c: queueing.requeue_lost(c, after_seconds=dict.fromkeys(stages.names(), 600.0)),
    "find_leases": leases.find_leases,
    "find_completable": jobs.find_completable,
    "complete_jobs": jobs.complete_jobs,
    "measure_left": lambda c: tallies.measure_left(c, 1),
    "read_agenda": agenda.read_agenda,
    "list_waiting": lambda c: waits.list_waiting(c, jobs.get_job(c, 1)),
    "measure_progress": lambda c: tallies.measure_progress(c, jobs.get_job(c, 1)),
    "count_notes": lambda c: scan_notes.count_notes(c, 1, limit=100),
    "list_notes": lambda c: scan_notes.list_notes(c, 1, limit=1000),
    "claim": lambda c: leases.claim(c, "chunk", list(range(1000, 1256)), worker="w", lease_seconds=60.0),
    "submit_batch": lambda c: submitting.submit_batch(
        c,
        [submission(f"file:///new/{n}") for n in range(200)],
        job_id=1,
        collection_id=1,
        max_attempts=3,
    ),
    "find_read_versions": lambda c: documents.find_read_versions(c, [f"{n:032d}" for n in range(50)]),
}


@pytest.mark.parametrize("name", LOOKS)
def test_no_statement_of_a_large_job_reads_all_work(large: Tracker, name: str) -> None:
    large.end_scan(1)
    found = plans(large.database, LOOKS[name])
    assert found
    assert [scan for plan in found for scan in scans(plan) if scan[1] in ("work", "document")] == []


@pytest.mark.parametrize("kind", ["advance", "complete", "fail", "park", "rescue", "renew", "switch"])
def test_no_end_of_a_claim_reads_all_work(large: Tracker, kind: str) -> None:
    # Others of these tests have taken theirs, in whatever order they run.
    large.queue(job=1, limit=4096)
    claim = claim_some(large)
    ends: dict[str, Callable[[Connection], object]] = {
        "rescue": lambda c: rescues.rescue(c, claim.token),
        "renew": lambda c: leases.renew(c, claim.token, lease_seconds=60.0),
        "switch": lambda c: documents.switch_versions(c, claim.token, [item.id for item in claim.items]),
    }
    by_kind: dict[str, Outcome] = {
        "advance": Advance("embed", {"chunks_expected": 3}),
        "complete": Complete(Result.INDEXED),
        "fail": Fail(UnreadableDocument("torn")),
        "park": Park("rate", 60.0),
    }
    outcomes = {item.id: by_kind[kind] for item in claim.items} if kind in by_kind else {}
    end = ends.get(kind, lambda c: settlement.settle(c, claim, outcomes, retry=RETRY))
    found = plans(large.database, end)
    assert found
    assert [scan for plan in found for scan in scans(plan) if scan[1] in ("work", "document")] == []


def test_counts_of_a_large_job_are_those_of_its_rows(large: Tracker) -> None:
    with large.database.read() as connection:
        query = "SELECT state, count(*) FROM work WHERE job_id = 1 GROUP BY state"
        counted = {row[0]: row[1] for row in connection.execute(text(query))}
    found = large.progress(1)
    active = sum((n for states in found.active.values() for n in states.values()), 0)
    assert found.documents["completed"] == counted["completed"]
    assert active == sum(n for state, n in counted.items() if state not in ("completed", "dead", "cancelled"))


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    with postgres.running_database() as server:
        yield server


@pytest.fixture
def tracker(small: Server) -> Iterator[Tracker]:
    """An empty database beside the large one, which any test may still need."""
    empty(small.url)
    database = open_database(small.url)
    yield Tracker(database)
    database.close()


def race(count: int, call: Callable[[], Any]) -> list[Any]:
    """What `count` threads get that call at the same moment."""
    results: list[Any] = []
    start = Barrier(count)

    def run() -> None:
        start.wait()
        results.append(call())

    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_of_claimers_that_race_for_the_same_message_each_document_goes_to_one(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(200)])
    ids = tracker.queue()
    claims = race(4, lambda: tracker.claim(ids))
    taken = [item.id for claim in claims for item in claim.items]
    assert sorted(taken) == ids
    assert {row["epoch"] for row in tracker.rows()} == {1}


def test_dispatchers_that_race_queue_each_document_once_and_keep_the_limit(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(300)])
    queued = race(4, lambda: tracker.queue(limit=50))
    assert all(len(ids) <= 50 for ids in queued)
    flat = [id_ for ids in queued for id_ in ids]
    assert len(flat) == len(set(flat)) == tracker.states().count(State.QUEUED)


def test_a_claimer_passes_over_what_another_transaction_holds(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(4)])
    ids = tracker.queue()
    with tracker.database.write() as connection:
        connection.execute(select(work_table.c.id).where(work_table.c.id == ids[0]).with_for_update())
        assert [item.id for item in tracker.claim(ids).items] == ids[1:]


def test_tallies_added_up_by_two_at_once_stay_exact(tracker: Tracker) -> None:
    for n in range(40):
        tracker.submit([f"file:///{n}/{m}" for m in range(3)])

    def add_up() -> int:
        with tracker.database.write() as connection:
            return tallies.add_up_tallies(connection)

    assert sum(race(3, add_up)) > 30
    assert tracker.progress().documents["total"] == 120


names = st.sampled_from([f"file:///{n}" for n in range(8)])
batches = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.dictionaries(names, st.sampled_from(["one", "two"]), min_size=1),
        st.sampled_from(["nothing", "index", "bury"]),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=batches)
def test_a_batch_records_the_same_on_a_server_as_row_by_row(
    server: Server, tmp_path_factory: pytest.TempPathFactory, steps: Any
) -> None:
    empty(server.url)
    path = tmp_path_factory.mktemp("rows") / "tracking.db"
    place_migrated(path)
    assert recorded(server.url, steps) == recorded(f"sqlite:///{path}", steps)


def test_a_nul_in_what_a_row_says_of_itself_is_left_out(tracker: Tracker) -> None:
    made = with_text("file:///a", "text")
    metadata = {"a": "x\0\0y", "b": "back\\u0000slash"}
    odd = replace(made, title="a\0b", origin={"kind": "row", "ref": "0:0:0", "metadata": metadata})
    with tracker.database.write() as connection:
        submitting.submit_batch(
            connection, [odd], job_id=tracker.job, collection_id=tracker.collection.id, max_attempts=3
        )
    (row,) = tracker.rows()
    assert row["title"] == "ab"
    assert row["origin"]["metadata"] == {"a": "xy", "b": "back\\u0000slash"}


def recorded(url: str, steps: Any) -> list[Any]:
    database = open_database(url)
    tracker = Tracker(database)
    known = [tracker.job, tracker.create_job("second")]
    counted = []
    for job, texts, then in steps:
        batch = [with_text(uri, body) for uri, body in texts.items()]
        with database.write() as connection:
            done = submitting.submit_batch(
                connection,
                batch,
                job_id=known[job],
                collection_id=tracker.collection.id,
                max_attempts=3,
            )
        counted.append((done.queued, done.unchanged))
        claim = tracker.claim(tracker.queue(job=known[job])) if then != "nothing" else None
        if claim is not None and then == "index":
            tracker.index(claim)
        elif claim is not None:
            tracker.settle(claim, Fail(UnreadableDocument("torn")))
    times = {"created_at", "updated_at", "finished_at", "resolved_at", "dispatched_at", "claimed_at", "lease"}
    # Postgres uses up a number for a row that was there already; only the order of numbers means something.
    place = {row["id"]: n for n, row in enumerate(tracker.rows())}
    rows = [
        [{k: v for k, v in row.items() if k not in times} for row in tracker.rows(document)],
        [{k: v for k, v in row.items() if k not in times} | {"id": place[row["id"]]} for row in tracker.rows()],
        [
            {k: v for k, v in row.items() if k not in times} | {"work_id": place[row["work_id"]]}
            for row in tracker.rows(dead_letter)
        ],
    ]
    unchanged = [tracker.get_job(job).unchanged for job in known]
    database.close()
    return [counted, rows, unchanged]


def with_text(uri: str, body: str) -> Submission:
    return replace(
        submission(uri, body),
        title=f"Ünïcode {uri}",
        origin={"kind": "row", "ref": "0:0:0", "metadata": {"n": 1.5, "deep": {"a": [1, None, True]}}},
    )
