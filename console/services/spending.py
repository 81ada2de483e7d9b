"""The ledger summed, with what caches and the batch lane saved and what is not settled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedmill.console.rendering import FIRST
from embedmill.console.services.reach import installation
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import spending
from embedmill.shared.db.engine import Connection
from embedmill.shared.durations import parse_since
from embedmill.shared.runtime import Runtime

MICRO, MILLI = 1_000_000, 1000


@dataclass(frozen=True, slots=True)
class Saved:
    """Dollars that were not paid, because a cache knew the answer or a vendor's batch was cheaper."""

    cache_usd: float
    lane_usd: float


@dataclass(frozen=True, slots=True)
class UnsettledCalls:
    """Calls of which nobody knows yet, or ever will, what they cost; they count as spent."""

    calls: int
    usd: float
    tokens: int
    units: float


@dataclass(frozen=True, slots=True)
class Spent:
    """Amounts of the ledger; `microusd` are the same dollars exactly, `units` what a vector store billed."""

    usd: float
    reserved_usd: float
    tokens_in: int
    tokens_fresh: int
    tokens_out: int
    cache_read: int
    cache_write: int
    calls: int
    inputs: int
    cached: int
    cached_tokens: int
    unpriced_calls: int
    units: float
    microusd: int
    saved: Saved
    unsettled: UnsettledCalls

    @property
    def saved_usd(self) -> float:
        """All that was not paid."""
        return self.saved.cache_usd + self.saved.lane_usd


@dataclass(frozen=True, slots=True)
class SpentBy(Spent):
    """Amounts of one model, job, day, …; the key is None for calls that belong to none."""

    key: Any = field(metadata=FIRST)


@dataclass(frozen=True, slots=True)
class SpentByJob(SpentBy):
    """Amounts of one job, and what it was expected to cost."""

    estimate: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class SpendReport:
    """What was spent since a time, as it was written, by `by`, and in all."""

    by: str
    since: str | None
    rows: Sequence[SpentBy]
    total: Spent


@serves("spend", Right.OPERATE, installation, trace=Trace.NOTHING)
def sum_spend(runtime: Runtime, by: str, *, since: str | None = None) -> SpendReport:
    """What was spent by model, job, collection, day, provider, operation or lane; raises UsageError for the time."""
    begin = parse_since(since) if since else None

    def find(connection: Connection) -> tuple[list[dict[str, Any]], Mapping[int, Mapping[str, Any]]]:
        estimates = spending.list_estimates(connection) if by == "job" else {}
        return spending.sum_spend(connection, by=by, since=begin), estimates

    rows, estimates = runtime.database.query(find)
    keyed = [_describe(row, by, estimates) for row in rows]
    return SpendReport(by, since, keyed, Spent(**_amounts(rows)))


def _describe(row: Mapping[str, Any], by: str, estimates: Mapping[int, Mapping[str, Any]]) -> SpentBy:
    amounts = _amounts([row])
    if by == "job":
        return SpentByJob(**amounts, key=row["key"], estimate=estimates.get(row["key"]))
    return SpentBy(**amounts, key=row["key"])


def _amounts(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of `Spent` for some rows of the ledger's sums."""
    found = list(rows)

    def total(name: str) -> int:
        return sum(int(row[name]) for row in found)

    fresh = total("tokens_in")
    same = ("tokens_out", "cache_read", "cache_write", "calls", "inputs", "cached", "cached_tokens", "unpriced_calls")
    return {
        **{name: total(name) for name in same},
        "usd": total("microusd") / MICRO,
        "microusd": total("microusd"),
        "reserved_usd": total("unsettled_microusd") / MICRO,
        "tokens_in": fresh + total("cache_read") + total("cache_write"),
        "tokens_fresh": fresh,
        "units": total("milliunits") / MILLI,
        "saved": Saved(total("cache_saved_microusd") / MICRO, total("lane_saved_microusd") / MICRO),
        "unsettled": UnsettledCalls(
            total("unsettled_calls"),
            total("unsettled_microusd") / MICRO,
            total("unsettled_tokens"),
            total("unsettled_milliunits") / MILLI,
        ),
    }
