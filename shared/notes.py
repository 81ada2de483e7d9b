"""Notes of a document: what was left out or guessed when it was read, kept in its row as a line each."""

from collections.abc import Sequence


def join_notes(notes: Sequence[str]) -> str | None:
    """Notes as a row keeps them; None when there are none."""
    return "\n".join(notes) or None


def split_notes(kept: str | None) -> list[str]:
    """The notes of a row."""
    return kept.split("\n") if kept else []
