"""What the tracker claims of the documents that readers see, for whoever compares it with what is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union,
    update,
)

from embedmill.shared import stages
from embedmill.shared.db.bulk import among
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import dead_letter, document, work
from embedmill.shared.editions import Edition
from embedmill.shared.states import State


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the tracker claims of one document."""

    id: str
    uri: str
    version: str
    generation: int
    indexed: int
    chunks_ref: str | None
    rejections_ref: str | None
    title: str

    @property
    def edition(self) -> Edition:
        """What readers see of it."""
        return Edition(self.version, self.generation)


def _select_tracked(collection_id: int) -> Select[Any]:
    return select(
        document.c.id,
        document.c.uri,
        document.c.active_version.label("version"),
        document.c.active_generation.label("generation"),
        (document.c.chunks_expected - document.c.chunks_rejected).label("indexed"),
        document.c.chunks_ref,
        document.c.rejections_ref,
        document.c.title,
    ).where(document.c.collection_id == collection_id, document.c.active_version.is_not(None))


def list_tracked(
    connection: Connection, collection_id: int, *, page: int = 2000, after: str = ""
) -> Iterator[list[Tracked]]:
    """Every document that readers see, in pages by id, of those `after` an id."""
    last = after
    while True:
        query = _select_tracked(collection_id).where(document.c.id > last).order_by(document.c.id).limit(page)
        rows = connection.execute(query).mappings()
        found = [Tracked(**row) for row in rows]
        if not found:
            return
        yield found
        last = found[-1].id


def walk_tracked(database: Database, collection_id: int, *, page: int = 500) -> Iterator[list[Tracked]]:
    """The same, with no transaction open while the caller is at work on a page."""
    found: list[Tracked] = []

    def read(connection: Connection) -> list[Tracked]:
        after = found[-1].id if found else ""
        return next(list_tracked(connection, collection_id, page=page, after=after), [])

    while found := database.query(read):
        yield found


def find_tracked(connection: Connection, collection_id: int, ids: Sequence[str]) -> dict[str, Tracked]:
    """What the tracker claims of those of `ids` that readers see."""
    query = _select_tracked(collection_id).where(among(connection, document.c.id, ids))
    return {row["id"]: Tracked(**row) for row in connection.execute(query).mappings()}


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Work on a document that is not over: the generations that may still be switched to, as after a replay.

    `is_indexing` says whether some of it may be writing or removing rows.
    """

    generations: frozenset[int]
    is_indexing: bool


def find_unsettled(connection: Connection, collection_id: int, ids: Sequence[str]) -> dict[str, Unsettled]:
    """What may still change the rows of documents among `ids`."""
    is_open = and_(dead_letter.c.work_id == work.c.id, dead_letter.c.resolved_at.is_(None))
    may_be_replayed = and_(work.c.state == State.DEAD, exists().where(is_open))
    indexing = and_(or_(work.c.state == State.RUNNING, work.c.stage == stages.last()), work.c.finished_at.is_(None))
    query = (
        select(work.c.document_id, work.c.generation, indexing.label("indexing"))
        .join_from(work, document)
        .where(document.c.collection_id == collection_id, among(connection, work.c.document_id, ids))
        .where(or_(work.c.finished_at.is_(None), may_be_replayed))
    )
    rows = connection.execute(query).all()
    return {
        id: Unsettled(
            frozenset(row.generation for row in rows if row.document_id == id),
            any(row.indexing for row in rows if row.document_id == id),
        )
        for id in {row.document_id for row in rows}
    }


def leave_behind(connection: Connection, generations: Mapping[str, int]) -> None:
    """See that no later submission of a document is given one of its generations up to the one named."""
    rows = [{"row": id, "reached": generation} for id, generation in generations.items()]
    if rows:
        connection.execute(
            update(document)
            .where(document.c.id == bindparam("row"), document.c.generation < bindparam("reached"))
            .values(generation=bindparam("reached")),
            rows,
        )


@dataclass(frozen=True, slots=True)
class NamedText:
    """A document that readers see, whose text or rejections an object holds."""

    id: str
    uri: str


def find_named_texts(
    connection: Connection, *, objects: Sequence[str], collection_id: int | None = None
) -> list[NamedText]:
    """The documents that name some objects, of one collection or of all."""
    refs = (document.c.chunks_ref, document.c.rejections_ref)
    names = [func.substr(column, 1, 64, type_=Text()) for column in refs]
    query = select(document.c.id, document.c.uri).where(or_(*(among(connection, name, objects) for name in names)))
    query = query.where(document.c.active_version.is_not(None))
    if collection_id is not None:
        query = query.where(document.c.collection_id == collection_id)
    return [NamedText(**row) for row in connection.execute(query).mappings()]


def sample_objects(connection: Connection, *, limit: int) -> set[str]:
    """The objects in which the texts of some documents lie that readers see, and that have vectors."""
    is_seen = document.c.active_version.is_not(None) & (document.c.chunks_expected > document.c.chunks_rejected)
    query = select(func.substr(document.c.chunks_ref, 1, 64)).where(is_seen, document.c.chunks_ref.is_not(None))
    return set(connection.execute(query.limit(limit)).scalars())


def list_referenced_objects(connection: Connection) -> set[str]:
    """Objects that an active version or any work that may still run or be replayed refers to."""
    head = func.substr
    active = [select(head(c, 1, 64)).where(c.is_not(None)) for c in (document.c.chunks_ref, document.c.rejections_ref)]
    kept = work.c.state.not_in((State.COMPLETED, State.CANCELLED))
    pending = [
        select(head(c, 1, 64)).where(kept, c.is_not(None))
        for c in (work.c.chunks_ref, work.c.rejections_ref, work.c.origin["ref"].as_string())
    ]
    return set(connection.execute(union(*active, *pending)).scalars())
