"""Owns the reading of rows into a segment: their words as they wait for the index, or cut from their texts again."""

import json
import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.paging import batched
from embedmill.shared.providers.vectorstores.embedded import schema
from embedmill.shared.providers.vectorstores.embedded.codes import Codes, encode, join
from embedmill.shared.providers.vectorstores.embedded.records import unpack_text, unpack_vectors
from embedmill.shared.providers.vectorstores.embedded.segment import Segment, make
from embedmill.shared.words import counting, cutting
from embedmill.shared.words.counts import CountsOfMany, Kept

ROWS = "SELECT key, id, vector FROM vectors WHERE key > ? AND key <= ? ORDER BY key LIMIT ?"
WORDS_BETWEEN = "SELECT key, terms, counts, length FROM words WHERE key BETWEEN ? AND ? AND cutter = ?"
TEXTS = "SELECT key, title, uri, section, text FROM vectors WHERE key IN (SELECT value FROM json_each(?))"
# With the plus the ids of these rows are sorted; without it all ids there are might be passed in order.
BY_ID = "SELECT key FROM vectors WHERE key IN (SELECT value FROM json_each(?)) ORDER BY +id"

CUT_AT_ONCE, READ_AT_ONCE = 256, 256
"""Texts and rows that are in memory at a time."""

UNKNOWN: Kept = b"", b"", 0
"""The words of a row that a former cutter never met."""


def read_segment(
    connection: sqlite3.Connection, after: int, upto: int, *, limit: int, dimensions: int, cutter: int
) -> Segment | None:
    """A segment of the first rows whose keys are above `after`, and `upto` at most; None when there are no more."""
    keys, ids, codes, words = list[int](), list[str](), list[Codes](), list[CountsOfMany]()
    for rows in batched(connection.execute(ROWS, (after, upto, limit)), READ_AT_ONCE):
        read = [key for key, _, _ in rows]
        keys += read
        ids += [id for _, id, _ in rows]
        codes.append(encode(unpack_vectors([vector for _, _, vector in rows], dimensions)))
        words.append(read_words(connection, read, cutter))
    if not keys:
        return None
    whole, counts = join([(one, np.arange(len(one.scales))) for one in codes]), CountsOfMany.join(words)
    # A writer has a whole batch in memory beside this.
    codes.clear()
    words.clear()
    return make(keys, ids, counts, whole)


def read_words(connection: sqlite3.Connection, keys: Sequence[int], cutter: int) -> CountsOfMany:
    """The words of rows, given by ascending keys; what is not kept is cut if the cutter is today's."""
    found: list[tuple[int, Kept]] = []
    if schema.version_of(connection) >= schema.WITH_WORDS:
        kept = connection.execute(WORDS_BETWEEN, (keys[0], keys[-1], cutter))
        found = [(key, (terms, counts, length)) for key, terms, counts, length in kept]
    known = dict(found)
    if cutter == cutting.VERSION:
        known |= _cut(connection, [key for key in keys if key not in known])
    return CountsOfMany.read([known.get(key, UNKNOWN) for key in keys])


def _cut(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Kept]:
    known: dict[int, Kept] = {}
    for found in batched(connection.execute(TEXTS, (json.dumps(keys),)) if keys else (), CUT_AT_ONCE):
        counted = counting.count_each(
            [cutting.Words(t, uri, section, unpack_text(text)) for _, t, uri, section, text in found]
        )
        known |= zip((key for key, *_ in found), counted.kept(), strict=True)
    return known


def read_ranks(connection: sqlite3.Connection, keys: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Of rows, given by ascending keys, the place of each one's id among all of them."""
    found = [key for (key,) in connection.execute(BY_ID, (json.dumps(keys.tolist()),))]
    ranks = np.zeros(len(keys), np.uint32)
    ranks[keys.searchsorted(np.array(found, np.int64))] = np.arange(len(found), dtype=np.uint32)
    return ranks
