"""What is spent, for people: only the columns that matter."""

import io
from contextlib import redirect_stdout
from typing import Any

import pytest

from embedmill.console.cli.spend import print_spend
from embedmill.console.services.spending import Saved, SpendReport, Spent, SpentBy, UnsettledCalls

NOTHING: dict[str, Any] = {
    "usd": 0.0,
    "reserved_usd": 0.0,
    "tokens_in": 0,
    "tokens_fresh": 0,
    "tokens_out": 0,
    "cache_read": 0,
}
NOTHING |= {"cache_write": 0, "calls": 1, "inputs": 1, "cached": 0, "cached_tokens": 0, "unpriced_calls": 0}


def spent(units: float) -> Spent:
    return Spent(**NOTHING, units=units, microusd=0, saved=Saved(0.0, 0.0), unsettled=UnsettledCalls(2, 0.5, 7, 0.0))


def printed(report: SpendReport) -> str:
    """What people see; not by capsys, whose files end with the test while a process logs to what it began with."""
    with redirect_stdout(io.StringIO()) as shown:
        print_spend(report)
    return shown.getvalue()


@pytest.mark.parametrize("units", [0.0, 2.25])
def test_units_are_shown_where_there_are_any(units: float) -> None:
    total = spent(units)
    row = SpentBy(**{name: getattr(total, name) for name in Spent.__slots__}, key="pinecone")
    told = printed(SpendReport("provider", None, [row], total))
    assert ("units" in told) == bool(units)
    assert "2 calls are not settled; $0.50 counts as spent for them" in told
