"""Erasures: opened together with their tombstones, moved from step to step, and kept with their receipts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from embedmill.shared.db.bulk import among, insert_each
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import erased_document, erasure
from embedmill.shared.erasing import ErasureState
from embedmill.shared.errors import NotFound


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure. `step` is the next to be taken, `progress` what was done and found so far: numbers and hashes."""

    id: str
    cause: str
    state: ErasureState
    step: str
    progress: Mapping[str, Any]
    documents: int
    error: str | None
    receipt: Mapping[str, Any] | None
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class ErasedDocument:
    """A document of an erasure; `known` is what its work referred to, None before that was gathered."""

    document_id: str
    collection_id: int
    known: Mapping[str, Any] | None


def open_erasure(connection: Connection, id: str, documents: Mapping[str, int], *, cause: str, step: str) -> None:
    """Record an erasure of documents, given with their collections' numbers."""
    connection.execute(
        insert(erasure).values(
            id=id,
            cause=cause,
            state=ErasureState.OPEN,
            step=step,
            progress={},
            documents=len(documents),
            created_at=clock(),
        )
    )
    rows = [{"document_id": id_, "collection_id": place} for id_, place in sorted(documents.items())]
    insert_each(connection, erased_document, rows, erasure_id=id)


def _row(row: Any) -> Erasure:
    return Erasure(**{**row._mapping, "state": ErasureState(row.state)})


def get_erasure(connection: Connection, id: str) -> Erasure:
    """An erasure; raises NotFound."""
    row = connection.execute(select(erasure).where(erasure.c.id == id)).first()
    if row is None:
        raise NotFound(f"no erasure {id!r}", hint="embedmill erasures list")
    return _row(row)


def list_erasures(connection: Connection, *, limit: int) -> list[Erasure]:
    """The newest erasures."""
    query = select(erasure).order_by(erasure.c.created_at.desc(), erasure.c.id).limit(limit)
    return [_row(row) for row in connection.execute(query)]


def list_open(connection: Connection) -> list[str]:
    """Erasures that are not done, the oldest first."""
    query = select(erasure.c.id).where(erasure.c.finished_at.is_(None)).order_by(erasure.c.created_at)
    return list(connection.execute(query).scalars())


def find_open_of(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The open erasure of each of some documents that has one."""
    query = (
        select(erased_document.c.document_id, erasure.c.id)
        .join(erasure, erasure.c.id == erased_document.c.erasure_id)
        .where(among(connection, erased_document.c.document_id, ids), erasure.c.finished_at.is_(None))
    )
    return {row.document_id: row.id for row in connection.execute(query)}


def list_erased(connection: Connection, id: str, *, after: str = "", limit: int) -> list[ErasedDocument]:
    """The next documents of an erasure by id, `after` one."""
    query = (
        select(erased_document.c.document_id, erased_document.c.collection_id, erased_document.c.known)
        .where(erased_document.c.erasure_id == id, erased_document.c.document_id > after)
        .order_by(erased_document.c.document_id)
        .limit(limit)
    )
    return [ErasedDocument(*row) for row in connection.execute(query)]


def know(connection: Connection, id: str, known: Mapping[str, Mapping[str, Any]]) -> None:
    """Write down what the work of documents referred to."""
    for document_id, found in known.items():
        here = (erased_document.c.erasure_id == id, erased_document.c.document_id == document_id)
        connection.execute(update(erased_document).where(*here).values(known=dict(found)))


def move(connection: Connection, id: str, *, step: str, found: Mapping[str, Any]) -> None:
    """Go on to a step, and remember what the one before it did."""
    progress = dict(get_erasure(connection, id).progress) | dict(found)
    connection.execute(update(erasure).where(erasure.c.id == id).values(step=step, progress=progress, error=None))


def note_error(connection: Connection, id: str, error: str) -> None:
    """Say what an erasure waits for."""
    connection.execute(update(erasure).where(erasure.c.id == id, erasure.c.error != error).values(error=error))
    connection.execute(update(erasure).where(erasure.c.id == id, erasure.c.error.is_(None)).values(error=error))


def finish(connection: Connection, id: str, receipt: Mapping[str, Any]) -> None:
    """It is done; what its work referred to is forgotten."""
    values = {"state": ErasureState.DONE, "receipt": dict(receipt), "finished_at": clock(), "error": None}
    connection.execute(update(erasure).where(erasure.c.id == id).values(**values))
    connection.execute(update(erased_document).where(erased_document.c.erasure_id == id).values(known=None))


def list_watched(
    connection: Connection, *, since: float, until: float, delays: Sequence[float]
) -> list[ErasedDocument]:
    """Documents of erasures that were done so long before: rows of theirs may have been written since."""
    times = [(erasure.c.finished_at > since - delay) & (erasure.c.finished_at <= until - delay) for delay in delays]
    due = times[0]
    for time in times[1:]:
        due |= time
    query = (
        select(erased_document.c.document_id, erased_document.c.collection_id, erased_document.c.known)
        .join(erasure, erasure.c.id == erased_document.c.erasure_id)
        .where(due)
        .order_by(erased_document.c.collection_id, erased_document.c.document_id)
    )
    return [ErasedDocument(*row) for row in connection.execute(query)]


def forget_watched(connection: Connection, *, older_than_seconds: float) -> int:
    """Forget the ids of documents that were erased so long ago; returns how many."""
    old = select(erasure.c.id).where(erasure.c.finished_at < clock() - older_than_seconds).scalar_subquery()
    return connection.execute(delete(erased_document).where(erased_document.c.erasure_id.in_(old))).rowcount


def count_by_cause(connection: Connection, cause: str, collection_id: int) -> tuple[int, float | None]:
    """How many documents of a collection were erased for a cause and are still known, and when last."""
    query = (
        select(func.count(), func.max(erasure.c.finished_at))
        .join_from(erased_document, erasure, erasure.c.id == erased_document.c.erasure_id)
        .where(erasure.c.cause == cause, erased_document.c.collection_id == collection_id)
    )
    row = connection.execute(query).one()
    return int(row[0]), row[1]
