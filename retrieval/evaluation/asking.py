"""Owns the asking of judged queries: every way of searching is a run, and so is every stage that orders hits anew."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from embedmill.retrieval.evaluation.runs import Run, fold
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.hits import Hit, SearchResult
from embedmill.retrieval.question import MODES, Mode
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.errors import EmbedmillError

DEPTH = 100
"""Chunks that are asked for: `map` and `mrr` know no more of a ranking than that."""
FUSED, RANKED = "fused", "ranked"
HYBRID: Literal["hybrid"] = "hybrid"
ORDERED_BY: Mapping[str, Sequence[str]] = {
    FUSED: ("fused", "dense", "lexical"),
    HYBRID: ("subqueries", "feedback", "fused", "dense", "lexical"),
}
"""The stages that ordered a run, last first, of which the first that saw a hit decides."""


def run_each(searcher: Searcher, queries: Mapping[str, str]) -> list[Run]:
    """The runs over all queries; raises the first failure of a mode that answered none of them.

    `hybrid` is what retrieval finds, `fused` the same before feedback, and `ranked` what models that rank make of it,
    which are asked for that alone.
    """
    judges = searcher.judges
    return [run for mode in MODES for run in run_mode(searcher, queries, mode, judges if mode == HYBRID else None)]


def run_mode(searcher: Searcher, queries: Mapping[str, str], mode: Mode, judges: Judges | None = None) -> list[Run]:
    """The runs of one mode, with the models that rank in it."""
    with _judged_by(searcher, judges):
        return _run_mode(searcher, queries, mode)


@contextmanager
def _judged_by(searcher: Searcher, judges: Judges | None) -> Iterator[None]:
    before, searcher.judges = searcher.judges, judges
    try:
        yield
    finally:
        searcher.judges = before


def _run_mode(searcher: Searcher, queries: Mapping[str, str], mode: Mode) -> list[Run]:
    runs = {name: Run(name) for name in _names(searcher, mode)}
    failures: list[EmbedmillError] = []
    for id_, text in queries.items():
        try:
            result = searcher.search(text, top_k=DEPTH, mode=mode, view=EVERY_CHUNK)
        except EmbedmillError as error:
            failures.append(error)
            _leave_out(runs, id_, "failed", str(error))
            continue
        if why := _lacks(result):
            _leave_out(runs, id_, "degraded", why)
            continue
        for name, run in runs.items():
            run.found[id_] = fold(_scored(result.hits, name))
    if failures and not any(run.found for run in runs.values()):
        raise failures[0]
    return list(runs.values())


def _names(searcher: Searcher, mode: Mode) -> Sequence[str]:
    if mode != HYBRID:
        return (mode,)
    return (FUSED, HYBRID, *([RANKED] if searcher.judges else []))


def _leave_out(runs: Mapping[str, Run], query: str, state: str, why: str) -> None:
    for run in runs.values():
        run.leave_out(query, state, why)


def _scored(hits: Sequence[Hit], name: str) -> list[tuple[str, float]]:
    """The documents and scores of hits as a stage ordered them; ties as they came."""
    if name not in ORDERED_BY:
        return [(hit.document, hit.score) for hit in hits]
    scored = [(hit.document, _score_at(hit, ORDERED_BY[name])) for hit in hits]
    return sorted(scored, key=lambda item: -item[1])


def _score_at(hit: Hit, stages: Sequence[str]) -> float:
    return next((hit.stages[name].score for name in stages if name in hit.stages), hit.score)


def _lacks(result: SearchResult) -> str:
    """Why an answer is not a whole one; empty for one that is."""
    steps = [f"{step.name}: {step.why}" for step in result.steps if step.failed]
    shards = [f"shard {shard}: {why}" for shard, why in result.failures.items()]
    return "; ".join(steps + shards) or ("a part of it failed" if result.degraded else "")
