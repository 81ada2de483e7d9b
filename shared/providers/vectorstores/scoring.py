"""Owns the comparison of a few rows by their words, for a store that cannot search words itself.

BM25 with the rows at hand as the whole collection: a word that every candidate has says little, which is what matters
for ordering them. Words in title and section count more, as in the other stores. Stems are not taken.
"""

import math
from collections import Counter
from collections.abc import Mapping

from embedmill.shared.providers.vectorstores.base import VectorRow
from embedmill.shared.providers.vectorstores.words import query_words, words_of

FIELDS = (("title", 2.0), ("section", 1.5), ("text", 1.0))
SATURATION = 1.2
LENGTH_SHARE = 0.75


def score_words(rows: Mapping[str, VectorRow], text: str) -> dict[str, float]:
    """The score of each row that holds any of the text's words."""
    terms = query_words(text).split()
    counted = {id: _count(row) for id, row in rows.items()}
    if not terms or not counted:
        return {}
    mean = sum(length for _, length in counted.values()) / len(counted) or 1.0
    rarity = {term: _rarity(sum(term in words for words, _ in counted.values()), len(counted)) for term in terms}
    scores = {
        id: sum(rarity[term] * _often(words[term], length / mean) for term in terms if term in words)
        for id, (words, length) in counted.items()
    }
    return {id: score for id, score in scores.items() if score > 0}


def _count(row: VectorRow) -> tuple[Mapping[str, float], float]:
    words: Counter[str] = Counter()
    weighed: dict[str, float] = {}
    for name, weight in FIELDS:
        found = words_of(getattr(row, name)).split()
        words.update(found)
        for word in found:
            weighed[word] = weighed.get(word, 0.0) + weight
    return weighed, float(words.total())


def _rarity(holding: int, rows: int) -> float:
    return math.log(1 + (rows - holding + 0.5) / (holding + 0.5))


def _often(count: float, length: float) -> float:
    return count * (SATURATION + 1) / (count + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length))
