"""`embedmill spend`: the ledger summed, with what caches and the batch lane saved and what is not settled."""

from collections.abc import Mapping
from typing import Any

from embedmill.console.cli.output import print_line, print_table
from embedmill.console.cli.session import opened
from embedmill.console.dollars import format_usd
from embedmill.console.durations import parse_since
from embedmill.console.services.estimates import EXACT
from embedmill.shared.db import ledger

MICRO, MILLI = 1_000_000, 1000
SUMMED = (
    "microusd", "tokens_in", "tokens_out", "cache_read", "cache_write", "milliunits", "calls", "inputs", "cached",
    "cached_tokens", "cache_saved_microusd", "lane_saved_microusd", "unsettled_calls", "unsettled_microusd",
    "unsettled_tokens", "unsettled_milliunits", "unpriced_calls",
)  # fmt: skip


def spend(by: str, *, since: str | None) -> dict[str, Any]:
    """Rows by `by` and their total; dollars as numbers, and exactly as micro-dollars."""
    begin = parse_since(since) if since else None
    with opened() as runtime, runtime.database.read() as connection:
        rows = ledger.sum_spend(connection, by=by, since=begin)
        estimates = ledger.list_estimates(connection) if by == "job" else {}
    described = [_describe(row) for row in rows]
    if by == "job":
        described = [row | {"estimate": estimates.get(row["key"])} for row in described]
    total = {name: sum(int(row[name]) for row in rows) for name in SUMMED}
    return {"by": by, "since": since, "rows": described, "total": _describe(total)}


def _describe(row: Mapping[str, Any]) -> dict[str, Any]:
    def usd(name: str) -> float:
        return int(row[name]) / MICRO

    derived = ("microusd", "milliunits", "unsettled", "tokens_in")
    sent = int(row["tokens_in"])
    described = {
        "usd": usd("microusd"),
        "reserved_usd": usd("unsettled_microusd"),
        "tokens_in": sent + int(row["cache_read"]) + int(row["cache_write"]),
        "tokens_fresh": sent,
        **{name: int(row[name]) for name in SUMMED if not any(part in name for part in derived)},
        "units": int(row["milliunits"]) / MILLI,
        "microusd": int(row["microusd"]),
        "saved": {"cache_usd": usd("cache_saved_microusd"), "lane_usd": usd("lane_saved_microusd")},
        "unsettled": {
            "calls": int(row["unsettled_calls"]),
            "usd": usd("unsettled_microusd"),
            "tokens": int(row["unsettled_tokens"]),
            "units": int(row["unsettled_milliunits"]) / MILLI,
        },
    }
    return {"key": row["key"], **described} if "key" in row else described


def print_spend(report: Mapping[str, Any]) -> None:
    """The sums for people."""
    by, units = report["by"], ("units",) if report["total"]["units"] else ()
    columns = ("usd", "tokens_in", "tokens_out", *units, "calls", "cached", "saved_usd", "reserved_usd")
    rows = [_printed(row, by) for row in report["rows"]]
    if len(rows) > 1:
        rows.append(_printed(report["total"] | {"key": "total"}, by))
    estimated = ("estimate_usd",) if by == "job" else ()
    print_table(rows, (by, *columns, *estimated), empty="nothing was spent")
    unsettled, unpriced = report["total"]["unsettled"], report["total"]["unpriced_calls"]
    if unsettled["calls"]:
        print_line(
            f"{unsettled['calls']} calls are not settled; {format_usd(unsettled['usd'])} counts as spent for them"
        )
    if unpriced:
        print_line(f"{unpriced} calls are unpriced and not in these dollars; docs/spend.md says how to add a price")


def _printed(row: Mapping[str, Any], by: str) -> dict[str, Any]:
    saved = row["saved"]["cache_usd"] + row["saved"]["lane_usd"]
    estimate = row.get("estimate")
    about = "about " if estimate and estimate.get("basis") != EXACT else ""
    return {
        **row,
        by: "none" if row["key"] is None else row["key"],
        "usd": format_usd(row["usd"], sign=""),
        "saved_usd": format_usd(saved, sign=""),
        "reserved_usd": format_usd(row["reserved_usd"], sign=""),
        "estimate_usd": f"{about}{format_usd(estimate['usd'], sign='')}"
        if estimate and estimate["usd"] is not None
        else None,
    }
