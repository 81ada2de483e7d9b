"""Owns the measures of a ranking, query by query; ir-measures (the extra `eval`) counts them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from embedmill.shared.errors import MissingExtra, UsageError

Rankings = Mapping[str, Sequence[str]]
"""The documents found for each query, best first, each once."""
Grades = Mapping[str, Mapping[str, int]]
"""How relevant documents are to each query; 0 is not at all."""
Values = Mapping[str, Mapping[str, float]]
"""For each metric, its value for each query."""
RunValues = Mapping[str, Values]
"""The same for each run."""

METRICS = ("ndcg@10", "recall@10", "mrr", "map")
CUT = 10
HIGHEST_GRADE = 20
"""The gain of a higher grade would be beyond what trec_eval counts in."""


class Gain(StrEnum):
    """What a document of grade g is worth to nDCG: 2^g - 1, or g as trec_eval has it."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"

    def of(self, grade: int) -> int:
        """The gain of a grade; below 0 is not relevant."""
        return max(2**grade - 1 if self is Gain.EXPONENTIAL else grade, 0)

    @property
    def formula(self) -> str:
        """The gain as reports name it."""
        return "2^relevance - 1" if self is Gain.EXPONENTIAL else "relevance"


def measure(rankings: Rankings, grades: Grades, *, gain: Gain = Gain.EXPONENTIAL) -> dict[str, dict[str, float]]:
    """Every metric of every query with grades; one that found nothing has 0. Raises MissingExtra, UsageError.

    Scores are made to fall strictly with the rank: trec_eval orders ties by id, backwards.
    """
    library = require_library()
    counted = _metrics(library, grades, gain)
    judged = [
        library.Qrel(query, document, max(grade, 0))
        for query, found in grades.items()
        for document, grade in found.items()
    ]
    ranked = [
        library.ScoredDoc(query, document, -float(rank))
        for query in grades
        for rank, document in enumerate(rankings.get(query, ()))
    ]
    values = {metric: dict.fromkeys(grades, 0.0) for metric in METRICS}
    names = {repr(metric): name for name, metric in counted.items()}
    for found in library.iter_calc(list(counted.values()), judged, ranked):
        values[names[repr(found.measure)]][found.query_id] = found.value
    return values


def require_library() -> Any:
    """ir-measures; raises MissingExtra where it is not installed."""
    try:
        import ir_measures
    except ModuleNotFoundError:
        hint = "pip install 'embedmill[eval]'"
        raise MissingExtra(f"measuring needs the extra eval: {hint}", hint=hint) from None
    return ir_measures


def _metrics(library: Any, grades: Grades, gain: Gain) -> dict[str, Any]:
    known = {grade for found in grades.values() for grade in found.values() if grade > 0}
    if known and max(known) > HIGHEST_GRADE and gain is Gain.EXPONENTIAL:
        raise UsageError(f"a relevance of {max(known)} is too high for a gain of 2^relevance", hint="--gain linear")
    ndcg = library.nDCG(cutoff=CUT, gains={grade: gain.of(grade) for grade in sorted(known)} or {1: 1})
    return dict(zip(METRICS, (ndcg, library.R(cutoff=CUT), library.RR, library.AP), strict=True))
