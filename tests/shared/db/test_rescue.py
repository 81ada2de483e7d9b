"""Rescue: a poison document is found by being alone when its worker dies; nobody else is blamed."""

from collections.abc import Callable

import pytest

from embedmill.shared.db import leases, presence, queueing, rescues
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.schema import dead_letter
from embedmill.shared.outcomes import Advance, Park
from embedmill.shared.states import State, WaitReason
from tests.shared.db.tracker import Tracker

URIS = [f"file:///{n}" for n in range(3)]


def dispatch(tracker: Tracker) -> list[queueing.Ready]:
    with tracker.database.write() as connection:
        return queueing.queue_ready(connection, tracker.job, limit=100)


def lost_once(tracker: Tracker) -> list[queueing.Ready]:
    """Three documents whose worker died while it read them, and that were sent again."""
    tracker.rescue(tracker.take(URIS))
    return dispatch(tracker)


def test_a_lost_batch_goes_back_as_suspects_and_keeps_its_attempts(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    assert tracker.rescue(claim) == rescues.Rescue(returned=3, dead=0)
    assert [(row["state"], row["attempt"], row["crashes"]) for row in tracker.rows()] == [(State.PENDING, 0, 1)] * 3
    assert [ready.company for ready in dispatch(tracker)] == [2] * 3


@pytest.mark.parametrize(("lose", "often"), [(rescues.rescue, 3), (rescues.rescue_silent, 1)], ids=["died", "silent"])
def test_what_waited_for_a_provider_is_first_suspected_when_it_was_lost_often(
    tracker: Tracker, lose: Callable[[Connection, str], rescues.Rescue], often: int
) -> None:
    # What happened in another stage says nothing of it.
    for ready in lost_once(tracker):
        tracker.settle(tracker.claim([ready.id]), Advance("embed"))
    for _ in range(often):
        claim = tracker.claim([row["id"] for row in tracker.rows()], "embed")
        with tracker.database.write() as connection:
            assert lose(connection, claim.token) == rescues.Rescue(returned=3, dead=0)
        assert [(row["attempt"], row["crashes"]) for row in tracker.rows()] == [(0, 0)] * 3
        assert [ready.company for ready in dispatch(tracker)] == [None] * 3
    claim = tracker.claim([row["id"] for row in tracker.rows()], "embed")
    with tracker.database.write() as connection:
        lose(connection, claim.token)
    assert [row["crashes"] for row in tracker.rows()] == [1] * 3
    assert [ready.company for ready in dispatch(tracker)] == [2] * 3


def test_a_lone_document_that_loses_its_worker_every_time_is_buried(tracker: Tracker) -> None:
    tracker.submit(URIS[:1], max_attempts=3)
    results = [tracker.rescue(tracker.claim(tracker.queue())) for _ in range(3)]
    assert [(r.returned, r.dead) for r in results] == [(1, 0), (1, 0), (0, 1)]
    (letter,) = tracker.rows(dead_letter)
    assert (letter["error_class"], letter["attempts"], letter["crashes"]) == ("WorkerLost", 3, 3)


def lose_others(tracker: Tracker, count: int) -> None:
    """Other workers that were lost a moment ago."""
    with tracker.database.write() as connection:
        for number in range(count):
            presence.register_worker(connection, f"other-{number}", host="here", pid=number, queues=["chunk"])
            presence.lose_worker(connection, f"other-{number}")


def test_a_crash_is_nobodys_fault_while_workers_die_everywhere(tracker: Tracker) -> None:
    tracker.submit(URIS[:1], max_attempts=3)
    lose_others(tracker, 6 * rescues.PATIENCE)
    results = [tracker.rescue(tracker.claim(tracker.queue())) for _ in range(3 * rescues.PATIENCE)]
    assert [result.dead for result in results] == [0] * (len(results) - 1) + [1], "it is buried in the end"


def test_a_few_other_deaths_do_not_save_a_poison(tracker: Tracker) -> None:
    tracker.submit(URIS[:1], max_attempts=3)
    lose_others(tracker, 1)
    assert [tracker.rescue(tracker.claim(tracker.queue())).dead for _ in range(3)] == [0, 0, 1]


def test_a_worker_that_fell_silent_is_not_held_against_what_it_held_alone(tracker: Tracker) -> None:
    tracker.submit(URIS[:1], max_attempts=3)
    for losses in range(1, 3 * rescues.PATIENCE):
        assert tracker.rescue_silent(tracker.claim(tracker.queue())) == rescues.Rescue(returned=1, dead=0)
        (row,) = tracker.rows()
        assert (row["state"], row["attempt"], row["crashes"]) == (State.PENDING, 0, losses)


def test_a_document_that_silences_its_worker_every_time_is_buried_in_the_end(tracker: Tracker) -> None:
    tracker.submit(URIS[:1], max_attempts=3)
    results = [tracker.rescue_silent(tracker.claim(tracker.queue())) for _ in range(3 * rescues.PATIENCE)]
    assert [result.dead for result in results] == [0] * (len(results) - 1) + [1]
    (letter,) = tracker.rows(dead_letter)
    assert (letter["error_class"], letter["crashes"]) == ("WorkerLost", 3 * rescues.PATIENCE)


def test_losses_in_company_bring_nobody_nearer_to_its_end(tracker: Tracker) -> None:
    tracker.submit(URIS[:1], max_attempts=3)
    (id_,) = tracker.queue()
    for company in (256, 128, 64, 32, 16, 8, 4, 2):
        with tracker.database.write() as connection:
            claim = leases.claim(connection, "chunk", [id_], worker="w", lease_seconds=60, company=company - 1)
        tracker.rescue(claim)
        (ready,) = dispatch(tracker)
        assert ready.company == company // 2
    assert (tracker.row(id_)["crashes"], tracker.row(id_)["attempt"]) == (1, 0)
    tracker.rescue_silent(tracker.claim([id_]))
    assert (tracker.row(id_)["state"], tracker.row(id_)["crashes"]) == (State.PENDING, 2)


def test_deaths_in_the_company_of_a_poison_do_not_excuse_it(tracker: Tracker) -> None:
    tracker.submit(URIS[:2], max_attempts=1)
    tracker.rescue(tracker.claim(tracker.queue()))
    lose_others(tracker, 3)
    assert [ready.company for ready in dispatch(tracker)] == [1, 1]
    assert tracker.rescue(tracker.claim([tracker.rows()[0]["id"]])).dead == 1, "it was there when two of four died"


def test_a_suspect_is_not_claimed_in_more_company_than_it_may_be_in(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.rescue(claim)
    ids = tracker.queue()
    assert tracker.claim(ids).items == (), "as the message of the lost claim would, if it came again"
    assert [item.id for item in tracker.claim(ids[:2]).items] == ids[:2]
    assert tracker.states() == [State.RUNNING] * 2 + [State.QUEUED]


def test_a_suspect_that_was_parked_keeps_its_company(tracker: Tracker) -> None:
    tracker.rescue(tracker.take([*URIS, "file:///3"]))
    ids = tracker.queue()[:2]
    tracker.settle(tracker.claim(ids), Park(WaitReason.RATE, 0.0))
    assert {tracker.row(id_)["state"] for id_ in ids} == {State.WAITING}
    assert [ready.company for ready in dispatch(tracker)] == [2, 2]


def test_every_lost_claim_is_recorded(tracker: Tracker) -> None:
    claim = tracker.take(URIS[:1])
    tracker.rescue(claim)
    assert tracker.attempts(claim.items[0].id) == [(1, "lost")]


def test_rescuing_twice_has_one_effect(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.rescue(claim)
    assert tracker.rescue(claim) == rescues.Rescue(returned=0, dead=0)


def test_rescue_leaves_alone_what_the_worker_had_settled(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.settle(claim, Advance("embed"))
    assert tracker.rescue(claim) == rescues.Rescue(returned=0, dead=0)
    assert tracker.states() == [State.QUEUED] * 3


def test_a_suspect_that_succeeds_is_trusted_again(tracker: Tracker) -> None:
    tracker.rescue(tracker.take(URIS[:1]))
    claim = tracker.claim(tracker.queue())
    tracker.settle(claim, Advance("embed"))
    assert (tracker.rows()[0]["crashes"], tracker.rows()[0]["attempt"]) == (0, 0)


def test_work_of_a_cancelled_job_ends_when_its_worker_is_lost(tracker: Tracker) -> None:
    claim = tracker.take(URIS)
    tracker.control("cancel_job")
    tracker.rescue(claim)
    assert tracker.states() == [State.CANCELLED] * 3
