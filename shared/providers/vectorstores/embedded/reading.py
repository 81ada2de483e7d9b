"""Owns the reading of rows into a segment: their words as they wait for the index, or cut from their texts again."""

import json
import sqlite3
from collections.abc import Sequence

import numpy as np

from embedmill.shared.paging import batched
from embedmill.shared.providers.vectorstores.embedded import schema
from embedmill.shared.providers.vectorstores.embedded.codes import Codes, encode, join
from embedmill.shared.providers.vectorstores.embedded.records import unpack_text, unpack_vectors
from embedmill.shared.providers.vectorstores.embedded.segment import Segment, make
from embedmill.shared.words import counting, cutting
from embedmill.shared.words.counts import TermCounts

ROWS = "SELECT key, id, vector FROM vectors WHERE key > ? AND key <= ? ORDER BY key LIMIT ?"
WORDS_BETWEEN = "SELECT key, terms, counts, length FROM words WHERE key BETWEEN ? AND ? AND cutter = ?"
TEXTS = "SELECT key, title, uri, section, text FROM vectors WHERE key IN (SELECT value FROM json_each(?))"
IDS = "SELECT id FROM vectors WHERE key IN (SELECT value FROM json_each(?)) ORDER BY key"

CUT_AT_ONCE, ENCODED_AT_ONCE = 256, 1_024
"""Texts and vectors that are in memory at a time."""

UNKNOWN = TermCounts(np.empty(0, np.uint32), np.empty(0, np.uint8), 0)
"""The words of a row that a former cutter never met."""


def read_segment(
    connection: sqlite3.Connection, after: int, upto: int, *, limit: int, dimensions: int, cutter: int
) -> Segment | None:
    """A segment of the first rows whose keys are above `after`, and `upto` at most; None when there are no more."""
    keys, ids, codes = list[int](), list[str](), list[Codes]()
    for rows in batched(connection.execute(ROWS, (after, upto, limit)), ENCODED_AT_ONCE):
        keys += [key for key, _, _ in rows]
        ids += [id for _, id, _ in rows]
        codes.append(encode(unpack_vectors([vector for _, _, vector in rows], dimensions)))
    if not keys:
        return None
    whole = join([(one, np.arange(len(one.scales))) for one in codes])
    return make(keys, ids, read_words(connection, keys, cutter), whole)


def read_words(connection: sqlite3.Connection, keys: Sequence[int], cutter: int) -> list[TermCounts]:
    """The words of rows, given by ascending keys; what is not kept is cut if the cutter is today's."""
    known: dict[int, TermCounts] = {}
    if schema.version_of(connection) >= schema.WITH_WORDS:
        for key, terms, counts, length in connection.execute(WORDS_BETWEEN, (keys[0], keys[-1], cutter)):
            known[key] = TermCounts(np.frombuffer(terms, np.uint32), np.frombuffer(counts, np.uint8), length)
    if cutter != cutting.VERSION:
        return [known.get(key, UNKNOWN) for key in keys]
    missing = [key for key in keys if key not in known]
    for found in batched(connection.execute(TEXTS, (json.dumps(missing),)) if missing else (), CUT_AT_ONCE):
        counted = counting.count_each(
            [cutting.Words(t, uri, section, unpack_text(text)) for _, t, uri, section, text in found]
        )
        known |= zip((key for key, *_ in found), counted, strict=True)
    return [known[key] for key in keys]


def read_ids(connection: sqlite3.Connection, keys: Sequence[int]) -> list[str]:
    """The ids of rows, given by ascending keys."""
    return [id for (id,) in connection.execute(IDS, (json.dumps(keys),))]
