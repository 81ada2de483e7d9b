"""Owns the cutting of texts into terms: one cutter for documents and queries, in every store."""

import re
from collections import Counter
from hashlib import blake2b

import numpy as np

from embedmill.shared.words.counts import UNITS, TermCounts

VERSION = 1
"""Belongs to an index: rows cut by another version are cut anew before they are searched."""

FIELDS = (("title", 2.0), ("name", 2.0), ("section", 1.5), ("text", 1.0))
WORD = re.compile(r"[^\W_]+")


def term_id(term: str) -> int:
    """The number of a term, the same in every process: 32 bits, as sparse vectors take them."""
    return int.from_bytes(blake2b(term.encode(), digest_size=4).digest(), "big")


def count_terms(*, title: str = "", uri: str = "", section: str = "", text: str = "") -> TermCounts:
    """What a store keeps of a chunk's words."""
    counted: Counter[int] = Counter()
    length = 0
    for (_, weight), field in zip(FIELDS, (title, uri, section, text), strict=True):
        words = WORD.findall(field.casefold())
        length += len(words)
        for word in words:
            counted[term_id(word)] += int(weight * UNITS)
    terms = np.array(sorted(counted), np.uint32)
    counts = np.array([min(counted[term], 255) for term in terms.tolist()], np.uint8)
    return TermCounts(terms, counts, length)
