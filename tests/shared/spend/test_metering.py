"""The meter of a vector store: its units in the ledger and against budgets in dollars, and nothing else."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from embedmill.shared.db import budgets, ledger
from embedmill.shared.db.schema import budget, flow_state, usage
from embedmill.shared.errors import FlowControl, UnknownPrice
from embedmill.shared.ledger import BudgetScope, Subject, Tokens
from embedmill.shared.providers.vectorstores.metering import Made, Requests
from embedmill.shared.spend.metering import StoreMeter
from embedmill.shared.spend.prices import Prices
from embedmill.shared.spend.spender import Planned
from tests.shared.db.tracker import Tracker

LISTED = Requests("pinecone", "serverless", "list", 3000, 3, ("d1", "d2"))


def limit(tracked: Tracker, scope: BudgetScope = BudgetScope.TOTAL, name: str = "", **limits: int | None) -> None:
    given: dict[str, int | None] = {"limit_microusd": None, "limit_tokens": None, **limits}
    with tracked.database.write() as connection:
        budgets.set_budget(connection, scope, name, **given)


def meter(spenders: Any, tracked: Tracker, **settings: Any) -> StoreMeter:
    return StoreMeter(spenders(**settings), Subject(tracked.job, tracked.collection.id))


def entries(tracked: Tracker) -> list[tuple[str, int, int | None, int]]:
    return [(row["state"], row["milliunits"], row["cost_microusd"], row["inputs"]) for row in tracked.rows(usage)]


def test_requests_are_one_entry_before_they_are_made_and_settled_after(spenders: Any, tracked: Tracker) -> None:
    books = meter(spenders, tracked)
    reservation = books.on_requests(LISTED)
    assert entries(tracked) == [("reserved", 3000, 48, 3)]
    books.on_end(reservation, Made(2, 1250))
    assert entries(tracked) == [("settled", 1250, 20, 2)]
    (row,) = tracked.rows(usage)
    assert (row["provider"], row["model"], row["operation"]) == ("pinecone", "serverless", "list")
    assert (row["job_id"], row["collection_id"], row["documents"]) == (tracked.job, tracked.collection.id, ["d1", "d2"])
    assert row["price"].startswith("pinecone/serverless list live")
    assert (row["tokens_in"], row["tokens_out"]) == (0, 0)


@pytest.mark.parametrize(
    ("made", "left"),
    [
        (Made(0, 0), ("released", 0, 0, 0)),
        (Made(2, 1000, 1000), ("unsettled", 2000, 32, 2)),
        (Made(1, 0, 1000), ("unsettled", 1000, 16, 1)),
        (Made(9, 90_000), ("settled", 90_000, 1440, 9)),
    ],
)
def test_what_may_be_billed_stays_and_the_rest_is_given_back(
    spenders: Any, tracked: Tracker, made: Made, left: tuple[Any, ...]
) -> None:
    limit(tracked, limit_microusd=1_000_000)
    books = meter(spenders, tracked)
    books.on_end(books.on_requests(LISTED), made)
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
        meter(spenders, tracked).on_requests(LISTED)
    assert (refused.value.reason, refused.value.is_woken) == ("budget", True)
    assert "budget show" in refused.value.hint
    assert entries(tracked) == []
    limit(tracked, scope, name, limit_microusd=0)
    with pytest.raises(FlowControl):
        meter(spenders, tracked).on_requests(replace(LISTED, milliunits=1))


def test_a_budget_in_tokens_is_no_matter_of_units(spenders: Any, tracked: Tracker) -> None:
    limit(tracked, limit_tokens=0)
    books = meter(spenders, tracked)
    books.on_end(books.on_requests(LISTED), Made(3, 3000))
    assert tracked.rows(budget)[0]["used_tokens"] == 0
    assert entries(tracked) == [("settled", 3000, 48, 3)]
    with pytest.raises(FlowControl):
        spenders().begin(Planned("openai", "text-embedding-3-small", "embed", Tokens(into=1)))


def test_a_shard_that_does_not_answer_is_no_matter_of_the_provider(spenders: Any, tracked: Tracker) -> None:
    books = meter(spenders, tracked, limits={"pinecone": {"rpm": 1}})
    for _ in range(20):
        books.on_end(books.on_requests(LISTED), Made(1, 0, 1000))
    books.on_requests(LISTED)
    assert tracked.rows(flow_state) == [], "neither a circuit nor an allowance was touched"


def test_units_without_a_price_are_refused_or_unpriced(spenders: Any, tracked: Tracker, tmp_path: Path) -> None:
    unknown = replace(LISTED, operation="dream")
    with pytest.raises(UnknownPrice, match="pinecone/serverless"):
        meter(spenders, tracked).on_requests(unknown)
    lenient = meter(spenders, tracked, allow_unpriced=True)
    lenient.on_end(lenient.on_requests(unknown), Made(2, 1000, 1000))
    assert entries(tracked) == [("unsettled", 2000, None, 2)]
    limit(tracked, limit_microusd=1_000_000)
    with pytest.raises(UnknownPrice, match="budget for total is in dollars"):
        lenient.on_requests(unknown)


def test_units_are_summed_apart_from_tokens(spenders: Any, tracked: Tracker) -> None:
    books = meter(spenders, tracked)
    books.on_end(books.on_requests(LISTED), Made(3, 2250))
    books.on_requests(LISTED)
    with tracked.database.read() as connection:
        (row,) = ledger.sum_spend(connection, by="model")
        assert ledger.measure_caches(connection) == {}
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
