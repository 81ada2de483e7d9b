"""Owns the tuning of what words count beside meaning: found on one half of the queries, reported on the other."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embedmill.retrieval.evaluation.asking import HYBRID, run_mode
from embedmill.retrieval.evaluation.measures import METRICS, Gain, Grades
from embedmill.retrieval.evaluation.report import Comparison, Measured, compare_runs, measure_runs
from embedmill.retrieval.evaluation.statistics import Interval
from embedmill.retrieval.search import Searcher

WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
TUNED_BY = METRICS[0]


@dataclass(frozen=True, slots=True)
class Tuning:
    """Which weight of words is best for a collection.

    `tried` has the mean nDCG of each weight on the `tuned_on` queries. `runs` are `usual` and `best` on the
    `reported_on` others, which the choice knows nothing of, and `comparisons` say if they differ there.
    """

    setting: str
    usual: float
    best: float
    tuned_on: int
    reported_on: int
    tried: Mapping[str, float]
    runs: Mapping[str, Mapping[str, Interval]]
    comparisons: list[Comparison]


def tune(searcher: Searcher, queries: Mapping[str, str], grades: Grades, *, gain: Gain) -> Tuning | None:
    """The best weight of words in hybrid search; None where either half has no query that can be measured."""
    usual = searcher.choose_fusion().words
    tuned_on, reported_on = halves(queries)
    tried = {weight: _measure(searcher, queries, grades, tuned_on, weight, gain) for weight in {usual, *WEIGHTS}}
    means = {weight: found.runs[HYBRID][TUNED_BY].mean for weight, found in sorted(tried.items()) if found.runs}
    if not means:
        return None
    best = max(means, key=lambda weight: (round(means[weight], 6), -abs(weight - usual)))
    ends = {
        name: _measure(searcher, queries, grades, reported_on, w, gain)
        for name, w in (("usual", usual), ("best", best))
    }
    searcher.word_weight = None
    if not all(found.runs for found in ends.values()):
        return None
    values = {name: found.values[HYBRID] for name, found in ends.items()}
    return Tuning(
        setting="word_weight",
        usual=usual,
        best=best,
        tuned_on=max(len(found.queries) for found in tried.values()),
        reported_on=len(ends["usual"].queries),
        tried={f"{weight:g}": mean for weight, mean in means.items()},
        runs={name: found.runs[HYBRID] for name, found in ends.items()},
        comparisons=compare_runs(values, values, [("best", "usual")]),
    )


def halves(queries: Iterable[str]) -> tuple[list[str], list[str]]:
    """Two halves of some ids, by their hash: the same whatever else is asked."""
    listed = list(queries)
    first = [query for query in listed if zlib.crc32(query.encode(errors="replace")) % 2 == 0]
    return first, [query for query in listed if query not in set(first)]


def _measure(
    searcher: Searcher, queries: Mapping[str, str], grades: Grades, some: Iterable[str], weight: float, gain: Gain
) -> Measured:
    searcher.word_weight = weight
    asked = {query: queries[query] for query in some}
    runs = [run for run in run_mode(searcher, asked, HYBRID) if run.name == HYBRID]
    return measure_runs(runs, {query: grades[query] for query in asked}, gain=gain)
