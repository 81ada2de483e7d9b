"""Collections and their index versions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from embedmill.shared.access.labels import Reach
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.collection_changes import MOVES, count_moves
from embedmill.shared.db.engine import glance
from embedmill.shared.db.schema import collection, document, index_version, job
from embedmill.shared.db.visibility import is_seen
from embedmill.shared.encoding import is_storable
from embedmill.shared.errors import NotFound, UserError
from embedmill.shared.sharding import ReadingOrder, reading_order, shard_for


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection with its active index version. `settings` are plain JSON; the chunker and model live in them."""

    id: int
    name: str
    settings: Mapping[str, Any]
    index_version: int
    model: str
    dimensions: int
    shards: tuple[str, ...]
    leaving: tuple[str, ...] = ()
    """The shards before a move that is not finished; empty otherwise."""

    @property
    def reading_shards(self) -> tuple[str, ...]:
        """Every shard that holds documents, in the order in which readers have to ask them."""
        return reading_order(self.leaving, self.shards)

    def home(self, document: str) -> str:
        """The shard that a document is written to."""
        return shard_for(document, self.shards)

    def former_home(self, document: str) -> str | None:
        """The shard that an unfinished move takes a document out of; None when it stays where it is."""
        former = shard_for(document, self.leaving) if self.leaving else None
        return former if former != self.home(document) else None


def _select() -> Any:
    joined = collection.join(
        index_version,
        (index_version.c.collection_id == collection.c.id)
        & (index_version.c.number == collection.c.active_index_version),
    )
    return select(
        collection.c.id,
        collection.c.name,
        collection.c.settings,
        index_version.c.number.label("index_version"),
        index_version.c.model,
        index_version.c.dimensions,
        index_version.c.shards,
        index_version.c.leaving,
    ).select_from(joined)


_SHARDS_IN_FILE = (
    "SELECT shards, leaving, (SELECT coalesce(sum(changes), 0) FROM collection_change "
    f"WHERE collection_id = collection.id AND writer = {MOVES}) FROM collection JOIN index_version "
    "ON index_version.collection_id = collection.id AND index_version.number = collection.active_index_version "
    "WHERE collection.id = ?"
)
_SHARDS = (
    _select()
    .with_only_columns(index_version.c.shards, index_version.c.leaving)
    .where(collection.c.id == bindparam("collection_id"))
)


def _row(row: Any) -> Collection:
    return Collection(**{**row._mapping, "shards": tuple(row.shards), "leaving": tuple(row.leaving or ())})


def find_collection(connection: Connection, name: str) -> Collection | None:
    """The collection by that name, or None."""
    if not is_storable(name):
        return None
    row = connection.execute(_select().where(collection.c.name == name)).first()
    return _row(row) if row else None


def get_collection(connection: Connection, name: str) -> Collection:
    """The collection by that name; raises NotFound with what to do."""
    found = find_collection(connection, name)
    if found is None:
        if name == "default" and not list_collections(connection):
            raise NotFound("nothing is indexed in this home yet", hint="embedmill ingest FOLDER")
        raise no_collection(name)
    return found


def no_collection(name: str) -> NotFound:
    """There is no collection by that name, as far as whoever asks may know."""
    hint = f"embedmill collections list; ingest FOLDER --collection {name} makes it"
    return NotFound(f"no collection named {name!r}", hint=hint)


def get_collection_by_id(connection: Connection, collection_id: int) -> Collection:
    """The collection by its number; raises NotFound when it was deleted."""
    found = find_collection_by_id(connection, collection_id)
    if found is None:
        raise NotFound(f"collection number {collection_id} was deleted")
    return found


def find_collection_by_id(connection: Connection, collection_id: int) -> Collection | None:
    """The collection by its number, or None when it was deleted."""
    row = connection.execute(_select().where(collection.c.id == collection_id)).first()
    return _row(row) if row else None


def list_index_versions(connection: Connection, found: Collection) -> list[Collection]:
    """A collection as each of its index versions has it, the active one and all others."""
    query = select(index_version).where(index_version.c.collection_id == found.id).order_by(index_version.c.number)
    return [
        replace(
            found,
            index_version=row.number,
            model=row.model,
            dimensions=row.dimensions,
            shards=tuple(row.shards),
            leaving=tuple(row.leaving or ()),
        )
        for row in connection.execute(query)
    ]


def get_reading_order(connection: Connection, collection_id: int) -> ReadingOrder:
    """`reading_shards` alone, which every search asks twice; raises NotFound when the collection was deleted."""
    if connection.dialect.name == "sqlite":
        for shards, leaving, moves in glance(connection, _SHARDS_IN_FILE, collection_id):
            return _reading_order(json.loads(shards), json.loads(leaving) if leaving else None, moves)
    elif row := connection.execute(_SHARDS, {"collection_id": collection_id}).first():
        return _reading_order(row.shards, row.leaving, count_moves(connection, collection_id) if row.leaving else 0)
    raise NotFound(f"collection number {collection_id} was deleted")


def _reading_order(shards: Sequence[str], leaving: Sequence[str] | None, moves: int) -> ReadingOrder:
    """Moves are told while shards are left."""
    return ReadingOrder(reading_order(tuple(leaving or ()), tuple(shards)), moves if leaving else 0)


def list_collections(connection: Connection) -> list[Collection]:
    """Every collection by name."""
    return [_row(row) for row in connection.execute(_select().order_by(collection.c.name))]


def create_collection(
    connection: Connection,
    name: str,
    *,
    settings: Mapping[str, Any],
    model: str,
    dimensions: int,
    chunker: str,
    shards: int,
) -> Collection:
    """Make a collection with index version 1; raises UserError when the name is taken."""
    values = {"name": name, "settings": dict(settings), "active_index_version": 1, "created_at": clock()}
    # The index on names decides, so that one of two who make it at the same moment finds the other's.
    query = insert_or(connection, collection).values(values).on_conflict_do_nothing(index_elements=[collection.c.name])
    made = connection.execute(query.returning(collection.c.id)).scalar()
    if made is None:
        raise UserError(f"a collection named {name!r} exists already", hint=f"embedmill collections show {name}")
    connection.execute(
        insert(index_version).values(
            collection_id=made,
            number=1,
            model=model,
            dimensions=dimensions,
            chunker=chunker,
            shards=shard_names(1, shards),
            created_at=clock(),
        )
    )
    return get_collection(connection, name)


def shard_names(number: int, count: int) -> list[str]:
    """The names of an index version's shards; more of them keep those that there are."""
    return [f"v{number}-{n:03d}" for n in range(count)]


def begin_move(connection: Connection, collection: Collection, shards: int) -> None:
    """Let documents be written to so many shards from the commit on.

    Readers ask the former shards too until `end_move`. A move to the same number is taken up; raises UserError when
    one to another number is not finished.
    """
    collection = _lock_version(connection, collection.id)
    target = shard_names(collection.index_version, shards)
    if collection.leaving and list(collection.shards) != target:
        count = len(collection.shards)
        hint = f"embedmill collections reshard {collection.name} --shards {count}"
        raise UserError(f"a move of {collection.name} to {count} shards is not finished", hint=hint)
    if not collection.leaving and list(collection.shards) != target:
        _write_shards(connection, collection, shards=target, leaving=list(collection.shards))
        update_settings(connection, collection.id, {**collection.settings, "shards": shards})


def _lock_version(connection: Connection, collection_id: int) -> Collection:
    """The collection as it is now, with its shards in nobody else's hands until the transaction ends."""
    query = _select().where(collection.c.id == collection_id).with_for_update(of=index_version)
    return _row(connection.execute(query).one())


def end_move(connection: Connection, collection: Collection) -> None:
    """Every document is at home: readers need not ask the former shards any more."""
    _write_shards(connection, collection, shards=list(collection.shards), leaving=None)


def _write_shards(
    connection: Connection, collection: Collection, *, shards: list[str], leaving: list[str] | None
) -> None:
    connection.execute(
        update(index_version)
        .where(index_version.c.collection_id == collection.id, index_version.c.number == collection.index_version)
        .values(shards=shards, leaving=leaving)
    )


def update_settings(connection: Connection, collection_id: int, settings: Mapping[str, Any]) -> None:
    """Replace a collection's settings; documents are re-processed when their source is ingested again."""
    query = update(collection).where(collection.c.id == collection_id).values(settings=dict(settings))
    connection.execute(query)


def require_idle(connection: Connection, collection_id: int, *, but: str = "") -> None:
    """Raise UserError while a job of the collection is open, but for one of an identity."""
    busy = select(job.c.id).where(
        job.c.collection_id == collection_id, job.c.finished_at.is_(None), job.c.identity != but
    )
    open_jobs = list(connection.execute(busy).scalars())
    if open_jobs:
        hint = f"embedmill jobs cancel {open_jobs[0]}"
        raise UserError(f"job {open_jobs[0]} still works on this collection", hint=hint)


def delete_collection(connection: Connection, collection_id: int) -> None:
    """Remove a collection with its documents, jobs and history; raises UserError while a job is open."""
    require_idle(connection, collection_id)
    connection.execute(delete(collection).where(collection.c.id == collection_id))


def count_documents(connection: Connection, collection_id: int, reach: Reach | None = None) -> tuple[int, int]:
    """(documents that readers see, chunks indexed for them), of those that are within reach."""
    chunks = func.coalesce(func.sum(document.c.chunks_expected - document.c.chunks_rejected), 0)
    query = select(func.count(), chunks).where(
        document.c.collection_id == collection_id, document.c.active_version.is_not(None), is_seen(reach)
    )
    row = connection.execute(query).one()
    return int(row[0]), int(row[1])
