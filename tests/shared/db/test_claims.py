"""Claims: work is taken by one worker, under one lease, and attempts are counted before anything can go wrong."""

import pytest

from embedmill.shared import stages
from embedmill.shared.db import leases, queueing
from embedmill.shared.db.clock import clock
from embedmill.shared.outcomes import Advance, Park
from embedmill.shared.states import State
from tests.shared.db.tracker import Tracker

URIS = [f"file:///{n}" for n in range(4)]


def test_a_claim_takes_queued_work_of_its_stage(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    assert [item.uri for item in claim.items] == URIS
    assert tracker.states() == [State.RUNNING] * 4


def test_pending_work_cannot_be_claimed(tracker: Tracker) -> None:
    tracker.submit(URIS)
    ids = [row["id"] for row in tracker.rows()]
    assert tracker.claim(ids).items == ()


def test_a_duplicate_message_takes_nothing(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    assert tracker.claim([item.id for item in claim.items]).items == ()


def test_a_message_of_another_stage_takes_nothing(tracker: Tracker) -> None:
    tracker.submit(URIS)
    ids = tracker.queue()
    assert tracker.claim(ids, "embed").items == ()
    assert tracker.states() == [State.QUEUED] * 4


def test_a_stale_message_of_a_stage_that_is_over_takes_nothing(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.settle(claim, Advance("embed"))
    assert tracker.claim([item.id for item in claim.items], "chunk").items == ()


def test_a_message_that_names_unknown_work_takes_what_there_is(tracker: Tracker) -> None:
    tracker.submit(URIS[:1])
    ids = tracker.queue()
    assert [item.id for item in tracker.claim([*ids, 10**9]).items] == ids


def test_attempts_and_epochs_are_counted_at_the_claim(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    assert [(item.attempt, item.epoch) for item in claim.items] == [(1, 1)] * 4
    assert [(row["attempt"], row["epoch"]) for row in tracker.rows()] == [(1, 1)] * 4


def test_work_of_a_paused_job_cannot_be_claimed(tracker: Tracker) -> None:
    tracker.submit(URIS)
    ids = tracker.queue()
    tracker.control("pause_job")
    assert tracker.claim(ids).items == ()


def test_renewing_moves_the_end_of_the_lease(tracker: Tracker) -> None:
    tracker.submit(URIS)
    claim = tracker.claim(tracker.queue(), lease_seconds=1.0)
    before = tracker.rows()[0]["lease_until"]
    with tracker.database.write() as connection:
        assert leases.renew(connection, claim.token, lease_seconds=60.0) == 4
    assert tracker.rows()[0]["lease_until"] > before + 50


def test_a_lease_that_was_taken_away_cannot_be_renewed(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.rescue(claim)
    with tracker.database.write() as connection:
        assert leases.renew(connection, claim.token, lease_seconds=60.0) == 0


def test_expired_leases_are_found_and_live_ones_are_not(tracker: Tracker) -> None:
    tracker.submit(URIS)
    ids = tracker.queue()
    expired = tracker.claim(ids[:2], worker="slow", lease_seconds=-1.0)
    tracker.claim(ids[2:], worker="quick")
    with tracker.database.read() as connection:
        found = {lease.token: lease for lease in leases.find_leases(connection)}
    assert len(found) == 2
    assert [lease for lease in found.values() if lease.is_expired] == [
        leases.LeaseState(expired.token, "slow", is_expired=True)
    ]


def test_dispatching_takes_the_oldest_up_to_a_limit(tracker: Tracker) -> None:
    tracker.submit(URIS)
    ids = [row["id"] for row in tracker.rows()]
    assert tracker.queue(limit=2) == ids[:2]
    assert tracker.queue(limit=10) == ids[2:]
    assert tracker.queue(limit=10) == []


def test_waiting_work_is_dispatched_when_it_is_due(tracker: Tracker) -> None:
    tracker.submit(URIS[:2])
    first, second = [row["id"] for row in tracker.rows()]
    tracker.write(first, state=State.WAITING, wait_reason="retry", available_at=clock() - 1)
    tracker.write(second, state=State.WAITING, wait_reason="retry", available_at=clock() + 600)
    assert tracker.queue() == [first]


def test_waiting_work_is_dispatched_though_the_clock_was_put_back(tracker: Tracker) -> None:
    tracker.submit(URIS[:1])
    (id_,) = [row["id"] for row in tracker.rows()]
    tracker.write(id_, state=State.WAITING, wait_reason="retry", available_at=clock() + 2 * 3600)
    assert tracker.queue() == [id_]


@pytest.mark.parametrize(("seconds", "requeued"), [(-30.0, 4), (0.0, 0), (7200.0, 4)])
def test_a_lost_message_is_sent_again_also_when_the_clock_moved(
    tracker: Tracker, seconds: float, requeued: int
) -> None:
    tracker.submit(URIS)
    for id_ in tracker.queue():
        tracker.write(id_, dispatched_at=clock() + seconds)
    with tracker.database.write() as connection:
        assert queueing.requeue_lost(connection, after_seconds=dict.fromkeys(stages.names(), 10.0)) == requeued
    assert tracker.states().count(State.PENDING) == requeued


def test_due_work_is_ready_and_work_that_waits_for_later_is_not(tracker: Tracker) -> None:
    tracker.submit(URIS)
    ids = [row["id"] for row in tracker.rows()]
    tracker.write(ids[0], state=State.WAITING, wait_reason="retry", available_at=clock() - 1)
    tracker.write(ids[1], state=State.WAITING, wait_reason="rate", available_at=clock() + 600)
    with tracker.database.read() as connection:
        assert queueing.count_ready(connection, tracker.job, limit=100) == 3
        assert queueing.count_ready(connection, tracker.job, limit=2) == 2


def test_a_wait_of_hours_that_a_provider_asked_for_is_kept(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.settle(claim, Park("rate", 7200.0))
    assert tracker.queue() == []
    tracker.write(claim.items[0].id, available_at=clock() - 1)
    assert tracker.queue() == [claim.items[0].id]
