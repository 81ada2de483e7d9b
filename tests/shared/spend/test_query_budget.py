"""The bound of a query: reserved before a call and settled after it, over all calls of the query at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from embedmill.shared.db import spending
from embedmill.shared.errors import EmbedmillError, FlowControl, InputRefused, KeyRefused, ProviderUnavailable
from embedmill.shared.ledger import Tokens, Usage
from embedmill.shared.metering import Reservation, Tally
from embedmill.shared.spend.call import PaidCall
from embedmill.shared.spend.metering import LedgerMeter, StoreMeter, _TalliedCall
from tests.shared.db.tracker import Tracker

# Two cents for a million tokens: a call of a thousand may cost 20 micro-dollars.
CALL = Usage("openai", "text-embedding-3-small", "embed", Tokens(into=1000))
LOCAL = Usage("local", "local", "embed", Tokens(into=1000))
READ = Usage("pinecone", "serverless", "query", milliunits=3000)


def bounded(most_usd: float | None) -> Tally:
    tally = Tally()
    tally.begin(most_usd)
    return tally


def meter(spenders: Any, tracked: Tracker, tally: Tally, **settings: Any) -> LedgerMeter:
    return LedgerMeter(spenders(**settings), collection_id=tracked.collection.id, tally=tally)


def passes(books: LedgerMeter, usage: Usage = CALL) -> Reservation | None:
    try:
        return books.reserve(usage)
    except FlowControl as error:
        if error.reason == "budget" and "query may" in str(error):
            return None
        raise


def test_calls_pass_as_long_as_the_most_that_they_may_cost_has_room(spenders: Any, tracked: Tracker) -> None:
    tally = bounded(0.000_045)
    books = meter(spenders, tracked, tally)
    first, second = passes(books), passes(books)
    assert first and second
    with pytest.raises(FlowControl, match=r"may cost 0\.000045 dollars, and a call of up to 0\.00002 has no room"):
        books.reserve(CALL)
    first.settle(Tokens(into=100))
    third = passes(books)
    assert third, "what it did not take is there again"
    third.settle(Tokens(into=1000))
    assert passes(books) is None
    assert (tally.calls, tally.microusd, tally.tokens_in) == (3, 42, 2100), "what has not ended counts in full"


def test_nothing_lets_only_free_calls_be_made(spenders: Any, tracked: Tracker) -> None:
    books = meter(spenders, tracked, bounded(0))
    assert passes(books) is None
    assert passes(books, LOCAL)


def test_every_query_begins_with_all_of_it(spenders: Any, tracked: Tracker) -> None:
    tally = bounded(0.000_020)
    books = meter(spenders, tracked, tally)
    assert passes(books) and passes(books) is None
    tally.begin(0.000_020)
    assert passes(books)
    tally.begin(None)
    assert all(passes(books) for _ in range(5))


def _release(call: Reservation) -> None:
    call.release()


def _refuse(call: Reservation) -> None:
    call.fail(InputRefused("no"))


def _refuse_the_key(call: Reservation) -> None:
    call.fail(KeyRefused("401"))


def _find_no_key(call: Reservation) -> None:
    call.fail(KeyRefused("there is none"))


def _time_out(call: Reservation) -> None:
    call.fail(ProviderUnavailable("too late"))


def _leave(call: Reservation) -> None:
    call.leave()


def _break(call: Reservation) -> None:
    call.settle(None)


@pytest.mark.parametrize(
    ("end", "has_room", "calls"),
    [
        (_release, True, 1),
        (_refuse, True, 1),
        (_refuse_the_key, True, 1),
        (_find_no_key, True, 1),
        (_time_out, False, 1),
        (_leave, False, 1),
        (_break, False, 1),
        (lambda call: None, False, 1),
    ],
)
def test_what_may_be_billed_stays_taken(
    spenders: Any, tracked: Tracker, end: Any, *, has_room: bool, calls: int
) -> None:
    tally = bounded(0.000_020)
    books = meter(spenders, tracked, tally)
    call = passes(books)
    assert call
    end(call)
    assert (tally.microusd, tally.tokens_in) == ((0, 0) if has_room else (20, 1000)), "what the ledger counts as spent"
    assert tally.microusd == spent(tracked)
    again = passes(meter(spenders, tracked, tally), replace(CALL, key="another"))
    assert (again is not None, tally.calls) == (has_room, calls)


def spent(tracked: Tracker) -> int:
    with tracked.database.read() as connection:
        return sum(row["microusd"] for row in spending.sum_spend(connection, by="model"))


def test_of_what_a_store_is_asked_only_what_may_be_billed_counts(spenders: Any, tracked: Tracker) -> None:
    tally = bounded(None)
    books = StoreMeter(spenders(), collection_id=tracked.collection.id, tally=tally)
    books.reserve(READ).leave(milliunits=1000, inputs=1)
    assert tally.microusd == spent(tracked) == 16


@pytest.mark.parametrize("most", [1e300, 1e9, float("inf")])
def test_a_bound_beyond_all_sums_is_none(spenders: Any, tracked: Tracker, most: float) -> None:
    assert passes(meter(spenders, tracked, bounded(most)))


def test_a_call_that_is_kept_back_by_another_budget_holds_nothing(spenders: Any, tracked: Tracker) -> None:
    tally = bounded(0.000_020)

    class Empty(LedgerMeter):
        def _begin(self, booked: Usage) -> Any:
            raise FlowControl("the budget of the day", reason="budget", retry_after_seconds=1)

    with pytest.raises(FlowControl, match="of the day"):
        Empty(spenders(), tally=tally).reserve(CALL)
    assert passes(meter(spenders, tracked, tally))
    assert tally.calls == 1


def test_without_a_price_a_bound_cannot_be_kept(spenders: Any, tracked: Tracker) -> None:
    unpriced = Usage("openai", "gpt-99", "message", Tokens(into=10))
    with pytest.raises(EmbedmillError, match="no price"):
        meter(spenders, tracked, bounded(5.0), allow_unpriced=True).reserve(unpriced)
    meter(spenders, tracked, bounded(None), allow_unpriced=True).reserve(unpriced).release()


def test_what_the_store_is_billed_counts_and_is_not_left_out(spenders: Any, tracked: Tracker) -> None:
    tally = bounded(0.000_060)
    StoreMeter(spenders(), collection_id=tracked.collection.id, tally=tally).reserve(READ).settle(milliunits=3000)
    assert passes(meter(spenders, tracked, tally)) is None
    assert passes(StoreMeter(spenders(), collection_id=tracked.collection.id, tally=tally), READ)


def test_what_a_query_asks_for_goes_before_what_jobs_do(spenders: Any, tracked: Tracker) -> None:
    asked = meter(spenders, tracked, bounded(None)).reserve(CALL)
    worked = LedgerMeter(spenders(), collection_id=tracked.collection.id).reserve(CALL)
    assert isinstance(asked, _TalliedCall) and isinstance(asked._call, PaidCall) and isinstance(worked, PaidCall)
    assert (asked._call.usage.is_urgent, worked.usage.is_urgent) == (True, False)


def test_calls_at_once_never_hold_more_than_there_is() -> None:
    tally = bounded(0.000_700)

    def call(number: int) -> int:
        try:
            held = tally.hold(7)
        except FlowControl:
            return 0
        if number % 3:
            held.settle(7, Tokens(into=1))
            return 7
        held.release()
        return 0

    with ThreadPoolExecutor(8) as pool:
        spent = sum(pool.map(call, range(400)))
    assert spent == tally.microusd <= 700
    assert spent == 700, "and all of it can be used"
