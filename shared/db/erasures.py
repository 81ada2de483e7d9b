"""Erasures: opened together with their tombstones, moved from step to step, and kept with their receipts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from embedmill.shared.db.bulk import among, insert_each
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import erased_document, erasure, tombstone
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


_COLUMNS = [erasure.c[name] for name in Erasure.__slots__]


def _row(row: Any) -> Erasure:
    return Erasure(**{**row._mapping, "state": ErasureState(row.state)})


def get_erasure(connection: Connection, id: str) -> Erasure:
    """An erasure; raises NotFound."""
    row = connection.execute(select(*_COLUMNS).where(erasure.c.id == id)).first()
    if row is None:
        raise NotFound(f"no erasure {id!r}", hint="embedmill erasures list")
    return _row(row)


def list_erasures(connection: Connection, *, limit: int) -> list[Erasure]:
    """The newest erasures."""
    query = select(*_COLUMNS).order_by(erasure.c.created_at.desc(), erasure.c.id).limit(limit)
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


def find_open_by_marks(connection: Connection, marks: Sequence[str]) -> str | None:
    """The open erasure that set one of the marks; near its end it does not know its documents otherwise."""
    query = (
        select(erasure.c.id)
        .join(tombstone, tombstone.c.erasure_id == erasure.c.id)
        .where(among(connection, tombstone.c.mark, marks), erasure.c.finished_at.is_(None))
        .limit(1)
    )
    return connection.execute(query).scalar()


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


def conclude(connection: Connection, id: str, receipt: Mapping[str, Any], *, watched: bytes, step: str) -> None:
    """Keep a receipt, and the ids of its documents encrypted only; of what was remembered, how many they were."""
    counts = {"collections": _count_by_collection(connection, id)}
    values = {"receipt": dict(receipt), "watched": watched, "step": step, "progress": counts}
    connection.execute(update(erasure).where(erasure.c.id == id).values(**values))
    connection.execute(delete(erased_document).where(erased_document.c.erasure_id == id))


def _count_by_collection(connection: Connection, id: str) -> dict[str, int]:
    query = select(erased_document.c.collection_id, func.count()).where(erased_document.c.erasure_id == id)
    return {str(row[0]): int(row[1]) for row in connection.execute(query.group_by(erased_document.c.collection_id))}


def finish(connection: Connection, id: str) -> None:
    """It is done."""
    values = {"state": ErasureState.DONE, "finished_at": clock(), "error": None}
    connection.execute(update(erasure).where(erasure.c.id == id).values(**values))


def list_watched(connection: Connection, *, since: float, until: float, delays: Sequence[float]) -> list[bytes]:
    """The encrypted ids of erasures that were done so long before: rows of theirs may have been written since."""
    times = [and_(erasure.c.finished_at > since - delay, erasure.c.finished_at <= until - delay) for delay in delays]
    query = select(erasure.c.watched).where(or_(*times), erasure.c.watched.is_not(None))
    return list(connection.execute(query).scalars())


def forget_watched(connection: Connection, *, older_than_seconds: float) -> int:
    """Forget the ids of documents that were erased so long ago; returns of how many erasures."""
    old = and_(erasure.c.finished_at < clock() - older_than_seconds, erasure.c.watched.is_not(None))
    return connection.execute(update(erasure).where(old).values(watched=None)).rowcount


def sum_by_cause(connection: Connection, cause: str, collection_id: int) -> tuple[int, float | None]:
    """How many documents of a collection were erased for a cause, and when last."""
    query = select(erasure.c.progress, erasure.c.finished_at).where(erasure.c.cause == cause)
    rows = connection.execute(query.where(erasure.c.finished_at.is_not(None))).all()
    counts = {row.finished_at: int(row.progress["collections"].get(str(collection_id), 0)) for row in rows}
    return sum(counts.values()), max((at for at, count in counts.items() if count), default=None)
