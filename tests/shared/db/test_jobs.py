"""Jobs: pause, resume, cancel, and the one condition under which a job is complete."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from embedmill.shared.db import jobs, pools, queueing, scan_notes, tallies, waits
from embedmill.shared.db.clock import clock
from embedmill.shared.db.opening import open_database
from embedmill.shared.errors import IllegalTransition, NotFound, UnreadableDocument, UsageError, UserError
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park
from embedmill.shared.states import JobState, Result, State
from tests.shared.db.statements import read_plans
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until

URIS = [f"file:///{n}" for n in range(3)]


def test_a_job_completes_only_when_its_scan_and_its_work_have_ended(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    assert tracker.complete_jobs() == []
    tracker.end_scan()
    assert tracker.complete_jobs() == []
    tracker.index(claim)
    assert tracker.complete_jobs() == [tracker.job]
    assert tracker.get_job().state is JobState.COMPLETED


def test_a_number_that_no_database_holds_is_a_wrong_argument(tracker: Tracker) -> None:
    with pytest.raises(UsageError, match="64 bits"):
        tracker.database.query(jobs.get_job, 10**30)


def test_a_job_whose_work_ended_before_its_scan_stays_open(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS))
    assert tracker.complete_jobs() == []


def test_an_empty_scan_completes(tracker: Tracker) -> None:
    tracker.end_scan()
    assert tracker.complete_jobs() == [tracker.job]


def test_a_job_with_dead_letters_completes(tracker: Tracker) -> None:
    tracker.end_scan()
    tracker.settle(tracker.take(URIS), Fail(UnreadableDocument("torn")))
    assert tracker.complete_jobs() == [tracker.job]
    assert tracker.progress().documents["dead"] == 3


def test_pausing_stops_dispatch_and_resuming_lets_everything_go_on(tracker: Tracker) -> None:
    tracker.submit(URIS)
    tracker.queue(limit=1)
    tracker.control("pause_job")
    assert tracker.states() == [State.WAITING] * 3
    assert tracker.queue() == []
    tracker.end_scan()
    assert tracker.complete_jobs() == []
    tracker.control("resume_job")
    assert len(tracker.claim(tracker.queue()).items) == 3


@pytest.mark.parametrize("outcome", [Advance("embed"), Fail(RuntimeError("odd"))], ids=["advance", "retry"])
def test_what_ran_while_its_job_was_paused_is_not_lost(tracker: Tracker, outcome: Outcome) -> None:
    claim = tracker.take(URIS)
    tracker.control("pause_job")
    tracker.settle(claim, outcome)
    tracker.control("resume_job")
    assert len(tracker.queue()) == 3


def test_cancelling_ends_what_waits_now_and_what_runs_later(tracker: Tracker) -> None:
    tracker.submit(URIS)
    claim = tracker.claim(tracker.queue(limit=1))
    tracker.control("cancel_job")
    assert tracker.states() == [State.RUNNING, State.CANCELLED, State.CANCELLED]
    assert tracker.settle(claim, Advance("embed")) == {}
    assert tracker.states() == [State.CANCELLED] * 3
    assert tracker.progress().documents["cancelled"] == 3


def test_what_was_indexed_when_its_job_was_cancelled_counts(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.control("cancel_job")
    tracker.settle(claim, Complete(Result.INDEXED))
    assert tracker.states() == [State.COMPLETED] * 3


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("cancel_job", "resume_job"),
        ("cancel_job", "pause_job"),
        ("cancel_job", "cancel_job"),
        ("pause_job", "pause_job"),
    ],
)
def test_a_job_refuses_what_its_state_does_not_allow(tracker: Tracker, first: str, then: str) -> None:
    tracker.control(first)
    before = tracker.get_job()
    with pytest.raises(IllegalTransition, match="a job cannot go from"):
        tracker.control(then)
    assert tracker.get_job() == before


def test_a_job_that_is_done_cannot_be_resumed(tracker: Tracker) -> None:
    tracker.end_scan()
    tracker.complete_jobs()
    before = tracker.get_job()
    with pytest.raises(IllegalTransition, match="from completed to running"):
        tracker.control("resume_job")
    assert tracker.get_job() == before


def test_a_job_that_ends_while_it_is_paused_is_not_moved_back(tracker: Tracker) -> None:
    tracker.end_scan()
    with ThreadPoolExecutor() as pool:
        with tracker.database.write() as connection:
            assert jobs.complete_jobs(connection) == [tracker.job]
            paused = pool.submit(tracker.control, "pause_job")
            if not tracker.database.is_sqlite:
                wait_until(lambda: tracker.database.query(_waits_for_a_lock), "the other waits for the job")
        with pytest.raises(IllegalTransition, match="from completed to paused"):
            paused.result()
    assert tracker.get_job().state == JobState.COMPLETED


def _waits_for_a_lock(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").first())


def test_an_unknown_job_is_named(tracker: Tracker) -> None:
    with pytest.raises(NotFound, match="no job 999"):
        tracker.control("pause_job", 999)


def test_the_open_job_of_the_same_sources_is_found_and_a_finished_one_is_not(tracker: Tracker) -> None:
    def find() -> jobs.OpenJob:
        with tracker.database.write() as connection:
            return jobs.open_job(
                connection, collection_id=tracker.collection.id, identity="job", sources=[], options={}
            )

    assert find() == jobs.OpenJob(tracker.job, JobState.RUNNING, is_new=False)
    tracker.end_scan()
    tracker.complete_jobs()
    assert find().is_new


def test_the_documents_of_a_finished_job_add_up(tracker: Tracker) -> None:
    claim = tracker.take([f"file:///{n}" for n in range(4)])
    first, second, third, fourth = (item.id for item in claim.items)
    tracker.settle(
        claim,
        {
            first: Complete(Result.INDEXED),
            second: Complete(Result.SKIPPED, "empty"),
            third: Fail(UnreadableDocument("torn")),
            fourth: Complete(Result.INDEXED),
        },
    )
    with tracker.database.write() as connection:
        scan_notes.note_scan(
            connection,
            tracker.job,
            [
                {"kind": "skipped", "uri": "file:///fifo", "line": None, "reason": "a FIFO"},
                {"kind": "problem", "uri": "file:///rows", "line": 3, "reason": "no JSON"},
                {"kind": "unmet", "uri": "file:///folder", "line": None, "reason": "no file matches"},
                {"kind": "note", "uri": "file:///rows", "line": None, "reason": "it was read as rows"},
            ],
        )
        assert jobs.get_job(connection, tracker.job).problems == 2
        listed = scan_notes.list_notes(connection, tracker.job, limit=10)
        assert [note.kind for note in listed] == ["skipped", "problem", "problem", "note", "skipped"]
        counted = {(row.kind, row.reason): row.count for row in scan_notes.count_notes(connection, 1, limit=10)}
        assert counted == {(note.kind, note.reason): 1 for note in listed}
    counts = tracker.progress().documents
    parts = ("completed", "unchanged", "skipped", "dead", "cancelled")
    assert counts["total"] == sum(counts[part] for part in parts) == 6
    assert (counts["completed"], counts["skipped"], counts["dead"]) == (2, 3, 1)


def waiting(tracker: Tracker) -> dict[str, int]:
    counts: Counter[str] = Counter()
    with tracker.database.read() as connection:
        for row in waits.list_waiting(connection, jobs.get_job(connection, tracker.job)):
            counts[row["reason"]] += row["documents"]
    return dict(counts)


def documents(tracker: Tracker, **options: int) -> list[dict[str, object]]:
    with tracker.database.read() as connection:
        return waits.list_waiting_documents(connection, tracker.job, **{"limit": 100, **options})


def test_every_unfinished_document_says_what_it_waits_for(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(7)])
    assert waiting(tracker) == {"scanning": 7}
    tracker.end_scan()
    assert waiting(tracker) == {"queue": 7}
    claim = tracker.claim(tracker.queue(limit=5))
    tracker.claim(tracker.queue(limit=1))
    ids = [item.id for item in claim.items]
    parks = {id_: Park(reason, 60.0) for id_, reason in zip(ids, ("rate", "budget", "circuit"), strict=False)}
    tracker.settle(claim, {**parks, ids[3]: Fail(RuntimeError("odd")), ids[4]: Advance("embed")})
    assert waiting(tracker) == {"rate": 1, "budget": 1, "circuit": 1, "retry": 1, "queue": 2, "lease": 1}
    tracker.control("pause_job")
    assert waiting(tracker) == {"rate": 1, "budget": 1, "circuit": 1, "retry": 1, "paused": 2, "lease": 1}


def pool(tracker: Tracker, function: str, queue: str) -> None:
    with tracker.database.write() as connection:
        getattr(pools, function)(connection, queue)


def summed(tracker: Tracker) -> dict[tuple[str, str], dict[str, Any]]:
    """What `jobs show` says, once the changes that triggers recorded on Postgres are added up too."""
    found = []
    for _ in range(2):
        with tracker.database.read() as connection:
            rows = waits.list_waiting(connection, jobs.get_job(connection, tracker.job))
        found.append({(row["stage"], row["reason"]): row for row in rows})
        with tracker.database.write() as connection:
            tallies.add_up_tallies(connection)
    before, after = ({place: row["documents"] for place, row in rows.items()} for rows in found)
    assert before == after
    return found[0]


def test_what_work_waits_for_is_the_same_in_sum_and_document_by_document(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(9)])
    tracker.end_scan()
    claim = tracker.claim(tracker.queue(limit=7), worker="somebody")
    rate, budget, circuit, odd, embed, validate, held = (item.id for item in claim.items)
    tracker.settle(
        replace(claim, items=claim.items[:6]),
        {
            rate: Park("rate", 60.0),
            budget: Park("budget", 3600.0),
            circuit: Park("circuit", 10.0),
            odd: Fail(RuntimeError("odd")),
            embed: Advance("embed"),
            validate: Advance("validate"),
        },
    )
    pool(tracker, "pause_pool", "embed")
    expected = {
        ("chunk", "rate"): 1,
        ("chunk", "budget"): 1,
        ("chunk", "circuit"): 1,
        ("chunk", "retry"): 1,
        ("chunk", "lease"): 1,
        ("chunk", "queue"): 2,
        ("validate", "queue"): 1,
        ("embed", "paused"): 1,
    }
    told = summed(tracker)
    assert {place: row["documents"] for place, row in told.items()} == expected
    singly = documents(tracker)
    assert Counter((row["stage"], row["reason"]) for row in singly) == expected
    assert {row["work"]: row["worker"] for row in singly if row["worker"]} == {held: "somebody"}
    for reason, seconds in (("rate", 60.0), ("budget", 3600.0), ("circuit", 10.0)):
        assert seconds - 9 < told["chunk", reason]["next_in_seconds"] <= seconds
    assert "RuntimeError" in told["chunk", "retry"]["last_error"]
    assert [row["reason"] for row in told.values() if row["last_error"]] == ["retry"]

    pool(tracker, "resume_pool", "embed")
    assert summed(tracker)["embed", "queue"]["documents"] == 1
    tracker.control("pause_job")
    paused = {place: row["documents"] for place, row in summed(tracker).items() if place[1] == "paused"}
    assert paused == {("chunk", "paused"): 2, ("validate", "paused"): 1, ("embed", "paused"): 1}
    assert Counter((row["stage"], row["reason"]) for row in documents(tracker)) == {
        place: row["documents"] for place, row in summed(tracker).items()
    }
    tracker.control("cancel_job")
    tracker.rescue(claim)
    assert (summed(tracker), documents(tracker)) == ({}, [])


def test_what_waits_for_a_time_says_when_it_comes(tracker: Tracker) -> None:
    tracker.settle(tracker.take(URIS), Park("rate", 60.0))
    with tracker.database.read() as connection:
        (row,) = waits.list_waiting(connection, jobs.get_job(connection, tracker.job))
    assert 50 < row["next_in_seconds"] <= 60


def test_what_was_due_and_was_not_taken_up_yet_is_due_now(tracker: Tracker) -> None:
    tracker.settle(tracker.take(URIS), Park("rate", -60.0))
    with tracker.database.read() as connection:
        (row,) = waits.list_waiting(connection, jobs.get_job(connection, tracker.job))
    assert row["next_in_seconds"] == 0
    assert {each["due_in_seconds"] for each in documents(tracker)} == {0}


def test_waiting_documents_are_listed_one_by_one_and_page_by_page(tracker: Tracker) -> None:
    tracker.submit(URIS)
    tracker.end_scan()
    tracker.claim(tracker.queue(limit=1), worker="somebody")
    rows = documents(tracker)
    assert [(row["uri"], row["reason"], row["worker"]) for row in rows] == [
        (URIS[0], "lease", "somebody"),
        (URIS[1], "queue", None),
        (URIS[2], "queue", None),
    ]
    first, *_ = documents(tracker, limit=1)
    assert [row["uri"] for row in documents(tracker, after=first["work"])] == URIS[1:]  # type: ignore[arg-type]


def rate(tracker: Tracker) -> float:
    with tracker.database.read() as connection:
        return tallies.measure_rate(connection, jobs.get_job(connection, tracker.job))


def test_the_rate_is_what_ended_within_the_last_minute(tracker: Tracker) -> None:
    tracker.write_job(created_at=clock() - 600)
    tracker.index(tracker.take(URIS))
    assert rate(tracker) == pytest.approx(3 / 60)
    tracker.write(1, finished_at=clock() - 61)
    assert rate(tracker) == pytest.approx(2 / 60)


def test_the_rate_of_a_young_job_is_measured_since_it_began(tracker: Tracker) -> None:
    tracker.index(tracker.take(URIS))
    assert rate(tracker) > 3 / 60


def test_the_rate_of_a_job_that_went_on_is_measured_since_then(tracker: Tracker) -> None:
    tracker.write_job(created_at=clock() - 600)
    tracker.index(tracker.take(URIS))
    tracker.control("pause_job")
    tracker.control("resume_job")
    assert rate(tracker) > 3 / 60


def update(tracker: Tracker, **urgency: int) -> tuple[int, int]:
    with tracker.database.write() as connection:
        jobs.update_job(connection, tracker.job, priority=urgency.get("priority"), weight=urgency.get("weight"))
    found = tracker.get_job()
    return found.priority, found.weight


def test_a_job_s_priority_and_weight_can_be_changed_one_by_one(tracker: Tracker) -> None:
    assert update(tracker) == (0, 1)
    assert update(tracker, priority=-100) == (-100, 1)
    assert update(tracker, weight=100) == (-100, 100)


@pytest.mark.parametrize("urgency", [{"priority": 101}, {"priority": -101}, {"weight": 0}, {"weight": 101}])
def test_a_priority_or_weight_out_of_bounds_is_refused(tracker: Tracker, urgency: dict[str, int]) -> None:
    with pytest.raises(UserError, match="choose from"):
        update(tracker, **urgency)


def test_a_finished_job_cannot_be_hurried(tracker: Tracker) -> None:
    tracker.control("cancel_job")
    with pytest.raises(UserError, match="cancelled"):
        update(tracker, priority=1)


def test_dispatchable_jobs_come_by_priority_with_what_they_have_out(tracker: Tracker) -> None:
    tracker.submit(URIS)
    tracker.claim(tracker.queue(limit=2)[:1])
    urgent = tracker.create_job("urgent")
    with tracker.database.write() as connection:
        jobs.update_job(connection, urgent, priority=3, weight=7)
    with tracker.database.read() as connection:
        found = queueing.list_dispatchable(connection)
    assert [(job.id, job.priority, job.weight, job.out) for job in found] == [(urgent, 3, 7, 0), (tracker.job, 0, 1, 2)]


def test_resuming_keeps_what_waits_for_a_rate_waiting(tracker: Tracker) -> None:
    tracker.settle(tracker.take(URIS), Park("rate", 60.0))
    tracker.control("pause_job")
    tracker.control("resume_job")
    assert waiting(tracker) == {"rate": 3}
    assert tracker.queue() == []


@pytest.mark.parametrize(
    ("call", "index"),
    [
        (lambda connection, _: queueing.list_dispatchable(connection), "ix_work_job_state (job_id=? AND state=?)"),
        (tallies.measure_rate, "ix_work_finished (job_id=? AND finished_at>?)"),
    ],
    ids=["out", "rate"],
)
def test_what_is_asked_all_the_time_is_answered_from_an_index(tmp_path: Path, call: Any, index: str) -> None:
    tracker = Tracker(open_database(f"sqlite:///{tmp_path / 'tracking.db'}"))
    subject = tracker.get_job()
    plans = read_plans(tracker.database, lambda connection: call(connection, subject))
    tracker.database.close()
    assert any(index in plan for plan in plans), plans
    assert not any(plan.startswith("SCAN work") for plan in plans), plans
