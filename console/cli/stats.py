"""`embedmill stats`: how searches and answers went, by day."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result, print_table, print_wrapped
from embedmill.console.dollars import format_usd

if TYPE_CHECKING:
    from embedmill.console.services.query_stats import DayOfQueries, QueryStats, Seconds


def stats(
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="So many days, with today.")] = 7,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Of one collection; of all if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how searches and answers went, by day.

    Milliseconds that half, 95 % and 99 % of them and of their steps took at most, the share without a good match and of
    those that had to do without something, paid calls, dollars, what kept answers saved of them, and what models said
    that nothing bears out.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.query_stats import measure_queries

    with opened_to_read() as runtime:
        found = measure_queries(runtime, days=days, collection=collection)
    print_result(found, _print_stats, as_json=as_json)


def _print_stats(found: "QueryStats") -> None:
    numbers = ("p50_ms", "p95_ms", "p99_ms")
    saved = ("cached", "saved_usd")
    columns = (
        "day",
        "collection",
        "queries",
        *numbers,
        "no_match",
        "degraded",
        "calls",
        "usd",
        *saved,
        "hallucinations",
    )
    print_table([_row(day) for day in found.days], columns, empty=f"no query is recorded since {found.since}")
    if unpriced := sum(day.unpriced_calls for day in found.days):
        from embedmill.retrieval.hits import UNPRICED

        print_wrapped(UNPRICED.format(unpriced))
    if steps := [row for day in found.days for row in _steps(day)]:
        print_line("")
        print_table(steps, ("day", "collection", "step", "ran", *numbers), empty="")


def _row(day: "DayOfQueries") -> dict[str, Any]:
    return {
        "day": day.day,
        "collection": day.collection,
        "queries": day.queries,
        **_milliseconds(day.seconds),
        "no_match": "" if day.no_match is None else f"{day.no_match:.1%}",
        "degraded": f"{day.degraded:.1%}",
        "calls": day.calls,
        "usd": format_usd(day.usd, sign=""),
        "cached": day.cached,
        "saved_usd": format_usd(day.saved_usd, sign=""),
        "hallucinations": day.hallucinations,
    }


def _steps(day: "DayOfQueries") -> Iterator[dict[str, Any]]:
    for name, seconds in day.steps.items():
        yield {
            "day": day.day,
            "collection": day.collection,
            "step": name,
            "ran": seconds.count,
            **_milliseconds(seconds),
        }


def _milliseconds(seconds: "Seconds") -> dict[str, str]:
    return {f"{name}_ms": f"{1000 * getattr(seconds, name):.2f}" for name in ("p50", "p95", "p99")}
