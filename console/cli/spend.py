"""`embedmill spend`: what was spent, saved, and is still reserved."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result, print_table
from embedmill.console.dollars import EXACT, format_usd
from embedmill.console.rendering import counted

if TYPE_CHECKING:
    from embedmill.console.services.spending import SpendReport, Spent


class SpendBy(StrEnum):
    """What spend is summed by."""

    MODEL = "model"
    JOB = "job"
    COLLECTION = "collection"
    DAY = "day"
    PROVIDER = "provider"
    OPERATION = "operation"
    LANE = "lane"


def spend(
    by: Annotated[SpendBy, typer.Option(help="What to sum by.")] = SpendBy.MODEL,
    since: Annotated[str | None, typer.Option(help="From a date on, or for a span such as 12h or 7d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, saved, and is still reserved."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import spending

    with opened_to_read() as runtime:
        report = spending.sum_spend(runtime, by.value, since=since)
    print_result(report, print_spend, as_json=as_json)


def print_spend(report: "SpendReport") -> None:
    """The sums for people."""
    by, units = report.by, ("units",) if report.total.units else ()
    columns = ("usd", "tokens_in", "tokens_out", *units, "calls", "cached", "saved_usd", "reserved_usd")
    rows = [_row(row) | {by: "none" if row.key is None else row.key} for row in report.rows]
    if len(rows) > 1:
        rows.append(_row(report.total) | {by: "total"})
    estimated = ("estimate_usd",) if by == SpendBy.JOB else ()
    print_table(rows, (by, *columns, *estimated), empty="nothing was spent")
    _print_reservations(report.total)


def _print_reservations(total: "Spent") -> None:
    if (unsettled := total.unsettled).calls:
        calls = "1 call is" if unsettled.calls == 1 else f"{unsettled.calls} calls are"
        print_line(f"{calls} not settled; {format_usd(unsettled.usd)} counts as spent for them")
    if total.unpriced_calls:
        print_line(
            f"{counted(total.unpriced_calls, 'call')} without a known price, not in these dollars; "
            "docs/spend.md says how to add a price"
        )


def _row(spent: "Spent") -> dict[str, Any]:
    from embedmill.console.rendering import to_json

    return {
        **to_json(spent),
        "usd": format_usd(spent.usd, sign=""),
        "saved_usd": format_usd(spent.saved_usd, sign=""),
        "reserved_usd": format_usd(spent.reserved_usd, sign=""),
        "estimate_usd": _estimated(getattr(spent, "estimate", None)),
    }


def _estimated(estimate: Mapping[str, Any] | None) -> str | None:
    if not estimate or estimate["usd"] is None:
        return None
    about = "" if estimate.get("basis") == EXACT else "about "
    return f"{about}{format_usd(estimate['usd'], sign='')}"
