"""Which of the known names somebody may have meant by one that there is not."""

from collections.abc import Iterable

NEAREST = 3
ALMOST = 0.75
"""How alike a name is that somebody may have misspelt, of 1."""


def find_near(name: str, known: Iterable[str]) -> list[str]:
    """Known names that are spelt almost so, the nearest first."""
    return _match(name, known, alike=ALMOST)


def find_nearest(name: str, known: Iterable[str]) -> list[str]:
    """Known names, the nearest first, however far they are."""
    return _match(name, known, alike=0.0)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question for the end of a message; empty where nothing is spelt almost so."""
    near = find_near(name, known)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _match(name: str, known: Iterable[str], *, alike: float) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name, list(known), n=NEAREST, cutoff=alike)
