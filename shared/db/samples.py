"""Samples: chunks and documents that a model is to look at beside the path, and how many there were of each kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, update

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import is_literally, sample, sample_count

MOST_ATTEMPTS = 5
# How long a sample that was taken is left to whoever took it.
TAKEN_SECONDS = 300.0

VERDICT, TERMS = "verdict", "terms"


@dataclass(frozen=True, slots=True)
class Sampled:
    """A chunk (`kind` verdict) or a document (`kind` terms) to look at, and where its text is stored."""

    collection_id: int
    document_id: str
    job_id: int | None
    kind: str
    chunk: str
    ordinal: int
    chunks_ref: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one collection and kind: those sampled, those of them that a model has judged, and the bad ones of these."""

    sampled: int = 0
    judged: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A sample that is this process's to look at."""

    id: int
    sampled: Sampled
    attempts: int


def get_counts(connection: Connection, collection_id: int, kind: str) -> Counts:
    """What was counted so far."""
    query = select(sample_count.c.sampled, sample_count.c.judged, sample_count.c.errors)
    row = connection.execute(_counts(query, collection_id, kind)).first()
    return Counts(*row) if row else Counts()


def submit_samples(
    connection: Connection,
    candidates: Sequence[Sampled],
    *,
    collection_id: int,
    kind: str,
    choose: Callable[[Sampled, Counts], bool],
) -> int:
    """Add those of the candidates that are chosen; returns how many are new.

    `choose` is asked in order, with the counts as they grow. What was sampled before is not counted again, so a stage
    that runs twice changes nothing. Workers take turns by the row of counts.
    """
    counts = _lock_counts(connection, collection_id, kind)
    known = _find_known(connection, candidates, kind)
    chosen: list[Sampled] = []
    for candidate in candidates:
        if (candidate.document_id, candidate.chunk) not in known and choose(candidate, counts):
            chosen.append(candidate)
            counts = Counts(counts.sampled + 1, counts.judged, counts.errors)
    if chosen:
        rows = [{name: getattr(entry, name) for name in Sampled.__slots__} for entry in chosen]
        query = insert_or(connection, sample).values(state="pending", available_at=clock(), created_at=clock())
        connection.execute(query.on_conflict_do_nothing(), rows)
        query = update(sample_count).values(sampled=counts.sampled)
        connection.execute(_counts(query, collection_id, kind))
    return len(chosen)


def select_due() -> Select[int]:
    """Samples to look at."""
    return select(sample.c.id).where(_is_pending(), sample.c.available_at <= clock())


def has_due_samples(connection: Connection) -> bool:
    """Whether there is something to look at."""
    return connection.execute(select_due().limit(1)).first() is not None


def take_samples(connection: Connection, *, limit: int) -> list[Taken]:
    """Pending samples, those first that are due for longest; nobody else gets them for a while."""
    query = select(sample).where(_is_pending(), sample.c.available_at <= clock())
    query = query.order_by(sample.c.available_at, sample.c.id).limit(limit).with_for_update(skip_locked=True)
    rows = list(connection.execute(query))
    ids = [row.id for row in rows]
    connection.execute(
        update(sample)
        .where(sample.c.id.in_(ids))
        .values(available_at=clock() + TAKEN_SECONDS, attempts=sample.c.attempts + 1)
    )
    return [
        Taken(row.id, Sampled(**{name: getattr(row, name) for name in Sampled.__slots__}), row.attempts + 1)
        for row in rows
    ]


def finish_sample(connection: Connection, id_: int, *, score: int | None, error: bool | None = None) -> None:
    """Record that a sample was looked at; `error` says whether what was found was bad, None if nobody could tell."""
    query = update(sample).where(sample.c.id == id_, sample.c.state == "pending")
    row = connection.execute(
        query.values(state="done", score=score, reason=None).returning(sample.c.collection_id, sample.c.kind)
    ).first()
    if row is not None and error is not None:
        counted = {"judged": sample_count.c.judged + 1, "errors": sample_count.c.errors + int(error)}
        connection.execute(_counts(update(sample_count).values(**counted), row.collection_id, row.kind))


def postpone_samples(connection: Connection, ids: Sequence[int], *, seconds: float, reason: str, counted: bool) -> None:
    """Try again later; one that was tried too often has failed. `counted` is false when it was not its own fault."""
    query = update(sample).where(sample.c.id.in_(ids), sample.c.state == "pending")
    later: dict[str, Any] = {"available_at": clock() + seconds, "reason": reason}
    if not counted:
        connection.execute(query.values(**later, attempts=sample.c.attempts - 1))
        return
    connection.execute(query.where(sample.c.attempts < MOST_ATTEMPTS).values(**later))
    connection.execute(query.where(sample.c.attempts >= MOST_ATTEMPTS).values(state="failed", reason=reason))


def drop_sample(connection: Connection, id_: int, *, reason: str) -> None:
    """Give a sample up for good, as when its text is gone."""
    connection.execute(update(sample).where(sample.c.id == id_).values(state="failed", reason=reason))


def count_samples(connection: Connection, collection_id: int) -> dict[str, dict[str, int]]:
    """How many samples of each kind are in each state."""
    query = (
        select(sample.c.kind, sample.c.state, func.count())
        .where(sample.c.collection_id == collection_id)
        .group_by(sample.c.kind, sample.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    for kind, state, count in connection.execute(query):
        found.setdefault(kind, {})[state] = count
    return found


def _lock_counts(connection: Connection, collection_id: int, kind: str) -> Counts:
    query = insert_or(connection, sample_count).values(collection_id=collection_id, kind=kind)
    connection.execute(query.on_conflict_do_nothing())
    locked = select(sample_count.c.sampled, sample_count.c.judged, sample_count.c.errors).with_for_update()
    return Counts(*connection.execute(_counts(locked, collection_id, kind)).one())


def _find_known(connection: Connection, candidates: Sequence[Sampled], kind: str) -> set[tuple[str, str]]:
    documents = list({candidate.document_id for candidate in candidates})
    query = select(sample.c.document_id, sample.c.chunk)
    query = query.where(sample.c.kind == kind, sample.c.document_id.in_(documents))
    return {(row.document_id, row.chunk) for row in connection.execute(query)}


def _is_pending() -> ColumnElement[bool]:
    return is_literally(sample.c.state, "pending")


def _counts(query: Any, collection_id: int, kind: str) -> Any:
    return query.where(sample_count.c.collection_id == collection_id, sample_count.c.kind == kind)
