"""What Pinecone bills a request by, in thousandths of its read and write units: the one place that knows the rules.

Source: docs.pinecone.io, "Understand Pinecone cost", read 2026-11-25. Answers to reads tell whole units. Answers to
writes tell nothing, so that those are computed; where the page leaves a rule open, the dearer reading is taken: what is
overwritten comes on top of the least that a request costs, and is rounded up apart. Statistics are not billed.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from embedmill.shared.ledger import Usage
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.vectorstores.metering import UNIT, Offer
from embedmill.shared.providers.vectorstores.pinecone.wording import BYTES_PER_TERM, MAX_TERMS

QUERY, FETCH, LIST, UPSERT, DELETE = "query", "fetch", "list", "upsert", "delete"
BYTES_PER_WRITE_UNIT = 1000
LEAST_WRITE_UNITS = 5
LEAST_READ = {QUERY: 250, FETCH: UNIT, LIST: UNIT}
RECORDS_PER_READ_UNIT = 10
IDS_PER_LIST = 100
IDS_PER_FETCH = 100
"""Ids in one URL; a thousand are allowed, but not by every proxy on the way."""
DELETE_ALL = UNIT * LEAST_WRITE_UNITS
FLOAT_BYTES = 4
BYTES_OF_TEXT_PER_TERM = 11
"""Of a chunk in English, where words come again; counted on the shared sets."""
MOST_UNITS = 1_000_000
"""Of one read, beyond which its answer is not believed: a read costs at most some units a gigabyte or a record."""


RECORD_BYTES = 600
"""Of a record beside its vector and text: id, title, place."""


class PineconeOffer(Offer):
    """What Pinecone bills."""

    __slots__ = ()

    def usage_of_indexing(self, *, documents: int, chunks: int, text_bytes: int, dimensions: int) -> tuple[Usage, ...]:
        """A record is looked for before it is written and its document listed after.

        How often a store is asked whether it has caught up depends on its lag, and is a quarter of a unit each time
        while a shard is small.
        """
        text = math.ceil(text_bytes / max(chunks, 1))
        terms = min(math.ceil(text / BYTES_OF_TEXT_PER_TERM), MAX_TERMS)
        each = RECORD_BYTES + FLOAT_BYTES * dimensions + text + BYTES_PER_TERM * terms
        listed = UNIT * max(documents, math.ceil(chunks / IDS_PER_LIST)) if chunks else 0
        written = milliunits_of_upsert([each] * chunks) if chunks else 0
        looked_for = UNIT * math.ceil(chunks / IDS_PER_FETCH)
        amounts = ((UPSERT, written, chunks), (FETCH, looked_for, 0), (LIST, listed, 0))
        return tuple(
            Usage(self.provider, self.model, operation, inputs=rows, milliunits=milliunits, calls=0)
            for operation, milliunits, rows in amounts
        )


OFFER = PineconeOffer("pinecone", "serverless", (QUERY, FETCH, LIST, UPSERT, DELETE))


def size_of(id: str, metadata: Mapping[str, Any], *, dimensions: int, terms: int = 0) -> int:
    """Bytes of a record, as they are billed; `terms` are the values of its sparse vector."""
    return len(id) + FLOAT_BYTES * dimensions + BYTES_PER_TERM * terms + len(orjson.dumps(metadata))


def milliunits_of_upsert(written: Iterable[int], replaced: Iterable[int] = ()) -> int:
    """Of one request, by the bytes of its records and of those that they overwrite."""
    return UNIT * (max(LEAST_WRITE_UNITS, _kilobytes(written)) + _kilobytes(replaced))


def milliunits_of_delete(deleted: Iterable[int]) -> int:
    """Of one request, by the bytes of the records that are there; ids of none cost nothing."""
    return UNIT * max(LEAST_WRITE_UNITS, _kilobytes(deleted))


def milliunits_of_fetch(records: int) -> int:
    """Of one request that finds so many, at most."""
    return UNIT * max(1, math.ceil(records / RECORDS_PER_READ_UNIT))


def milliunits_of_list(ids: int) -> int:
    """Of the pages that so many ids fill; none are a page too."""
    return UNIT * max(1, math.ceil(ids / IDS_PER_LIST))


def milliunits_billed(operation: str, answer: Any, *, otherwise: int) -> int:
    """What the answer to a read says that it cost, whatever became of a fraction, and the least that it can be.

    Nothing was billed where the service knows no such namespace.
    """
    if answer is None:
        return 0
    read = read_count(answer, "usage", "read_units")
    if read is None or read > MOST_UNITS:
        return otherwise
    return max(UNIT * read, LEAST_READ[operation])


def _kilobytes(sizes: Iterable[int]) -> int:
    return math.ceil(sum(sizes) / BYTES_PER_WRITE_UNIT)
