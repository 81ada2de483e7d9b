"""The quality of a collection's search: judged queries, asked in every way of searching, and measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from embedmill.console.rendering import LEFT_OUT
from embedmill.console.services.judged import JudgedTask, UnknownDocument, prepare
from embedmill.console.services.judgements import read_judgements, read_queries
from embedmill.console.services.reach import in_collection
from embedmill.console.services.searching import open_searcher
from embedmill.console.services.serving import Trace, serves
from embedmill.retrieval.evaluation.asking import DEPTH, run_each
from embedmill.retrieval.evaluation.measures import METRICS, Gain, RunValues, require_library
from embedmill.retrieval.evaluation.report import Comparison, Measured, compare_runs, measure_runs, warn, within
from embedmill.retrieval.evaluation.runs import LeftOutQuery
from embedmill.retrieval.evaluation.statistics import CONFIDENCE, SEED, Interval
from embedmill.retrieval.evaluation.tuning import Tuning, tune
from embedmill.shared.access.principals import Right
from embedmill.shared.errors import SourceError
from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Other:
    """What a collection is compared with: another one, or a report that was kept."""

    name: str
    queries: int
    runs: Mapping[str, Mapping[str, Interval]]
    values: RunValues
    left_out: Sequence[LeftOutQuery] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a collection's search is, over `queries` queries that were judged and answered whole in every run.

    `gain` is what a grade is worth to nDCG. `asked` counts the queries of the file. Left out of every mean, and named:
    `unjudged` queries, those `without_relevant` document, `unasked` ones that are judged only, and those `left_out`
    because a run failed or was degraded. `unknown_documents` count as not found. `values` has the metrics by query.
    """

    queries: int
    collection: str
    runs: Mapping[str, Mapping[str, Interval]]
    gain: str
    depth: int
    confidence: float
    seed: int
    asked: int
    unjudged: Sequence[str]
    without_relevant: Sequence[str]
    unasked: Sequence[str]
    unknown_documents: Sequence[UnknownDocument]
    left_out: Sequence[LeftOutQuery]
    warnings: Sequence[str]
    comparisons: Sequence[Comparison]
    values: RunValues
    against: Other | None = field(default=None, metadata=LEFT_OUT)
    tuning: Tuning | None = field(default=None, metadata=LEFT_OUT)

    @property
    def is_whole(self) -> bool:
        """Whether every judged query was answered as it should be in every run."""
        return not self.left_out and not (self.against and self.against.left_out)


@dataclass(frozen=True, slots=True)
class Choices:
    """How to evaluate: what a grade is worth, whether models that rank are asked, which costs money, and tuning."""

    gain: Gain = Gain.EXPONENTIAL
    rank: bool = False
    tune: bool = False


USUAL = Choices()


@dataclass(frozen=True, slots=True)
class _Result:
    """One collection, measured."""

    task: JudgedTask
    measured: Measured
    warnings: list[str]
    tuning: Tuning | None


@serves("eval", Right.OPERATE, in_collection(), trace=Trace.READ)
def evaluate(
    runtime: Runtime,
    queries: Path,
    qrels: Path,
    *,
    collection: str,
    against: str | None = None,
    choices: Choices = USUAL,
) -> Evaluation:
    """Measure a collection's search on judged queries, and beside another collection or an earlier report.

    All files are read and checked before the first query is asked. Raises MissingExtra, SourceError, NotFound, and what
    searching raises where no query was answered at all.
    """
    require_library()
    asked, judged = read_queries(queries), read_judgements(qrels)

    def prepared(name: str, choices: Choices) -> Callable[[], _Result]:
        task = prepare(runtime, asked, judged, name)
        return lambda: _measure(runtime, task, choices)

    measure_subject = prepared(collection, choices)
    measure_other = _open_other(against, lambda name: prepared(name, replace(choices, tune=False)))
    found, other = measure_subject(), measure_other()
    comparisons = within(found.measured) + (_beside(found.measured, other) if other else [])
    return _report(found, choices.gain, asked=len(asked), comparisons=comparisons, other=other)


def _open_other(against: str | None, prepared: Callable[[str], Callable[[], _Result]]) -> Callable[[], Other | None]:
    """What is compared with, checked now and measured when it is called: a report if there is a file by that name."""
    if against is None:
        return lambda: None
    if Path(against).is_file():
        report = _read_report(Path(against))
        return lambda: report
    measure = prepared(against)

    def other() -> Other:
        found = measure().measured
        return Other(against, len(found.queries), found.runs, found.values, found.left_out)

    return other


def _measure(runtime: Runtime, task: JudgedTask, choices: Choices) -> _Result:
    """Every way of searching over all queries; raises the first failure where nothing was answered."""
    # Models are paid only where --rank asks for them, whatever the collection says of its searches.
    unasked = None if choices.rank else False
    with open_searcher(
        runtime, task.collection, rank=choices.rank, normalise=unasked, decompose=unasked, cache=False
    ) as searcher:
        runs = run_each(searcher, task.queries)
        tuning = tune(searcher, task.queries, task.grades, gain=choices.gain) if choices.tune else None
    measured = measure_runs(runs, task.grades, gain=choices.gain)
    return _Result(task, measured, [*task.warn(), *warn(measured, runs)], tuning)


def _beside(measured: Measured, other: Other) -> list[Comparison]:
    return compare_runs(measured.values, other.values, [(name, name) for name in measured.values], named=other.name)


def _report(
    found: _Result, gain: Gain, *, asked: int, comparisons: Sequence[Comparison], other: Other | None
) -> Evaluation:
    task, measured = found.task, found.measured
    return Evaluation(
        queries=len(measured.queries),
        collection=task.collection,
        runs=measured.runs,
        gain=gain.formula,
        depth=DEPTH,
        confidence=CONFIDENCE,
        seed=SEED,
        asked=asked,
        unjudged=task.unjudged,
        without_relevant=task.without_relevant,
        unasked=task.unasked,
        unknown_documents=task.unknown_documents,
        left_out=measured.left_out,
        warnings=found.warnings,
        comparisons=comparisons,
        values=measured.values,
        against=other,
        tuning=found.tuning,
    )


def _read_report(path: Path) -> Other:
    """A report as `eval --json` prints it; raises SourceError for anything else."""
    try:
        report = orjson.loads(path.read_bytes())
        runs = {
            name: {metric: Interval(**found[metric]) for metric in METRICS} for name, found in report["runs"].items()
        }
        values = {name: {metric: found[metric] for metric in METRICS} for name, found in report["values"].items()}
        return Other(str(path), report["queries"], runs, values)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{path} is no report of `embedmill eval --json`") from None
