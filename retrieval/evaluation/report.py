"""Owns the report over runs: means with intervals on queries that all of them answered, comparisons, warnings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.retrieval.evaluation.measures import METRICS, Gain, Grades, RunValues, measure
from embedmill.retrieval.evaluation.runs import LeftOutQuery, Run
from embedmill.retrieval.evaluation.statistics import Interval, PairedDifference, compare, interval

INPUTS = {"fused": ("dense", "lexical"), "hybrid": ("dense", "lexical", "fused"), "ranked": ("hybrid",)}
"""What a run is made from: it should not be worse than any of these."""
TOLERATED_LOSS = 0.005
"""A mean that is so much below that of an input is chance, or rounding."""


@dataclass(frozen=True, slots=True)
class Comparison(PairedDifference):
    """A metric of one run beside that of another, query by query."""

    run: str
    against: str
    metric: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Runs measured on the queries that all of them answered: means, values by query, and what was left out."""

    queries: tuple[str, ...]
    runs: Mapping[str, Mapping[str, Interval]]
    values: RunValues
    left_out: tuple[LeftOutQuery, ...]


def measure_runs(runs: Sequence[Run], grades: Grades, *, gain: Gain) -> Measured:
    """The runs on the queries of `grades` that none of them left out, so that every mean is of the same queries."""
    left_out = tuple(left for run in runs for left in run.left_out)
    missed = {left.query for left in left_out}
    kept = {query: found for query, found in grades.items() if query not in missed}
    values = {run.name: measure(run.rankings(kept), kept, gain=gain) for run in runs} if kept else {}
    means = {
        name: {metric: interval(list(found[metric].values())) for metric in METRICS} for name, found in values.items()
    }
    return Measured(tuple(kept), means, values, left_out)


def compare_runs(
    values: RunValues,
    other: RunValues,
    pairs: Iterable[tuple[str, str]],
    *,
    named: str = "",
) -> list[Comparison]:
    """Every metric of each pair of runs, on the queries that both have; `named` tells where the others are from."""
    return [
        Comparison(
            **_fields(compare(values[first][metric], other[second][metric])),
            run=first,
            against=f"{second} of {named}" if named else second,
            metric=metric,
        )
        for first, second in pairs
        if first in values and second in other
        for metric in METRICS
        if values[first][metric].keys() & other[second][metric].keys()
    ]


def within(measured: Measured) -> list[Comparison]:
    """Every run against what it is made from."""
    pairs = [(name, given) for name, inputs in INPUTS.items() for given in inputs]
    return compare_runs(measured.values, measured.values, pairs)


def warn(measured: Measured, runs: Sequence[Run]) -> list[str]:
    """What a reader of the means should not miss."""
    flat = [
        f"{run.name}: the scores do not vary, so its order says nothing"
        for run in runs
        if run.found and any(len(found.documents) > 1 for found in run.found.values()) and not run.varies
    ]
    losses = [
        f"{found.run} loses to its own input {found.against}: {found.metric} {found.mean:+.3f}, p = {found.p:.2g}"
        for found in within(measured)
        if found.mean < -TOLERATED_LOSS and found.metric == METRICS[0]
    ]
    empty = [f"{run.name}: nothing was found for any query" for run in runs if measured.queries and not _answers(run)]
    return flat + losses + empty


def _answers(run: Run) -> bool:
    return any(found.documents for found in run.found.values())


def _fields(difference: PairedDifference) -> dict[str, Any]:
    return {name: getattr(difference, name) for name in PairedDifference.__slots__}
