"""What people read of an estimate."""

import math
from typing import TYPE_CHECKING, Any

from embedmill.console.cli.output import print_line, print_table, print_warning
from embedmill.console.cli.passed_over import print_passed_over
from embedmill.console.dollars import format_usd
from embedmill.console.rendering import counted, documents_of

if TYPE_CHECKING:
    from embedmill.console.services.estimates import Estimate, StageEstimate

AMOUNTS = ("calls", "tokens_in", "tokens_out", "write_units", "read_units")


def print_estimate(report: "Estimate") -> None:
    """The estimate for people."""
    from embedmill.console.services.estimates import list_paid, of_vectors

    embed = of_vectors(report.stages)
    counts = {"unchanged": report.unchanged, "unreadable": report.unreadable}
    of_them = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "all new"
    beside = f" and {report.skipped} skipped" if report.skipped else ""
    print_line(
        f"{documents_of(report.documents)} ({of_them}){beside}: {_count_chunks(report)}, "
        f"{counted(embed.tokens, 'token')} to embed with {embed.model} in {counted(embed.calls, 'call')}"
    )
    rows = [_row(name, stage) for name, stage in list_paid(report.stages).items()]
    if rows:
        columns = ("stage", *AMOUNTS, *report.total)
        print_table(rows, [column for column in columns if any(column in row for row in rows)], empty="")
    for lane, total in report.total.items():
        limits = "" if total.seconds is None else f", {total.seconds:.0f} s at the providers' limits"
        print_line(f"lane {lane}: {describe_cost(total.usd, total.usd_at_most, report.basis)}{limits}")
    for problem in report.problems:
        print_warning(problem)
    print_passed_over(report)


def _count_chunks(report: "Estimate") -> str:
    """The chunks that will be indexed, and how many of them have no vector yet, if not all."""
    from embedmill.console.services.estimates import of_rows, of_vectors

    chunks, due = of_rows(report.stages).vectors, of_vectors(report.stages).chunks
    new = f" of which {due} {'was' if due == 1 else 'were'} not embedded before" if due != chunks else ""
    return counted(chunks, "chunk") + new


def describe_cost(usd: float | None, at_most: float | None, basis: str) -> str:
    """`$0.0423, counted`, or `about $0.94, at most $2.20`; `unpriced` where a price is not known."""
    if usd is None:
        return "unpriced"
    about = f"{format_usd(usd)}, counted" if basis == "exact" else f"about {format_usd(usd)}"
    return about if at_most is None or at_most <= usd else f"{about}, at most {format_usd(at_most)}"


def _row(name: str, stage: "StageEstimate") -> dict[str, Any]:
    """A stage with its dollars by lane, as people read it."""
    counts = {amount: math.ceil(n) for amount in AMOUNTS if (n := getattr(stage, amount, None)) is not None}
    lanes = {lane: format_usd(price.usd) for lane, price in stage.prices.items()}
    return {"stage": name, **counts, **lanes}
