"""Owns how an answer is shown: which of its pages, with what around the hits, and what is folded or left out."""

from dataclasses import dataclass, replace

from embedmill.shared.errors import UsageError

MOST_HITS = 1000
MOST_CONTEXT = 20
MOST_OFFSET = 1_000_000
"""Far behind the last hit that any order has."""
SPREAD = 3
"""So many chunks of a document come before those of others, unless it is said otherwise: enough to answer from one good
document, too few for it to fill the page; quality is the same from 1 to all."""


@dataclass(frozen=True, slots=True)
class View:
    """How an answer is shown.

    `offset` hits are passed over; or the page follows the one whose `next` is given as `after`. Of each document at
    most `per_document` hits are shown and the others named with its first; 0 is no limit, and None shows all, those
    after a document's third behind those of others. `context` chunks are shown before and after each hit. Near-copies
    are hits of their own unless they are folded, `to_the_word` only those that say the same in the same words.
    `explain` tells what each stage cost and changed.
    """

    offset: int = 0
    after: str | None = None
    per_document: int | None = None
    context: int = 0
    fold: bool = True
    to_the_word: bool = False
    explain: bool = False

    def __post_init__(self) -> None:
        _require(self.offset, "offset", least=0, most=MOST_OFFSET)
        _require(0 if self.per_document is None else self.per_document, "per_document", least=0)
        _require(self.context, "context", least=0, most=MOST_CONTEXT)
        if self.offset and self.after is not None:
            raise UsageError("a page begins at an offset or after another, not both")

    @property
    def unexplained(self) -> "View":
        """The same hits, with no word about how they came about."""
        return replace(self, explain=False)

    @property
    def spread(self) -> int | None:
        """How many chunks of a document come before those of others; None where that is all the same."""
        return SPREAD if self.per_document is None else None


def check_top_k(top_k: object) -> None:
    """Raise UsageError for what is no number of hits."""
    _require(top_k, "top_k", least=1, most=MOST_HITS)


def _require(value: object, name: str, *, least: int, most: int | None = None) -> None:
    if type(value) is not int or value < least or (most is not None and value > most):
        above = "or more" if most is None else f"to {most}"
        raise UsageError(f"{name} is {value!r}, and not a number from {least} {above}")


FIRST_PAGE = View()
EVERY_SAYING = View(to_the_word=True)
"""Hits to answer from: of two that differ in a word one may contradict the other."""
EXPLAINED_SAYING = View(to_the_word=True, explain=True)
EVERY_CHUNK = View(per_document=0, fold=False)
"""Every chunk by its score alone, as it is measured."""
