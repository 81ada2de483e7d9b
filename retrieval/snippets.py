"""Owns which part of a text is shown where there is no room for all of it: the one with most of the query's words."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from embedmill.shared.words.cutting import count_terms

_WORD = re.compile(r"\S+")
LONGEST_WORD = 30
"""Signs of what is taken for a word; a longer run is of a script without spaces, and is looked through sign by sign."""
SIGNS_OF_A_WORD = 2
BESIDE = 2
"""At most so many signs between two words that stand side by side."""
CACHED_WORDS = 5000

Cut = Callable[[str], frozenset[int]]


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    terms: frozenset[int]


def snippet(text: str, terms: Collection[int], *, width: int) -> tuple[int, int]:
    """Where the part begins and ends, in characters: at most `width`, from word to word as far as that is possible.

    It holds as many different `terms` as can be, then as many side by side, then as many words, and is the first such.
    """
    if len(text) <= width:
        return 0, len(text)
    found = list(_found(text, frozenset(terms)))
    if not found:
        return _to_words(text, 0, width)
    first, last = _best(found, width)
    spare = max(width - (last.end - first.start), 0)
    start = max(min(first.start - spare // 3, len(text) - width), 0)
    return _to_words(text, start, width, keep=first.start)


def _found(text: str, terms: frozenset[int]) -> Iterator[_Found]:
    @lru_cache(CACHED_WORDS)
    def held(word: str) -> frozenset[int]:
        return terms.intersection(count_terms(text=word).terms.tolist())

    for start, end in _words(text):
        if named := held(text[start:end].casefold()):
            yield _Found(start, end, named)


def _words(text: str) -> Iterator[tuple[int, int]]:
    for word in _WORD.finditer(text):
        start, end = word.span()
        if end - start <= LONGEST_WORD:
            yield start, end
        else:
            yield from ((at, at + SIGNS_OF_A_WORD) for at in range(start, end - SIGNS_OF_A_WORD + 1))


def _best(found: list[_Found], width: int) -> tuple[_Found, _Found]:
    """The first and the last word of the best part."""
    best, ends = (0, 0, 0, 0), (found[0], found[0])
    last = 0
    for first, word in enumerate(found):
        last = max(last, first)
        while last + 1 < len(found) and found[last + 1].end - word.start <= width:
            last += 1
        held = found[first : last + 1]
        value = (len(frozenset().union(*(one.terms for one in held))), _pairs(held), len(held), -first)
        if value > best:
            best, ends = value, (word, found[last])
    return ends


def _pairs(found: list[_Found]) -> int:
    """How many stand beside the next of them."""
    return sum(1 for one, other in pairwise(found) if other.start - one.end <= BESIDE)


def _to_words(text: str, start: int, width: int, *, keep: int = 0) -> tuple[int, int]:
    """The part without the halves of words at its ends; `keep` is a place that stays in it."""
    end = min(start + width, len(text))
    if start and not text[start - 1].isspace():
        space = re.compile(r"\s").search(text, start, max(keep, start))
        start = space.end() if space else start
    if end < len(text) and not text[end].isspace():
        shorter = text.rfind(" ", start + width // 2, end)
        end = shorter if shorter > keep else end
    return start, end
