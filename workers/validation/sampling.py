"""Which chunks and documents are sampled: the first of a collection always, then a share that follows what is found."""

from embedmill.shared.addresses import digest
from embedmill.shared.db.samples import TERMS, VERDICT, Counts, Sampled
from embedmill.workers.stored import Stored

FIRST_CHUNKS, FIRST_DOCUMENTS = 100, 20
USUAL_SHARE, RAISED_SHARE = 0.10, 0.50
RAISED_ABOVE = 0.05
"""Of the chunks that a model has judged; above this share of bad ones, more are looked at."""
BAD_SCORE = 2
"""The highest score that counts as an error."""


def is_chunk_sampled(sampled: Sampled, counts: Counts) -> bool:
    """Whether to look at a chunk: the answer depends on the chunk and the counts, never on chance."""
    return counts.sampled < FIRST_CHUNKS or share_of(sampled.chunk) < chunk_share(counts)


def chunk_share(counts: Counts) -> float:
    """The share of chunks that is looked at after the first hundred."""
    return RAISED_SHARE if counts.errors > RAISED_ABOVE * counts.judged else USUAL_SHARE


def is_document_sampled(sampled: Sampled, counts: Counts, *, share: float) -> bool:
    """Whether to collect the terms of a document."""
    return share > 0 and (counts.sampled < FIRST_DOCUMENTS or share_of(sampled.chunk) < share)


def share_of(id_: str) -> float:
    """A number from 0 to 1 that is the same for the same id everywhere, and evenly spread."""
    return int(digest("sample", id_, length=8), 16) / 16**8


def chunk_candidates(stored: Stored) -> list[Sampled]:
    """A document's kept chunks as samples."""
    return [
        _sampled(stored, VERDICT, stored.chunk_set.ids[chunk.ordinal], chunk.ordinal)
        for chunk in stored.chunk_set.chunks
    ]


def document_candidate(stored: Stored) -> Sampled:
    """A document as a sample: one for each of its texts."""
    return _sampled(stored, TERMS, digest("terms", stored.chunk_set.text, length=24), 0)


def _sampled(stored: Stored, kind: str, chunk: str, ordinal: int) -> Sampled:
    item = stored.item
    return Sampled(item.collection_id, item.document_id, item.job_id, kind, chunk, ordinal, item.chunks_ref or "")
