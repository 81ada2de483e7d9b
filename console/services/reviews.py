"""Reviews: verdicts that a person should look at, and what follows from deciding about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.jobs import JobReport, describe_job
from embedmill.console.services.reach import in_collection, installation
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import collections, repairs, reviews
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import BlobMissing
from embedmill.shared.privacy.verdict_seals import open_doubts, open_verdict
from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ReviewEntry:
    """A verdict in doubt with its chunk; `text` is None when the document has changed since."""

    id: int
    collection: str
    document: str
    uri: str
    chunk: str
    ordinal: int
    doubts: Sequence[str]
    verdict: Mapping[str, Any] | None
    model: str
    prompt_hash: str
    created_at: float
    resolved_at: float | None
    resolution: str | None
    text: str | None

    @property
    def score(self) -> int | None:
        """What the model gave the chunk; None of a verdict that was damaged."""
        return self.verdict.get("score") if self.verdict else None


@dataclass(frozen=True, slots=True)
class Reviews:
    """Entries of the review queue, oldest first."""

    reviews: Sequence[ReviewEntry]


@dataclass(frozen=True, slots=True)
class AcceptedReviews:
    """Verdicts that are right, and the jobs that apply them."""

    accepted: Sequence[int]
    jobs: Sequence[JobReport]


@dataclass(frozen=True, slots=True)
class RejectedReviews:
    """Verdicts that are wrong; nothing is done about their chunks."""

    rejected: Sequence[int]


@serves("review.list", Right.OPERATE, in_collection(), trace=Trace.READ)
def list_reviews(
    runtime: Runtime, *, collection: str | None = None, resolved: bool = False, limit: int = 100
) -> Reviews:
    """Open entries, or those that were decided; raises NotFound for a collection that there is not."""

    def find(connection: Connection) -> list[dict[str, Any]]:
        found = collections.get_collection(connection, collection).id if collection else None
        return reviews.list_reviews(
            connection,
            collection_id=found,
            resolved=resolved,
            limit=limit,
            open_verdict=partial(open_verdict, runtime.vault),
        )

    rows = runtime.database.query(find)
    blobs = runtime.blobs.get_pack(list({row["chunks_ref"] for row in rows if row["chunks_ref"]}))
    opened = [row | {"doubts": open_doubts(runtime.vault, row["doubts"])} for row in rows]
    return Reviews([_describe(row, blobs) for row in opened])


def _describe(row: Mapping[str, Any], blobs: Mapping[str, bytes | BlobMissing]) -> ReviewEntry:
    told = {name: row[name] for name in ReviewEntry.__dataclass_fields__ if name in row}
    return ReviewEntry(**told, document=row["document_id"], text=_read_chunk(row, blobs))


def _read_chunk(row: Mapping[str, Any], blobs: Mapping[str, bytes | BlobMissing]) -> str | None:
    from embedmill.workers.stored import read_stored

    try:
        chunk_set, _, _ = read_stored(row["chunks_ref"], None, blobs)
    except BlobMissing:
        return None
    if row["chunk"] not in chunk_set.ids:
        return None
    return chunk_set.chunks[chunk_set.ids.index(row["chunk"])].shown(chunk_set.text)


@serves("review.accept", Right.OPERATE, installation, told=("numbers",))
def accept_reviews(
    runtime: Runtime, numbers: Sequence[int], *, work: bool = False, listener: Listener = NOBODY
) -> AcceptedReviews:
    """Say that verdicts are right, and have them applied, which costs nothing; raises NotFound, UserError.

    With `work` they are applied here until that is done.
    """
    from embedmill.console.services.working import work_on_job

    attempts = runtime.settings.max_attempts
    jobs = runtime.database.transact(lambda connection: _accept(connection, numbers, attempts))
    for job in jobs if work else ():
        work_on_job(runtime, job, listener)
    return AcceptedReviews(numbers, [describe_job(runtime, job) for job in jobs])


def _accept(connection: Connection, numbers: Iterable[int], attempts: int) -> list[int]:
    """Decide, and submit what follows from it where verdicts decide about chunks; returns the jobs."""
    about: dict[int, set[str]] = {}
    for number in numbers:
        for collection_id, document in reviews.resolve_review(connection, number, "accepted"):
            about.setdefault(collection_id, set()).add(document)
    return [
        repairs.submit_revalidation(connection, id_, sorted(documents), max_attempts=attempts)
        for id_, documents in about.items()
        if read_collection_settings(collections.get_collection_by_id(connection, id_).settings).gates
    ]


@serves("review.reject", Right.OPERATE, installation, told=("numbers",))
def reject_reviews(runtime: Runtime, numbers: Sequence[int]) -> RejectedReviews:
    """Say that verdicts are wrong: they are never acted upon. Raises NotFound, UserError."""

    def decide(connection: Connection) -> None:
        for number in numbers:
            reviews.resolve_review(connection, number, "rejected")

    runtime.database.transact(decide)
    return RejectedReviews(numbers)
