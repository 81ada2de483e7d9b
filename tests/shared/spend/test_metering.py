"""The meter of a vector store: its units in the ledger and against budgets in dollars, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from embedmill.shared.db import budgets, spending
from embedmill.shared.db.schema import budget, flow_state, usage
from embedmill.shared.errors import FlowControl, UnknownPrice
from embedmill.shared.ledger import BudgetScope, Tokens, Usage
from embedmill.shared.metering import Reservation
from embedmill.shared.spend.metering import StoreMeter
from embedmill.shared.spend.prices import Prices
from tests.shared.db.tracker import Tracker

LISTED = Usage("pinecone", "serverless", "list", inputs=3, milliunits=3000, documents=("d1", "d2"))


def limit(tracked: Tracker, scope: BudgetScope = BudgetScope.TOTAL, name: str = "", **limits: int | None) -> None:
    given: dict[str, int | None] = {"limit_microusd": None, "limit_tokens": None, **limits}
    with tracked.database.write() as connection:
        budgets.set_budget(connection, scope, name, **given)


def meter(spenders: Any, tracked: Tracker, **settings: Any) -> StoreMeter:
    return StoreMeter(spenders(**settings), job_id=tracked.job, collection_id=tracked.collection.id)


def entries(tracked: Tracker) -> list[tuple[str, int, int | None, int]]:
    return [(row["state"], row["milliunits"], row["cost_microusd"], row["inputs"]) for row in tracked.rows(usage)]


def test_requests_are_one_entry_before_they_are_made_and_settled_after(spenders: Any, tracked: Tracker) -> None:
    books = meter(spenders, tracked)
    reservation = books.reserve(LISTED)
    assert entries(tracked) == [("reserved", 3000, 48, 3)]
    reservation.settle(milliunits=1250, inputs=2)
    assert entries(tracked) == [("settled", 1250, 20, 2)]
    (row,) = tracked.rows(usage)
    assert (row["provider"], row["model"], row["operation"]) == ("pinecone", "serverless", "list")
    assert (row["job_id"], row["collection_id"], row["documents"]) == (tracked.job, tracked.collection.id, ["d1", "d2"])
    assert row["price"].startswith("pinecone/serverless list live")
    assert (row["tokens_in"], row["tokens_out"]) == (0, 0)


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (lambda reserved: reserved.release(), ("released", 0, 0, 0)),
        (lambda reserved: reserved.leave(milliunits=2000, inputs=2), ("unsettled", 2000, 32, 2)),
        (lambda reserved: reserved.leave(), ("unsettled", 3000, 48, 3)),
        (lambda reserved: reserved.settle(milliunits=90_000, inputs=9), ("settled", 90_000, 1440, 9)),
    ],
    ids=["nothing was billed", "some may be", "all may be", "more than was reserved for"],
)
def test_what_may_be_billed_stays_and_the_rest_is_given_back(
    spenders: Any, tracked: Tracker, end: Callable[[Reservation], None], left: tuple[Any, ...]
) -> None:
    limit(tracked, limit_microusd=1_000_000)
    end(meter(spenders, tracked).reserve(LISTED))
    assert entries(tracked) == [left]
    assert tracked.rows(budget)[0]["used_microusd"] == left[2]


@pytest.mark.parametrize(
    ("scope", "name"),
    [(BudgetScope.DAY, ""), (BudgetScope.PROVIDER, "pinecone"), (BudgetScope.COLLECTION, "default")],
)
def test_dollars_that_are_used_up_keep_requests_back(
    spenders: Any, tracked: Tracker, scope: BudgetScope, name: str
) -> None:
    limit(tracked, scope, name, limit_microusd=47)
    with pytest.raises(FlowControl, match="is used up") as refused:
        meter(spenders, tracked).reserve(LISTED)
    assert (refused.value.reason, refused.value.is_woken) == ("budget", True)
    assert "budget show" in refused.value.hint
    assert entries(tracked) == []
    limit(tracked, scope, name, limit_microusd=0)
    with pytest.raises(FlowControl):
        meter(spenders, tracked).reserve(replace(LISTED, milliunits=1))


def test_a_budget_in_tokens_is_no_matter_of_units(spenders: Any, tracked: Tracker) -> None:
    limit(tracked, limit_tokens=0)
    books = meter(spenders, tracked)
    books.reserve(LISTED).settle(milliunits=3000)
    assert tracked.rows(budget)[0]["used_tokens"] == 0
    assert entries(tracked) == [("settled", 3000, 48, 3)]
    with pytest.raises(FlowControl):
        spenders().begin(Usage("openai", "text-embedding-3-small", "embed", Tokens(into=1)))


def test_a_shard_that_does_not_answer_is_no_matter_of_the_provider(spenders: Any, tracked: Tracker) -> None:
    books = meter(spenders, tracked, limits={"pinecone": {"rpm": 1}})
    for _ in range(20):
        books.reserve(LISTED).leave(milliunits=1000, inputs=1)
    books.reserve(LISTED)
    assert tracked.rows(flow_state) == [], "neither a circuit nor an allowance was touched"


def test_units_without_a_price_are_refused_or_unpriced(spenders: Any, tracked: Tracker, tmp_path: Path) -> None:
    unknown = replace(LISTED, operation="dream")
    with pytest.raises(UnknownPrice, match="pinecone/serverless"):
        meter(spenders, tracked).reserve(unknown)
    lenient = meter(spenders, tracked, allow_unpriced=True)
    lenient.reserve(unknown).leave(milliunits=2000, inputs=2)
    assert entries(tracked) == [("unsettled", 2000, None, 2)]
    limit(tracked, limit_microusd=1_000_000)
    with pytest.raises(UnknownPrice, match="budget for total is in dollars"):
        lenient.reserve(unknown)


def test_units_are_summed_apart_from_tokens(spenders: Any, tracked: Tracker) -> None:
    books = meter(spenders, tracked)
    books.reserve(LISTED).settle(milliunits=2250)
    books.reserve(LISTED)
    with tracked.database.read() as connection:
        (row,) = spending.sum_spend(connection, by="model")
        assert spending.measure_caches(connection) == {}
    assert (row["key"], row["milliunits"], row["unsettled_milliunits"]) == ("pinecone/serverless", 5250, 3000)
    assert (row["microusd"], row["tokens_in"], row["calls"], row["inputs"]) == (36 + 48, 0, 2, 6)
    assert tracked.progress().spend == {
        "usd": 0.000084,
        "tokens_in": 0,
        "tokens_out": 0,
        "reserved_usd": 0.000048,
        "units": 5.25,
    }


def test_a_part_of_a_micro_dollar_is_rounded_up() -> None:
    price = replace(Prices.load().find("pinecone", "serverless", "query"), into=Decimal("16.5"))
    assert price.cost(Tokens(), milliunits=250) == 5
