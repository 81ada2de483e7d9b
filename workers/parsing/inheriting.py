"""Owns how a style takes over what its parents say, in Word and in OpenDocument alike."""

from collections.abc import Callable, Container
from typing import Protocol, Self, TypeVar

MOST_PARENTS = 20
"""A longer chain is a circle, or nobody's document."""


class Inheriting(Protocol):
    """A style that names its parent."""

    @property
    def parent(self) -> str:
        """Its parent's name; empty where it has none."""

    def below(self, parent: Self) -> Self:
        """The style with what only its parent says."""


S = TypeVar("S", bound=Inheriting)


def with_parents(name: str, own: Callable[[str], S], defined: Container[str]) -> S:
    """A style with all that its parents add, as far as they are defined; `own` is what a style says by itself."""
    style = own(name)
    parent = style.parent
    for _ in range(MOST_PARENTS):
        if parent not in defined:
            break
        above = own(parent)
        style, parent = style.below(above), above.parent
    return style
