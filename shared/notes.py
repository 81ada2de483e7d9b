"""Notes of a document: what was left out or guessed when it was read, kept in its row as a line each."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a job passed over, refused or read in part: `kind` is skipped, problem, note or noted."""

    kind: str
    uri: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Reason:
    """How often a job passed something over for a reason, and one example."""

    kind: str
    reason: str
    count: int
    uri: str


def join_notes(notes: Sequence[str]) -> str | None:
    """Notes as a row keeps them; None when there are none."""
    return "\n".join(notes) or None


def split_notes(kept: str | None) -> list[str]:
    """The notes of a row."""
    return kept.split("\n") if kept else []
