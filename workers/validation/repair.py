"""What a verdict does to a chunk under the `gate` policy: keep it, repair the text that is embedded, or reject it."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.workers.stored import Repair
from embedmill.workers.validation.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Reject:
    """The chunk is not indexed."""

    reason: str


def decide(verdict: Verdict, body: str, *, reject_below: int) -> Repair | Reject | None:
    """What is to be done with a chunk; None keeps it as it is."""
    if verdict.source == "rules":
        return Reject(verdict.reasoning) if verdict.score == 1 else None
    if verdict.score < reject_below:
        return Reject(f"the validator gave it {verdict.score} of 5")
    repair = Repair(verdict.missing_context, find_cuts(body, verdict.cuts))
    if repair == Repair() or not repair.apply(body).strip():
        return None
    return repair


def find_cuts(body: str, spans: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Every occurrence of the spans as offsets, in order, those that touch or overlap made one."""
    found = sorted((at, at + len(span)) for span in spans for at in _occurrences(body, span))
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def _occurrences(body: str, span: str) -> list[int]:
    places, at = [], body.find(span)
    while at >= 0 and span:
        places.append(at)
        at = body.find(span, at + len(span))
    return places
