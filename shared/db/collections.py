"""Collections and their index versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from shared.db.engine import clock
from shared.db.schema import collection, document, index_version, job
from shared.errors import NotFound, UserError


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
    ).select_from(joined)


def _row(row: Any) -> Collection:
    return Collection(**{**row._mapping, "shards": tuple(row.shards)})


def find_collection(connection: Connection, name: str) -> Collection | None:
    """The collection by that name, or None."""
    row = connection.execute(_select().where(collection.c.name == name)).first()
    return _row(row) if row else None


def get_collection(connection: Connection, name: str) -> Collection:
    """The collection by that name; raises NotFound with the command that makes it."""
    found = find_collection(connection, name)
    if found is None:
        raise NotFound(f"no collection named {name!r}", hint=f"embedmill collections create {name}")
    return found


def get_collection_by_id(connection: Connection, collection_id: int) -> Collection:
    """The collection by its number; raises NotFound when it was deleted."""
    row = connection.execute(_select().where(collection.c.id == collection_id)).first()
    if row is None:
        raise NotFound(f"collection number {collection_id} was deleted")
    return _row(row)


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
    if find_collection(connection, name) is not None:
        raise UserError(f"a collection named {name!r} exists already", hint=f"embedmill collections show {name}")
    query = insert(collection).values(name=name, settings=dict(settings), active_index_version=1, created_at=clock())
    key = connection.execute(query).inserted_primary_key
    assert key is not None
    connection.execute(
        insert(index_version).values(
            collection_id=key[0],
            number=1,
            model=model,
            dimensions=dimensions,
            chunker=chunker,
            shards=[f"v1-{n:03d}" for n in range(shards)],
            created_at=clock(),
        )
    )
    return get_collection(connection, name)


def update_settings(connection: Connection, collection_id: int, settings: Mapping[str, Any]) -> None:
    """Replace a collection's settings; documents are re-processed when their source is ingested again."""
    query = update(collection).where(collection.c.id == collection_id).values(settings=dict(settings))
    connection.execute(query)


def delete_collection(connection: Connection, collection_id: int) -> None:
    """Remove a collection with its documents, jobs and history; raises UserError while a job is open."""
    busy = select(job.c.id).where(job.c.collection_id == collection_id, job.c.finished_at.is_(None))
    open_jobs = list(connection.execute(busy).scalars())
    if open_jobs:
        hint = f"embedmill jobs cancel {open_jobs[0]}"
        raise UserError(f"job {open_jobs[0]} still works on this collection", hint=hint)
    connection.execute(delete(collection).where(collection.c.id == collection_id))


def count_documents(connection: Connection, collection_id: int) -> tuple[int, int]:
    """(documents that readers see, chunks indexed for them)."""
    chunks = func.coalesce(func.sum(document.c.chunks_expected - document.c.chunks_rejected), 0)
    query = select(func.count(), chunks).where(
        document.c.collection_id == collection_id, document.c.active_version.is_not(None)
    )
    row = connection.execute(query).one()
    return int(row[0]), int(row[1])
