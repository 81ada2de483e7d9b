"""Replays: tracked batches in bounded transactions, at a rate that the database keeps, with the end of each letter."""

import os
import re
import signal
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Connection, Engine, event, text

from embedmill.shared.db import dead_letters, queueing, replays, unreadable
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import dead_letter
from embedmill.shared.db.schema import replay as replay_table
from embedmill.shared.errors import LONGEST_WAIT_SECONDS, NotFound, UnreadableDocument
from embedmill.shared.letters import LetterFilter, Replay
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome
from embedmill.shared.states import JobState, Result, State
from tests import forked
from tests.shared.db.statements import count_statements, read_plans
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until

URIS = [f"file:///{n}" for n in range(4)]
TORN = Fail(UnreadableDocument("torn"))


def bury(tracker: Tracker, uris: list[str] = URIS) -> list[int]:
    claim = tracker.take(uris)
    tracker.settle(claim, TORN)
    tracker.end_scan()
    tracker.complete_jobs()
    return [row["id"] for row in tracker.rows(dead_letter)]


def replay(tracker: Tracker, rate: float | None = None, **wanted: object) -> replays.Replayed:
    return replays.replay_letters(tracker.database, LetterFilter(**wanted), by="a test", rate=rate)  # type: ignore[arg-type]


def outcomes(tracker: Tracker) -> list[tuple[str | None, int | None]]:
    with tracker.database.read() as connection:
        rows = dead_letters.list_letters(connection, LetterFilter(resolved=True), limit=1000)
    return [(row.outcome, row.next_letter) for row in reversed(rows)]


def batch(tracker: Tracker, replay_id: int | None) -> Replay:
    assert replay_id is not None
    with tracker.database.read() as connection:
        return replays.get_replay(connection, replay_id)


def test_a_replay_is_a_batch_with_who_asked_and_what_for(tracker: Tracker) -> None:
    letters = bury(tracker)
    done = replay(tracker, stage="chunk")
    found = batch(tracker, done.id)
    assert done.letters == letters
    assert (found.by, found.filter, found.count, found.rate) == ("a test", {"stage": "chunk"}, 4, None)
    assert found.finished_at is not None
    assert {row["replay_id"] for row in tracker.rows(dead_letter)} == {done.id}


def test_the_end_of_every_replayed_letter_is_linked_back_to_it(tracker: Tracker) -> None:
    bury(tracker)
    done = replay(tracker)
    assert outcomes(tracker) == [("running", None)] * 4
    claim = tracker.claim(tracker.queue())
    first, second, *rest = (item.id for item in claim.items)
    ends: dict[int, Outcome] = dict.fromkeys(rest, Advance("embed"))
    tracker.settle(claim, {**ends, first: Complete(Result.INDEXED), second: TORN})
    assert outcomes(tracker)[:3] == [("completed", None), ("dead again", 5), ("running", None)]
    tracker.control("cancel_job")
    assert outcomes(tracker) == [("completed", None), ("dead again", 5), *[("cancelled", None)] * 2, (None, None)]
    assert batch(tracker, done.id).outcomes == {"completed": 1, "dead again": 1, "cancelled": 2, "running": 0}


def test_a_letter_that_died_again_and_was_mended_then_tells_both_stories(tracker: Tracker) -> None:
    bury(tracker, URIS[:1])
    replay(tracker)
    tracker.settle(tracker.claim(tracker.queue()), TORN)
    replay(tracker)
    tracker.settle(tracker.claim(tracker.queue()), Complete(Result.INDEXED))
    assert outcomes(tracker) == [("dead again", 2), ("completed", None)]
    with tracker.database.read() as connection:
        shown = dead_letters.show_letter(connection, 1)
    assert [row.outcome for row in shown.letters] == ["dead again", "completed"]
    assert [(row.epoch, row.outcome) for row in shown.attempts] == [(1, "error"), (2, "error"), (3, "ok")]
    assert all(row.seconds >= 0 for row in shown.attempts)


def test_a_rate_gives_every_document_a_turn_of_its_own(tracker: Tracker) -> None:
    bury(tracker)
    replay(tracker, rate=0.5)
    rows = tracker.rows()
    turns = [row["available_at"] for row in rows]
    assert {(row["state"], row["wait_reason"], row["attempt"]) for row in rows} == {(State.WAITING, "rate", 0)}
    assert [round(later - turn, 3) for turn, later in pairwise(turns)] == [2.0] * 3
    assert tracker.queue() == [rows[0]["id"]], "the first may go at once, the others have to wait"


def test_a_quick_rate_lets_everything_go_without_whoever_asked(tracker: Tracker) -> None:
    bury(tracker)
    replay(tracker, rate=20.0)
    seen: list[int] = []

    def all_sent() -> bool:
        seen.extend(tracker.queue())
        return len(seen) == 4

    wait_until(all_sent, "every document had its turn")
    assert seen == sorted(seen)


def test_a_turn_that_is_hours_away_is_not_taken_for_a_clock_that_was_put_back(tracker: Tracker) -> None:
    bury(tracker)
    replay(tracker, rate=1 / 7200)
    first = tracker.rows()[0]["id"]
    assert tracker.queue() == [first]
    with tracker.database.read() as connection:
        assert queueing.count_ready(connection, tracker.job, limit=10) == 0


def test_a_turn_that_only_a_clock_put_back_explains_is_due(tracker: Tracker) -> None:
    bury(tracker, URIS[:1])
    replay(tracker, rate=100.0)
    tracker.write(1, available_at=clock() + LONGEST_WAIT_SECONDS + 3600)
    assert tracker.queue() == [1]


def test_pausing_and_resuming_a_job_keeps_the_turns_of_a_replay(tracker: Tracker) -> None:
    bury(tracker)
    replay(tracker, rate=0.01)
    before = [row["available_at"] for row in tracker.rows()]
    tracker.control("pause_job")
    tracker.control("resume_job")
    assert [row["available_at"] for row in tracker.rows()] == before


@pytest.mark.parametrize("rate", [None, 50.0])
def test_a_replay_sets_its_job_running_again(tracker: Tracker, rate: float | None) -> None:
    bury(tracker)
    assert replay(tracker, rate).jobs == {tracker.job}
    assert tracker.get_job().state is JobState.RUNNING
    assert tracker.complete_jobs() == []


def test_letters_of_a_cancelled_job_are_left_alone_and_the_reason_is_given(tracker: Tracker) -> None:
    tracker.settle(tracker.take(URIS[:2]), TORN)
    tracker.control("cancel_job")
    with tracker.database.read() as connection:
        foretold = replays.find_refusals(connection, LetterFilter())
    done = replay(tracker)
    assert done.letters == []
    assert [refusal.id for refusal in done.refused] == [1, 2]
    assert foretold == ([], done.refused)
    assert all("cancelled" in refusal.reason for refusal in done.refused)
    assert batch(tracker, done.id).refused == 2
    assert tracker.states() == [State.DEAD] * 2


def test_a_letter_whose_document_was_submitted_again_is_left_alone(tracker: Tracker) -> None:
    bury(tracker, URIS[:1])
    later = tracker.create_job("later")
    tracker.submit(URIS[:1], text="mended", job=later)
    (refusal,) = replay(tracker, ids=[1]).refused
    assert "submitted again" in refusal.reason
    assert tracker.states() == [State.DEAD]


@pytest.mark.parametrize("dies_last", ["the newest", "the one before"])
def test_a_document_that_died_after_it_was_submitted_again_has_the_letter_of_its_newest_work(
    tracker: Tracker, dies_last: str
) -> None:
    bury(tracker, URIS[:1])
    replay(tracker)
    later = tracker.create_job("later")
    tracker.submit(URIS[:1], job=later)
    claims = [tracker.claim(tracker.queue(job=job)) for job in (tracker.job, later)]
    for claim in claims if dies_last == "the newest" else reversed(claims):
        tracker.settle(claim, TORN)
    assert [row["job_id"] for row in tracker.rows(dead_letter) if row["resolution"] is None] == [later]
    assert outcomes(tracker)[0][0] == "dead again"
    assert len(replay(tracker).letters) == 1


def test_a_letter_that_was_open_beside_newer_work_closes_when_that_dies(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.settle(claim, TORN)
    later = tracker.create_job("later")
    tracker.submit(URIS[:1], job=later, passes_over_dead=False)
    tracker.write(1, dead_letter, resolved_at=None, resolution=None, resolution_reason=None)
    with tracker.database.read() as connection:
        foretold = replays.find_refusals(connection, LetterFilter())
    (refusal,) = replay(tracker).refused
    assert "submitted again" in refusal.reason
    assert foretold == ([], [refusal])
    tracker.settle(tracker.claim(tracker.queue(job=later)), TORN)
    assert [row["resolution"] for row in tracker.rows(dead_letter)] == ["superseded", None]


def test_what_is_asked_for_by_number_and_not_open_is_refused_with_its_story(tracker: Tracker) -> None:
    bury(tracker)
    replay(tracker, ids=[1])
    dead_letters.discard_letters(tracker.database, LetterFilter(ids=[2]), reason="not ours")
    with tracker.database.read() as connection:
        foretold = replays.find_refusals(connection, LetterFilter(ids=[1, 2, 3, 99]))
    done = replay(tracker, ids=[1, 2, 3, 99])
    assert done.letters == [3]
    assert foretold == (done.refused, [])
    assert batch(tracker, done.id).refused == 3
    reasons = {refusal.id: refusal.reason for refusal in done.refused}
    assert re.search(
        r"replayed already, \d+ s ago by replay 1: running, pending at chunk in job 1: .* show 1$", reasons[1]
    )
    assert "discarded: not ours" in reasons[2]
    assert "no such" in reasons[99]


def test_what_is_named_and_left_out_by_the_rest_of_a_filter_is_said(tracker: Tracker) -> None:
    bury(tracker)
    with tracker.database.read() as connection:
        (refusal,), _ = replays.find_refusals(connection, LetterFilter(ids=[1], stage="embed"))
    assert refusal.reason == replays.LEFT_OUT


def test_nothing_to_replay_leaves_no_batch(tracker: Tracker) -> None:
    assert replay(tracker).id is None
    assert tracker.rows(replay_table) == []
    with tracker.database.read() as connection, pytest.raises(NotFound, match="no replay 1"):
        replays.get_replay(connection, 1)


MAKE_DOCUMENTS = """
INSERT INTO document (id, collection_id, uri, generation, updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT CAST(n AS TEXT), :collection, 'file:///' || n, 1, :now FROM numbers
"""
MAKE_WORK = """
INSERT INTO work (id, job_id, document_id, generation, stage, state, max_attempts, attempt, size, content_hash,
    settings_hash, version, origin, created_at, finished_at)
SELECT CAST(id AS INTEGER), :job, id, 1, 'embed', 'dead', 3, 3, 10, 'c', 's', 'v', '{}', :now, :now FROM document
"""
MAKE_LETTERS = """
INSERT INTO dead_letter (work_id, job_id, stage, error_class, error, hint, fingerprint, attempts, crashes, code_version,
    created_at)
SELECT id, :job, CASE cause % 4 WHEN 0 THEN 'chunk' WHEN 1 THEN 'validate' WHEN 2 THEN 'embed' ELSE 'index' END,
    'Error' || cause, 'torn', 'mend it', 'cause' || cause, 3, 0, '1', :now
FROM (SELECT id, (id - 1) % :causes AS cause FROM work) AS dead ORDER BY id
"""


def make_letters(tracker: Tracker, count: int, *, causes: int = 5) -> None:
    """Many dead documents, written by the database as submissions and burials would leave them."""
    values = {
        "collection": tracker.collection.id,
        "source": tracker.source,
        "job": tracker.job,
        "count": count,
        "causes": causes,
        "now": time.time(),
    }
    with tracker.database.write() as connection:
        for statement in (MAKE_DOCUMENTS, MAKE_WORK, MAKE_LETTERS):
            connection.execute(text(statement), values)


def test_ten_thousand_letters_are_grouped_found_and_replayed_in_few_steps(tracker: Tracker) -> None:
    make_letters(tracker, 10_000)

    def count(look: Callable[[Connection], object]) -> int:
        return count_statements(tracker, lambda: tracker.database.query(look))

    with tracker.database.read() as connection:
        groups = dead_letters.group_letters(connection, LetterFilter())
    assert [group.count for group in groups] == [2000] * 5
    assert {group.error_class for group in groups} == {f"Error{n}" for n in range(5)}
    assert count(lambda c: dead_letters.group_letters(c, LetterFilter())) == 2
    assert count(lambda c: dead_letters.list_letters(c, LetterFilter(error_class="Error3"))) == 1
    assert count(lambda c: dead_letters.measure_work(c, LetterFilter(job=tracker.job))) == 1
    sent = count_statements(tracker, lambda: replay(tracker, rate=500.0, fingerprint="cause2"))
    assert sent <= 10 * (2000 / dead_letters.CHUNK + 1)
    assert batch(tracker, 1).count == 2000
    with tracker.database.read() as connection:
        assert dead_letters.count_letters(connection, LetterFilter()) == 8000
    assert count(replays.list_replays) == 2


def test_a_page_of_letters_is_chosen_before_anything_is_looked_up_for_them(tracker: Tracker) -> None:
    """However many letters there are and whatever a planner believes of them, only the page's are joined."""
    make_letters(tracker, 1000)
    with tracker.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")

    def list_some(connection: Connection) -> None:
        assert len(dead_letters.list_letters(connection, LetterFilter(error_class="Error3"), limit=10)) == 10

    plan = "\n".join(read_plans(tracker.database, list_some))
    assert re.search(r"MATERIALIZE page|-> +Limit", plan), plan
    assert not re.search(r"(Seq Scan on|SCAN) (work|document)\b", plan), plan


def test_pages_go_through_every_letter_once(tracker: Tracker) -> None:
    make_letters(tracker, 1200)
    walk = dead_letters.walk_letters(tracker.database, LetterFilter())
    pages = [next(walk)]
    with tracker.database.write() as connection:
        unreadable.record(connection, queue="q", reason="a transaction between two pages", body="", headers={})
    pages += walk
    seen = [row.letter.id for page in pages for row in page]
    with tracker.database.read() as connection:
        some = dead_letters.list_letters(connection, LetterFilter(), limit=3, before=10)
    assert seen == list(range(1200, 0, -1))
    assert [row.id for row in some] == [9, 8, 7]


# Killed when it is about to commit for the fourth time.
def replay_and_die(url: str) -> None:
    """A process that is killed after its fourth transaction."""
    commits = []

    def strike(_connection: Connection) -> None:
        commits.append(1)
        if len(commits) == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    database = open_database(url)
    event.listen(Engine, "commit", strike)
    replays.replay_letters(database, LetterFilter(stage="chunk"), by="the killed", rate=1e6)


def test_a_replay_that_was_killed_in_the_middle_is_taken_up_and_nothing_is_sent_twice(
    database: Database, database_url: str
) -> None:
    tracker = Tracker(database)
    make_letters(tracker, 3000, causes=1)
    killed_one = forked.start(replay_and_die, database_url)
    killed_one.join()
    assert killed_one.exitcode == -signal.SIGKILL
    killed = batch(tracker, 1)
    assert 0 < killed.count < 3000
    assert killed.count % dead_letters.CHUNK == 0, "a transaction was cut in two"
    assert killed.finished_at is None
    done = replays.replay_letters(database, LetterFilter(stage="chunk"), by="a test", rate=1e6)
    assert (done.id, len(done.letters)) == (1, 3000 - killed.count)
    assert batch(tracker, 1).count == 3000
    assert {row["replay_id"] for row in tracker.rows(dead_letter)} == {1}
    assert replays.replay_letters(database, LetterFilter(stage="chunk"), by="a test", rate=1e6).letters == []
