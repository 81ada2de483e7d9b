"""`embedmill eval`: how good a collection's search is, by queries whose answers are known."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson, Collection
from embedmill.console.cli.output import DEAD_LETTERS, DONE, print_line, print_result, print_warning
from embedmill.console.usual import USUAL
from embedmill.retrieval.evaluation.measures import Gain

if TYPE_CHECKING:
    from embedmill.console.services.evaluating import Evaluation
    from embedmill.retrieval.evaluation.report import Comparison
    from embedmill.retrieval.evaluation.statistics import Interval
    from embedmill.retrieval.evaluation.tuning import Tuning

CELL = 15


def evaluate(
    queries: Annotated[Path, typer.Option(help='JSONL of {"id", "text"}.')],
    qrels: Annotated[Path, typer.Option(help='TREC qrels, or JSONL of {"query", "document", "relevance"}.')],
    collection: Collection = USUAL,
    against: Annotated[
        str | None, typer.Option(help="Another collection, or a report of --json that was kept, to compare with.")
    ] = None,
    gain: Annotated[
        Gain, typer.Option(help="What a grade is worth to nDCG: 2^grade - 1, or the grade as trec_eval has it.")
    ] = Gain.EXPONENTIAL,
    rank: Annotated[bool, typer.Option("--rank", help="Have the models that rank asked too; it costs money.")] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Find what words should count on half of the queries; report on the other.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the search on queries whose answers are known.

    It prints means with 95 % intervals for each way of searching. A judged document is named by its id, its URI, the id
    of its row, or its file. Ends with 3 where queries failed or were answered in part: no mean counts them.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import evaluating

    with opened_to_read(takes_long=True) as runtime:
        choices = evaluating.Choices(gain, rank=rank, tune=tune)
        report = evaluating.evaluate(runtime, queries, qrels, collection=collection, against=against, choices=choices)
    for warning in report.warnings:
        print_warning(warning)
    print_result(report, print_evaluation, as_json=as_json)
    raise typer.Exit(DONE if report.is_whole else DEAD_LETTERS)


def print_evaluation(report: "Evaluation") -> None:
    """The means for people, 80 columns wide."""
    from embedmill.retrieval.evaluation.measures import METRICS

    print_line(f"{report.collection}: {report.queries} of {report.asked} queries; nDCG with gain {report.gain}")
    print_line(f"{'':10}{''.join(f'{metric:>{CELL}}' for metric in METRICS)}")
    _print_runs(report.runs)
    if report.against is not None:
        print_line(f"{report.against.name}: {report.against.queries} queries")
        _print_runs(report.against.runs)
    for comparison in report.comparisons:
        if comparison.metric == METRICS[0]:
            print_line(_say(comparison))
    if report.tuning is not None:
        _print_tuning(report.tuning)
    if report.left_out:
        _print_left_out(report)


def _print_runs(runs: "Mapping[str, Mapping[str, Interval]]") -> None:
    for name, found in runs.items():
        print_line(f"{name:10}{_cells(found.values())}")


def _cells(intervals: "Iterable[Interval]") -> str:
    return "".join(f"{f'{found.mean:.3f} ±{(found.high - found.low) / 2:.3f}':>{CELL}}" for found in intervals)


def _say(found: "Comparison") -> str:
    counts = f"{found.wins} better, {found.losses} worse, {found.ties} equal"
    return f"{found.run} - {found.against}: {found.metric} {found.mean:+.3f}, p = {found.p:.2g} ({counts})"


def _print_tuning(tuning: "Tuning") -> None:
    print_line(
        f"{tuning.setting}: {tuning.best:g} is best on {tuning.tuned_on} queries (usual: {tuning.usual:g}); "
        f"on the other {tuning.reported_on}:"
    )
    _print_runs(tuning.runs)
    print_line(_say(tuning.comparisons[0]))


def _print_left_out(report: "Evaluation") -> None:
    queries = {left.query for left in report.left_out}
    print_line(f"{len(queries)} queries were left out of every mean:")
    for left in report.left_out[:10]:
        print_line(f"  {left.query}: {left.run} {left.state}: {left.why}")
