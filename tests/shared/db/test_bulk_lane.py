"""The books of the batch lane on both engines: who waits for what, who pays, and what happens to those who leave."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from embedmill.shared.db import budgets, bulk_batches, bulk_items, bulk_lane, bulk_waits, jobs
from embedmill.shared.db.bulk_batches import Assignment
from embedmill.shared.db.bulk_items import EMBED, ItemEnds
from embedmill.shared.db.bulk_waits import NewItem, WaitState
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.ledger import Reserved, reserve
from embedmill.shared.db.schema import bulk_batch, bulk_entry, bulk_wait
from embedmill.shared.db.schema import job as job_table
from embedmill.shared.errors import InputRefused, ProviderRefused
from embedmill.shared.ledger import BatchState, BudgetScope, Entry, Lane, Tokens, Usage
from embedmill.shared.outcomes import Advance, Park
from embedmill.shared.states import State, WaitReason
from tests.shared.db.tracker import Tracker

TARGET = "openai/text-embedding-3-small"
A, B = "a" * 64, "b" * 64
ANSWERED = ItemEnds()


@pytest.fixture(autouse=True)
def in_the_lane(tracker: Tracker) -> None:
    set_lane(tracker, Lane.BULK)


def set_lane(tracker: Tracker, lane: Lane, job: int | None = None) -> None:
    with tracker.database.write() as connection:
        jobs.update_job(connection, job or tracker.job, lane=lane)


def to_embed(tracker: Tracker, *names: str, job: int | None = None) -> Lease:
    """Claim new documents for the embed stage."""
    tracker.submit([f"file:///{name}" for name in names], job=job, text=f"as job {job} has it")
    claim = tracker.claim(tracker.queue(job=job))
    (sent,) = tracker.settle(claim, Advance("embed", {"chunks_ref": "ref"})).values()
    return tracker.claim(sent, "embed")


def ask(tracker: Tracker, claim: Lease, *addresses: str, known: Sequence[str] = ()) -> list[WaitState]:
    """Ask for the same addresses for every document of a claim."""
    wants = {i.id: [NewItem(a, i.document_id, "ref", None, 0) for a in addresses] for i in claim.items}
    with tracker.database.write() as connection:
        states = bulk_waits.ask_for(
            connection,
            wants,
            {item.id: known for item in claim.items},
            documents={item.id: item.document_id for item in claim.items},
            job_id=claim.items[0].job_id,
            kind=EMBED,
            target=TARGET,
        )
    return [states[item.id] for item in claim.items]


def park(tracker: Tracker, claim: Lease) -> None:
    tracker.settle(claim, Park(WaitReason.BULK, None))


def send(tracker: Tracker, job: int | None = None) -> int:
    """Make a batch of all that is ready and take it to the vendor."""
    (group,) = [g for g in groups(tracker) if g.job_id == (job or tracker.job)]
    with tracker.database.write() as connection:
        entries = bulk_items.list_ready(connection, group, limit=100)
        asked = Usage("openai", "m", "embed", Tokens(into=10), inputs=len(entries), lane=Lane.BULK)
        used = replace(asked, job_id=group.job_id, collection_id=group.collection_id, documents=("d",))
        reserved = reserve(connection, Entry(used, "a price", 1))
        assert isinstance(reserved, Reserved)
        values = {"key": f"key-{reserved.id}", "job_id": group.job_id, "kind": EMBED, "target": TARGET}
        values |= {"provider": "openai", "model": "m", "operation": "embed"}
        values |= {"requests": len(entries), "inputs": len(entries), "tokens_in": 10, "tokens_out": 0}
        places = [Assignment(e.id, number, 0, None) for number, e in enumerate(entries)]
        id_ = bulk_batches.create_batch(connection, values, places, usage_id=reserved.id)
        assert bulk_batches.move_batch(connection, id_, BatchState.PREPARED, BatchState.SUBMITTING)
        sent = {"vendor_id": f"vendor-{id_}"}
        assert bulk_batches.move_batch(connection, id_, BatchState.SUBMITTING, BatchState.SUBMITTED, **sent)
    return id_


def end(tracker: Tracker, batch: int, ends: ItemEnds = ANSWERED, *, most_returns: int = 3) -> None:
    with tracker.database.write() as connection:
        waited = bulk_items.end_items(connection, batch, ends, most_returns=most_returns)
        bulk_waits.wake_answered(connection, waited)


def refuse_all(tracker: Tracker) -> None:
    """A budget without room has refused something."""
    with tracker.database.write() as connection:
        found = budgets.set_budget(connection, BudgetScope.TOTAL, "", limit_microusd=None, limit_tokens=0)
        budgets.refuse(connection, found, microusd=1, tokens=1)


def groups(tracker: Tracker) -> list[bulk_items.BulkGroup]:
    with tracker.database.read() as connection:
        return bulk_items.find_groups(connection)


def leave(tracker: Tracker) -> list[int]:
    with tracker.database.write() as connection:
        return bulk_lane.leave(connection)


def entry_states(tracker: Tracker) -> dict[str, str]:
    return {row["address"]: row["state"] for row in tracker.rows(bulk_entry)}


def reasons(tracker: Tracker, job: int | None = None) -> list[str]:
    rows = [row for row in tracker.rows() if row["job_id"] == (job or tracker.job)]
    return [row["wait_reason"] or row["state"] for row in rows]


def test_what_two_documents_want_is_asked_for_once_and_wakes_both(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one", "two")
    assert all(state.is_open for state in ask(tracker, claim, A, B))
    assert groups(tracker) == [], "nobody is parked yet"
    park(tracker, claim)
    assert reasons(tracker) == ["bulk", "bulk"]
    (group,) = groups(tracker)
    assert (group.items, group.is_whole) == (2, False), "its sources are still being scanned"
    tracker.end_scan()
    assert groups(tracker)[0].is_whole
    end(tracker, send(tracker))
    assert reasons(tracker) == [State.PENDING, State.PENDING]
    again = tracker.claim(tracker.queue(), "embed")
    paid = ask(tracker, again, known=[A, B])
    assert sorted(len(state.paid) for state in paid) == [0, 2], "the one that it was asked for"
    assert not tracker.rows(bulk_entry) and not tracker.rows(bulk_wait)


def test_a_batch_that_ends_while_a_document_is_parked_wakes_it(tracker: Tracker) -> None:
    first = to_embed(tracker, "one")
    ask(tracker, first, A)
    park(tracker, first)
    batch = send(tracker)
    second = to_embed(tracker, "two")
    ask(tracker, second, A)
    end(tracker, batch)
    park(tracker, second)
    assert reasons(tracker) == [State.PENDING, State.PENDING]


def test_a_failure_is_told_once_to_everybody_who_waited_and_a_replay_asks_anew(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one", "two")
    ask(tracker, claim, A)
    park(tracker, claim)
    batch = send(tracker)
    (entry,) = tracker.rows(bulk_entry)
    end(tracker, batch, ItemEnds(failed={entry["id"]: InputRefused("no")}))
    again = tracker.claim(tracker.queue(), "embed")
    found = [error for state in ask(tracker, again, A) for error in state.errors]
    assert [(type(error), str(error)) for error in found] == [(InputRefused, "no")] * 2
    assert not tracker.rows(bulk_entry)
    (first, second) = ask(tracker, again, A)
    assert first.is_open and second.is_open
    assert entry_states(tracker) == {A: "wanted"}


def test_what_comes_back_too_often_is_left_to_calls_at_once(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    for expected in ("wanted", "live"):
        batch = send(tracker)
        (entry,) = tracker.rows(bulk_entry)
        end(tracker, batch, ItemEnds(returned=[entry["id"]]), most_returns=2)
        assert entry_states(tracker) == {A: expected}
    assert reasons(tracker) == [State.PENDING]
    again = tracker.claim(tracker.queue(), "embed")
    (state,) = ask(tracker, again, A)
    assert not state.is_open


def test_what_is_asked_again_keeps_what_was_wrong(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    batch = send(tracker)
    (entry,) = tracker.rows(bulk_entry)
    end(tracker, batch, ItemEnds(again={entry["id"]: ("cut off", True)}))
    (entry,) = tracker.rows(bulk_entry)
    assert (entry["state"], entry["complaint"], entry["alone"], entry["returns"]) == ("wanted", "cut off", True, 0)
    assert reasons(tracker) == ["bulk"]


def test_a_job_that_leaves_hands_what_it_wanted_to_another_that_wants_it(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A, B)
    park(tracker, claim)
    other = tracker.create_job("other")
    set_lane(tracker, Lane.BULK, other)
    second = to_embed(tracker, "two", job=other)
    ask(tracker, second, A)
    park(tracker, second)
    set_lane(tracker, Lane.LIVE)
    assert leave(tracker) == []
    assert entry_states(tracker) == {A: "wanted", B: "live"}
    assert {row["job_id"] for row in tracker.rows(bulk_entry) if row["address"] == A} == {other}
    assert reasons(tracker) == [State.PENDING], "who is in a hurry does not wait for what another has sent"
    tracker.control("cancel_job", other)
    leave(tracker)
    assert reasons(tracker) == [State.PENDING]


def test_a_batch_that_nobody_in_the_lane_waits_for_may_be_stopped(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    batch = send(tracker)
    assert leave(tracker) == []
    set_lane(tracker, Lane.LIVE)
    assert leave(tracker) == [batch]
    with tracker.database.write() as connection:
        bulk_batches.note_unwanted(connection, [batch])
    assert leave(tracker) == []
    assert reasons(tracker) == [State.PENDING]
    again = tracker.rows(bulk_batch)[0]
    assert again["cancelled_at"] is not None


def test_a_cancelled_job_leaves_nothing_behind(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    batch = send(tracker)
    ask(tracker, to_embed(tracker, "two"), B)
    tracker.control("cancel_job")
    with tracker.database.write() as connection:
        connection.execute(bulk_wait.delete())
    assert leave(tracker) == [batch]
    end(tracker, batch)
    leave(tracker)
    assert not tracker.rows(bulk_entry)


def test_entries_are_answered_lost_failed_or_left_waiting_for_money(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    refuse_all(tracker)
    for act, expected, reason in (
        (lambda c, ids: bulk_items.await_budget(c, ids, seconds=60.0), "wanted", "budget"),
        (bulk_items.settle_known, "done", State.PENDING),
        (lambda c, ids: bulk_items.fail_items(c, ids, ProviderRefused("no")), "failed", State.PENDING),
        (bulk_items.drop_lost, None, State.PENDING),
    ):
        with tracker.database.write() as connection:
            connection.execute(bulk_entry.delete())
        ask(tracker, claim, A)
        park(tracker, claim)
        ids = [row["id"] for row in tracker.rows(bulk_entry)]
        with tracker.database.write() as connection:
            act(connection, ids)
        assert entry_states(tracker).get(A) == expected
        assert reasons(tracker) == [reason]
        assert groups(tracker) == []
        tracker.write(claim.items[0].id, state=State.PENDING, wait_reason=None, available_at=None)
        claim = tracker.claim(tracker.queue(), "embed")


def test_nobody_waits_for_money_that_is_there_again(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    ids = [row["id"] for row in tracker.rows(bulk_entry)]
    with tracker.database.write() as connection:
        assert bulk_items.await_budget(connection, ids, seconds=60.0) == 0
    assert reasons(tracker) == ["bulk"]


def test_a_move_from_another_state_changes_nothing(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    batch = send(tracker)
    with tracker.database.write() as connection:
        assert not bulk_batches.move_batch(connection, batch, BatchState.PREPARED, BatchState.RELEASED)
        assert bulk_batches.move_batch(connection, batch, BatchState.SUBMITTED, BatchState.COLLECTED, succeeded=1)
        assert bulk_batches.move_batch(connection, batch, BatchState.COLLECTED, BatchState.ENDED)
        bulk_batches.note_look(connection, batch, due_in_seconds=5.0, vendor_state="late")
        found = bulk_batches.get_batch(connection, batch)
        assert found is not None
        assert (found.state, found.vendor_state, found.succeeded) == (BatchState.ENDED, None, 1)
        assert bulk_batches.list_due_batches(connection) == []
        assert bulk_batches.find_known_vendor_ids(connection, [f"vendor-{batch}", "other"]) == {f"vendor-{batch}"}
        assert bulk_items.count_items(connection, job_id=tracker.job) == {"sent": 1}


def test_a_group_rests_after_its_vendor_had_no_room(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    batch = send(tracker)
    with tracker.database.write() as connection:
        bulk_items.return_items(connection, batch)
        bulk_batches.rest(connection, batch, seconds=60.0)
    assert groups(tracker) == []
    tracker.write(batch, bulk_batch, rests_until=1.0)
    assert len(groups(tracker)) == 1


def test_a_batch_whose_job_is_deleted_is_still_known_and_its_entries_are_not(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ask(tracker, claim, A)
    park(tracker, claim)
    batch = send(tracker)
    with tracker.database.write() as connection:
        connection.execute(job_table.delete().where(job_table.c.id == tracker.job))
    assert not tracker.rows(bulk_entry)
    assert leave(tracker) == [batch]


def test_a_live_job_is_not_concerned_unless_it_left_the_lane(tracker: Tracker) -> None:
    claim = to_embed(tracker, "one")
    ids = [item.id for item in claim.items]

    def concerned() -> bool:
        with tracker.database.read() as connection:
            return bulk_waits.is_concerned(connection, tracker.job, ids)

    assert concerned()
    set_lane(tracker, Lane.LIVE)
    assert not concerned()
    set_lane(tracker, Lane.BULK)
    ask(tracker, claim, A)
    set_lane(tracker, Lane.LIVE)
    assert concerned()
