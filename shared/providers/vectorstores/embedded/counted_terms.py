"""Owns how many rows hold the terms that were asked for lately, of all segments that are read from files.

A search counts its own words and hundreds of those of its first hits, in every segment; most of them come again. It
holds for as long as the segments are the same and all of their rows may be found; rows since are counted each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from embedmill.shared.providers.vectorstores.embedded import word_search
from embedmill.shared.providers.vectorstores.embedded.portions import Pass, Portion
from embedmill.shared.providers.vectorstores.embedded.segment import Segment
from embedmill.shared.words.weighing import WordCounts

MOST = 30_000
"""Terms that are remembered, some 100 bytes each."""


@dataclass(frozen=True, slots=True)
class _CountedSegments:
    """Some segments, and of their rows how many hold each of some terms."""

    segments: tuple[Segment, ...] = ()
    holding: dict[int, int] = field(default_factory=dict)

    def are(self, portions: Sequence[Portion]) -> bool:
        """Whether these are the segments of some portions."""
        return len(portions) == len(self.segments) and all(
            portion.segment is segment for portion, segment in zip(portions, self.segments, strict=True)
        )


class CountedTerms:
    """The terms of a store; threads that count at once find the same."""

    def __init__(self) -> None:
        self._counted = _CountedSegments()

    def count(self, portions: Sequence[Portion], terms: Sequence[int], *, under_way: Pass) -> WordCounts:
        """As `word_search.count` has it."""
        steady = [portion for portion in portions if _is_steady(portion)]
        if not steady:
            return word_search.count(portions, terms, under_way=under_way)
        known = self._counted
        if len(known.holding) > MOST or not known.are(steady):
            known = _CountedSegments(tuple(portion.segment for portion in steady))
        new = word_search.count(steady, [term for term in terms if term not in known.holding], under_way=under_way)
        others = [portion for portion in portions if not _is_steady(portion)]
        fresh = word_search.count(others, terms, under_way=under_way)
        if under_way.failed:
            return word_search.count(portions, terms, under_way=under_way)
        known.holding.update(new.holding or {})
        self._counted = known
        return WordCounts(
            fresh.rows + sum(map(len, known.segments)),
            fresh.words + sum(segment.words for segment in known.segments),
            {term: often + known.holding[term] for term, often in (fresh.holding or {}).items()},
        )


def _is_steady(portion: Portion) -> bool:
    return portion.mask is None and portion.segment.postings.pages is not None
