"""The ledger and its budgets: reserved before, settled after, never over a limit, whoever spends at the same time."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text

from embedmill.shared.db import budgets, collections, ledger, spending
from embedmill.shared.db.budgets import DAY_SECONDS, Budget
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.ledger import NoRoom, Reserved
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import budget, usage
from embedmill.shared.errors import NotFound, UnknownPrice
from embedmill.shared.ledger import UNPRICED, BudgetScope, EntryState
from embedmill.shared.outcomes import Park
from embedmill.shared.states import State, WaitReason
from tests import forked
from tests.shared.db.spending import entry, spend
from tests.shared.db.tracker import Tracker

PROCESSES, CALLS, LIMIT = 8, 15, 5_400


def limit(tracker: Tracker, scope: BudgetScope = BudgetScope.TOTAL, name: str = "", **limits: int | None) -> Budget:
    given: dict[str, int | None] = {"limit_microusd": None, "limit_tokens": None, **limits}
    with tracker.database.write() as connection:
        return budgets.set_budget(connection, scope, name, **given)


def reserve(tracker: Tracker, microusd: int, **options: Any) -> Reserved | NoRoom:
    with tracker.database.write() as connection:
        return ledger.reserve(connection, entry(microusd=microusd, tokens=microusd, **options))


def reserved(tracker: Tracker, microusd: int, **options: Any) -> int:
    found = reserve(tracker, microusd, **options)
    assert isinstance(found, Reserved)
    return found.id


def settle(tracker: Tracker, id_: int, microusd: int, **options: Any) -> None:
    with tracker.database.write() as connection:
        ledger.settle(connection, id_, entry(microusd=microusd, tokens=microusd, **options))


def used(tracker: Tracker) -> int:
    return int(tracker.rows(budget)[0]["used_microusd"])


def test_eight_processes_never_pass_a_limit_together(database_url: str) -> None:
    database = open_database(database_url)
    with database.write() as connection:
        budgets.set_budget(connection, BudgetScope.TOTAL, "", limit_microusd=LIMIT, limit_tokens=LIMIT + 7)
        budgets.set_budget(connection, BudgetScope.PROVIDER, "openai", limit_microusd=2 * LIMIT, limit_tokens=None)
    processes = [forked.start(spend, database_url, seed, CALLS) for seed in range(PROCESSES)]
    seen = []
    while any(process.is_alive() for process in processes):
        seen.append(measure(database))
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    counted, summed, tokens = measure(database)
    assert counted == summed == tokens
    assert all(one[0] == one[1] <= LIMIT for one in seen)
    assert counted > LIMIT / 2, "the limit was hardly used: the test shows nothing"
    with database.read() as connection:
        states = set(connection.execute(select(usage.c.state).distinct()).scalars())
    assert states == set(EntryState)
    database.close()


def measure(database: Database) -> tuple[int, int, int]:
    """(counted by the budget, summed over the ledger, tokens summed) in one view."""
    query = select(
        select(budget.c.used_microusd).where(budget.c.scope == "total").scalar_subquery(),
        func.coalesce(func.sum(usage.c.cost_microusd), 0),
        func.coalesce(func.sum(usage.c.tokens_in), 0),
    )
    with database.read() as connection:
        row = connection.execute(query).one()
    return int(row[0]), int(row[1]), int(row[2])


def test_a_reservation_counts_until_it_is_settled_for_less(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    row = reserved(tracker, 80)
    assert isinstance(reserve(tracker, 30), NoRoom)
    settle(tracker, row, 50)
    assert used(tracker) == 50
    assert isinstance(reserve(tracker, 50), Reserved)


def test_what_was_not_billed_is_given_back_and_what_nobody_knows_is_not(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    first, second = reserved(tracker, 60), reserved(tracker, 40)
    with tracker.database.write() as connection:
        ledger.release(connection, first)
        ledger.leave_unsettled(connection, second)
    assert used(tracker) == 40
    rows = {row["id"]: row for row in tracker.rows(usage)}
    assert (rows[first]["state"], rows[first]["cost_microusd"], rows[first]["tokens_in"]) == ("released", 0, 0)
    assert (rows[second]["state"], rows[second]["cost_microusd"]) == ("unsettled", 40)


def test_a_late_settlement_puts_the_real_cost_in_the_place_of_an_unsettled_one(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    row = reserved(tracker, 90)
    with tracker.database.write() as connection:
        assert ledger.abandon(connection, owners=[], older_than_seconds=0) == 1
    settle(tracker, row, 10)
    settle(tracker, row, 10)
    assert used(tracker) == 10


def test_a_call_is_held_against_every_budget_that_concerns_it_and_against_no_other(tracker: Tracker) -> None:
    mine = {"job_id": tracker.job, "collection_id": tracker.collection.id}
    for scope, name in (("day", ""), ("total", ""), ("job", str(tracker.job)), ("collection", "default")):
        limit(tracker, BudgetScope(scope), name, limit_tokens=1000)
    limit(tracker, BudgetScope.PROVIDER, "openai", limit_tokens=1000)
    others = [("job", "77"), ("collection", "other"), ("provider", "cohere")]
    for scope, name in others:
        limit(tracker, BudgetScope(scope), name, limit_tokens=0)
    reserved(tracker, 10, **mine)
    by_name = {(row["scope"], row["name"]): row["used_tokens"] for row in tracker.rows(budget)}
    assert {key for key, tokens in by_name.items() if tokens == 10} == by_name.keys() - set(others)


def test_a_limit_of_nothing_stops_every_paid_call(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=0)
    assert isinstance(reserve(tracker, 1), NoRoom)
    assert isinstance(reserve(tracker, 0), NoRoom)
    assert tracker.rows(usage) == []


def test_a_refused_call_leaves_nothing_on_any_budget(tracker: Tracker) -> None:
    limit(tracker, BudgetScope.DAY, limit_microusd=1000)
    limit(tracker, limit_microusd=10)
    assert isinstance(reserve(tracker, 11), NoRoom)
    assert [row["used_microusd"] for row in tracker.rows(budget)] == [0, 0]


def test_a_new_budget_counts_what_was_spent_before_and_a_lowered_one_starts_from_there(tracker: Tracker) -> None:
    settle(tracker, reserved(tracker, 50), 30)
    open_ = reserved(tracker, 20)
    assert limit(tracker, limit_microusd=100).used_microusd == 50
    settle(tracker, open_, 5)
    assert used(tracker) == 35
    assert limit(tracker, limit_microusd=35).percent() == 100


def test_alerts_come_once_at_75_90_and_100_percent(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    told = [[alert.percent for alert in reserve(tracker, cost).alerts] for cost in (74, 1, 14, 1, 10, 1)]
    assert told == [[], [75], [], [90], [100], []]
    with tracker.database.read() as connection:
        assert [alert.percent for alert in budgets.list_alerts(connection)] == [100, 90, 75]


def test_a_call_that_does_not_fit_sets_off_no_alert_that_was_not_reached(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    reserved(tracker, 80)
    assert reserve(tracker, 30).alerts == ()
    reserved(tracker, 10)
    assert reserve(tracker, 11).alerts == ()
    with tracker.database.read() as connection:
        assert [alert.percent for alert in budgets.list_alerts(connection)] == [90, 75]


def test_raising_a_budget_takes_its_alerts_back(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    reserved(tracker, 80)
    limit(tracker, limit_microusd=1000)
    with tracker.database.read() as connection:
        assert budgets.list_alerts(connection) == []


def parked(tracker: Tracker, *, is_woken: bool = True) -> int:
    claim = tracker.take(["file:///a"])
    tracker.settle(claim, Park(WaitReason.BUDGET, 3600.0, is_woken))
    return claim.items[0].id


@pytest.mark.parametrize("how", ["raised", "deleted"])
def test_work_that_waits_for_a_budget_goes_on_when_it_is_raised_or_deleted(tracker: Tracker, how: str) -> None:
    limit(tracker, limit_microusd=10)
    assert isinstance(reserve(tracker, 11), NoRoom)
    id_ = parked(tracker)
    assert tracker.row(id_)["state"] == State.WAITING
    assert tracker.queue() == []
    if how == "raised":
        limit(tracker, limit_microusd=20)
    else:
        with tracker.database.write() as connection:
            budgets.delete_budget(connection, BudgetScope.TOTAL, "")
    assert tracker.row(id_)["state"] == State.PENDING
    assert tracker.queue() == [id_]
    assert tracker.row(id_)["attempt"] == 0


def test_work_that_is_parked_after_its_budget_was_raised_goes_on_at_once(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=10)
    assert isinstance(reserve(tracker, 11), NoRoom)
    limit(tracker, limit_microusd=20)
    assert tracker.queue() == []
    id_ = parked(tracker)
    assert tracker.queue() == [id_]


def test_work_that_waits_for_the_providers_own_credit_waits_for_its_time(tracker: Tracker) -> None:
    parked(tracker, is_woken=False)
    assert tracker.queue() == []


def test_a_budget_has_room_again_when_calls_turn_out_cheaper(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    row = reserved(tracker, 90)
    assert isinstance(reserve(tracker, 40), NoRoom)
    id_ = parked(tracker)
    with tracker.database.write() as connection:
        assert budgets.wake_affordable(connection) == 0
    settle(tracker, row, 60)
    with tracker.database.write() as connection:
        assert budgets.wake_affordable(connection) == 1
        assert budgets.wake_affordable(connection) == 0
    assert tracker.queue() == [id_]


def test_a_budget_of_yesterday_is_shown_as_it_is_today(tracker: Tracker) -> None:
    today = limit(tracker, BudgetScope.DAY, limit_microusd=100)
    tracker.write(reserved(tracker, 100), usage, created_at=946_700_000.0)
    tracker.write(today.id, budget, day="2000-01-01")
    with tracker.database.read() as connection:
        (shown,) = budgets.list_budgets(connection)
    assert (shown.day, shown.used_microusd, shown.percent()) == (today.day, 0, 0.0)


def test_a_call_that_waited_for_its_budget_over_midnight_is_the_new_days(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = limit(tracker, BudgetScope.DAY, limit_microusd=100)
    with tracker.database.read() as connection:
        midnight = read_clock(connection) // DAY_SECONDS * DAY_SECONDS + DAY_SECONDS
    monkeypatch.setattr(budgets, "read_clock", lambda _connection: midnight + 1)
    call = reserved(tracker, 60)
    assert tracker.row(call, usage)["created_at"] == midnight + 1
    settle(tracker, call, 20)
    assert tracker.row(today.id, budget)["day"] > today.day
    assert used(tracker) == 20


def test_a_clock_that_is_put_back_over_midnight_opens_no_budget_a_second_time(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(tracker, BudgetScope.DAY, limit_microusd=100)
    with tracker.database.read() as connection:
        midnight = read_clock(connection) // DAY_SECONDS * DAY_SECONDS + DAY_SECONDS

    def at(seconds: float) -> None:
        monkeypatch.setattr(budgets, "read_clock", lambda _connection: midnight + seconds)

    at(-1800)
    before = reserved(tracker, 90)
    at(1800)
    after = reserved(tracker, 60)
    at(-1800)
    assert isinstance(reserve(tracker, 20), NoRoom)
    with tracker.database.read() as connection:
        assert [shown.used_microusd for shown in budgets.list_budgets(connection)] == [90]
    settle(tracker, after, 50)
    assert used(tracker) == 90
    settle(tracker, before, 70)
    assert used(tracker) == 70
    at(3600)
    assert isinstance(reserve(tracker, 60), NoRoom)
    assert used(tracker) == 50


def test_a_call_is_settled_though_its_job_and_collection_were_deleted_meanwhile(tracker: Tracker) -> None:
    limit(tracker, BudgetScope.TOTAL, limit_microusd=100)
    whom = {"job_id": tracker.job, "collection_id": tracker.collection.id}
    call = reserved(tracker, 60, **whom)
    tracker.control("cancel_job")
    with tracker.database.write() as connection:
        collections.delete_collection(connection, tracker.collection.id)
    settle(tracker, call, 20, **whom)
    row = tracker.row(call, usage)
    assert (row["state"], row["cost_microusd"], row["job_id"], row["collection_id"]) == ("settled", 20, None, None)
    assert used(tracker) == 20


def test_a_budget_a_day_starts_again_at_midnight_and_wakes_what_waits(tracker: Tracker) -> None:
    today = limit(tracker, BudgetScope.DAY, limit_microusd=100)
    old = reserved(tracker, 90)
    assert isinstance(reserve(tracker, 20), NoRoom)
    id_ = parked(tracker)
    # The rows look as they would tomorrow.
    tracker.write(today.id, budget, day="2000-01-01")
    tracker.write(old, usage, created_at=946_700_000.0)
    with tracker.database.write() as connection:
        assert budgets.wake_affordable(connection) == 1
    assert tracker.queue() == [id_]
    assert used(tracker) == 0
    settle(tracker, old, 10)
    assert used(tracker) == 0, "yesterday's call is no matter of today's budget"
    assert isinstance(reserve(tracker, 100), Reserved)


def test_a_budget_in_dollars_refuses_what_has_no_price(tracker: Tracker) -> None:
    limit(tracker, limit_microusd=100)
    unpriced = replace(entry(microusd=0, tokens=5), price=UNPRICED, cost_microusd=None)
    with pytest.raises(UnknownPrice, match="total"), tracker.database.write() as connection:
        ledger.reserve(connection, unpriced)
    limit(tracker, limit_tokens=10)
    with tracker.database.write() as connection:
        assert isinstance(ledger.reserve(connection, unpriced), Reserved)


def test_a_limit_in_tokens_does_not_stop_what_is_billed_by_units(tracker: Tracker) -> None:
    def ask(microusd: int) -> Reserved | NoRoom:
        units = entry(microusd=microusd, tokens=0, milliunits=1000)
        with tracker.database.write() as connection:
            return ledger.reserve(connection, units)

    limit(tracker, limit_microusd=100, limit_tokens=0)
    assert isinstance(ask(60), Reserved)
    assert isinstance(ask(50), NoRoom)
    assert isinstance(reserve(tracker, 1), NoRoom), "a call that takes tokens is stopped"


def test_deleting_a_budget_that_is_not_there_says_so(tracker: Tracker) -> None:
    with pytest.raises(NotFound), tracker.database.write() as connection:
        budgets.delete_budget(connection, BudgetScope.DAY, "")


def test_only_what_gone_processes_or_old_calls_left_is_closed(tracker: Tracker) -> None:
    for owner in ("gone", "alive"):
        with tracker.database.write() as connection:
            row = ledger.reserve(connection, entry(microusd=1, tokens=1))
            assert isinstance(row, Reserved)
            connection.execute(text("UPDATE usage SET owner = :o WHERE id = :i"), {"o": owner, "i": row.id})
    with tracker.database.write() as connection:
        assert sorted(ledger.list_reserving_owners(connection)) == ["alive", "gone"]
        assert ledger.abandon(connection, owners=["gone"]) == 1
        assert ledger.list_reserving_owners(connection) == ["alive"]


def test_spend_is_summed_by_what_is_asked_for_with_the_unsettled_apart(tracker: Tracker) -> None:
    mine = {"job_id": tracker.job, "collection_id": tracker.collection.id}
    settle(tracker, reserved(tracker, 50, **mine), 30, **mine)
    reserved(tracker, 7, **mine)
    settle(tracker, reserved(tracker, 5, provider="cohere"), 5, provider="cohere")
    with tracker.database.write() as connection:
        ledger.release(connection, reserved_in(connection, 99))
        by_provider = {row["key"]: row for row in spending.sum_spend(connection, by="provider")}
        by_job = {row["key"]: row for row in spending.sum_spend(connection, by="job")}
        by_day = spending.sum_spend(connection, by="day")
        by_collection = {row["key"] for row in spending.sum_spend(connection, by="collection")}
        assert spending.sum_spend(connection, by="model", since=4e9) == []
    assert (by_provider["openai"]["microusd"], by_provider["openai"]["unsettled_microusd"]) == (37, 7)
    assert by_provider["openai"]["calls"] == 2
    assert by_job[tracker.job]["microusd"] == 37
    assert by_job[None]["microusd"] == 5
    assert [row["microusd"] for row in by_day] == [42]
    assert by_collection == {"default", None}
    assert tracker.progress().spend == {"usd": 0.000037, "tokens_in": 37, "tokens_out": 0, "reserved_usd": 0.000007}


def reserved_in(connection: Connection, microusd: int) -> int:
    found = ledger.reserve(connection, entry(microusd=microusd, tokens=microusd))
    assert isinstance(found, Reserved)
    return found.id


def test_a_refusal_that_nothing_waits_for_any_more_is_forgotten(tracker: Tracker) -> None:
    found = limit(tracker, limit_microusd=10)
    assert isinstance(reserve(tracker, 11), NoRoom)
    id_ = parked(tracker)
    tracker.write(found.id, budget, refused_at=1.0)
    with tracker.database.write() as connection:
        budgets.wake_affordable(connection)
    assert tracker.rows(budget)[0]["refused_at"] > 1.0, "something waits: it is looked at again in a minute"
    tracker.control("cancel_job")
    assert tracker.row(id_)["state"] == State.CANCELLED
    tracker.write(found.id, budget, refused_at=1.0)
    with tracker.database.write() as connection:
        budgets.wake_affordable(connection)
        assert not budgets.has_refused(connection, lock=False)


def test_what_a_job_spent_tells_calls_without_a_price(tracker: Tracker) -> None:
    whom: dict[str, Any] = {"job_id": tracker.job, "collection_id": tracker.collection.id}
    settle(tracker, reserved(tracker, 60, **whom), 20, **whom)
    assert tracker.progress().spend == {"usd": 0.00002, "tokens_in": 20, "tokens_out": 0}
    unpriced = replace(entry(microusd=0, tokens=7, **whom), price=UNPRICED, cost_microusd=None)
    with tracker.database.write() as connection:
        ledger.reserve(connection, unpriced)
    assert tracker.progress().spend == {"usd": 0.00002, "tokens_in": 27, "tokens_out": 0, "unpriced_calls": 1}
