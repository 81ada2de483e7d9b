"""Documents: the switch of versions, and which of them readers see."""

import json
from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    String,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)

from embedmill.shared.access.labels import Labels
from embedmill.shared.db.bulk import among, update_each
from embedmill.shared.db.clock import clock
from embedmill.shared.db.redactions import forget_redactions
from embedmill.shared.db.schema import claim, dead_letter, document, work
from embedmill.shared.editions import Edition
from embedmill.shared.states import State

# One parameter for all ids, and no object for each row: every search asks.
_ACTIVE_ON_SQLITE = (
    "SELECT id, active_version, active_generation FROM document "
    "WHERE id IN (SELECT value FROM json_each(?)) AND active_version IS NOT NULL"
)

# Made once: an alias has a column for each of the table's, in circles that wait for the garbage collector.
_remade = work.alias("remade")


def is_broken() -> ColumnElement[bool]:
    """Whether what readers see of a document died when it was made once more, and nobody has seen to that since.

    Its vectors may be gone and its stored text with them: then its source alone brings it back.
    """
    # A number and no EXISTS, for which a server may read all work that died instead of this document's.
    letter = (
        select(func.min(dead_letter.c.id))
        .join_from(_remade, dead_letter, dead_letter.c.work_id == _remade.c.id)
        .where(_remade.c.document_id == document.c.id, _remade.c.state == State.DEAD, ~_remade.c.deletes)
        .where(_remade.c.version == document.c.active_version, _remade.c.generation >= document.c.active_generation)
        .where(dead_letter.c.resolved_at.is_(None))
        .correlate(document)
    )
    return letter.scalar_subquery().is_not(None)


def lock_documents(connection: Connection, ids: Sequence[str]) -> None:
    """Keep others from submitting or switching documents until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        query = select(document.c.id).where(among(connection, document.c.id, ids)).order_by(document.c.id)
        connection.execute(query.with_for_update(key_share=True))


@dataclass(frozen=True, slots=True)
class Generations:
    """The generations of a document: the one that readers see, and the one that was submitted last."""

    active: int
    newest: int


def switch_versions(connection: Connection, token: str, ids: Ids[int]) -> dict[str, Generations]:
    """Make the versions of work held under a lease the active ones; return how their documents stand.

    One statement per batch. Work under another lease, and a document whose active generation is newer, stay as they
    are. A removal sets the active version to NULL and ends the claims that waited for it; it does nothing when the
    document was submitted again meanwhile, whatever became of that.
    """
    held = and_(work.c.lease == token, work.c.id.in_(ids))
    # A repair writes what is active once more, perhaps from chunks that had to be made anew.
    anew = and_(
        document.c.active_generation == work.c.generation, document.c.chunks_ref.is_distinct_from(work.c.chunks_ref)
    )
    source = (work.c.document_id == document.c.id) & held & (work.c.state == State.RUNNING)
    is_newest = document.c.generation == work.c.generation
    newer = and_(document.c.active_generation < work.c.generation, or_(~work.c.deletes, is_newest))
    newer = or_(newer, anew)
    version = case((work.c.deletes, None), else_=work.c.version)
    connection.execute(
        update(document)
        .where(source, newer)
        .values(
            active_generation=work.c.generation,
            active_version=version,
            # What a worker read may be newer than what the scan saw.
            wanted_version=case((is_newest, version), else_=document.c.wanted_version),
            content_hash=case((work.c.deletes, None), else_=work.c.content_hash),
            source_state=case((work.c.deletes, None), else_=work.c.source_state),
            settings_hash=case((work.c.deletes, None), else_=work.c.settings_hash),
            chunks_ref=case((work.c.deletes, None), else_=work.c.chunks_ref),
            rejections_ref=case((work.c.deletes, None), else_=work.c.rejections_ref),
            chunks_expected=case((work.c.deletes, 0), else_=work.c.chunks_expected),
            chunks_rejected=case((work.c.deletes, 0), else_=work.c.chunks_rejected),
            notes=case((work.c.deletes, None), else_=work.c.notes),
            access=case((work.c.deletes, None), else_=_label("access")),
            owner=case((work.c.deletes, None), else_=_label("owner")),
            title=case((work.c.title != "", work.c.title), else_=document.c.title),
            updated_at=clock(),
        )
    )
    removed = and_(work.c.deletes, document.c.active_generation == work.c.generation).label("removed")
    query = select(document.c.id, document.c.active_generation, document.c.generation, removed).join(work, source)
    rows = connection.execute(query).all()
    if gone := [row.id for row in rows if row.removed]:
        connection.execute(delete(claim).where(claim.c.leaving, among(connection, claim.c.document_id, gone)))
        forget_redactions(connection, gone)
    return {row.id: Generations(row.active_generation, row.generation) for row in rows}


def _label(name: str) -> ColumnElement[Any]:
    """A label of work: NULL where its document says none."""
    return cast(work.c.origin[("labels", name)].as_string(), Text)


def settle_unchanged(connection: Connection, found: Sequence[Mapping[str, Any]]) -> None:
    """Nothing else is wanted of documents that were read under another state, and are as readers see them.

    Each has its `row`, `of_generation` and `state`; one that was submitted again meanwhile stays as it is.
    """
    if not found:
        return
    query = (
        update(document)
        .where(document.c.id == bindparam("row"), document.c.generation == bindparam("of_generation"))
        .where(document.c.active_version.is_not(None))
        .values(wanted_version=document.c.active_version, source_state=bindparam("state"))
    )
    update_each(connection, query, found, {"row": String(32), "of_generation": Integer(), "state": Text()})


def find_settled_versions(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The active version of each of `ids` of which no other is wanted and that no dead repair left broken."""
    query = select(document.c.id, document.c.active_version).where(
        among(connection, document.c.id, ids), document.c.active_version == document.c.wanted_version, ~is_broken()
    )
    return {row.id: row.active_version for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class ReadVersion:
    """The version of a document that readers see, and from what it was made."""

    version: str
    content_hash: str
    state: str
    labels: Labels

    def content_of(self, content_hash: str, state: str) -> str:
        """What a source has: by its hash, or by its state where the document was read under the same one."""
        return content_hash or (self.content_hash if state and state == self.state else "")


def find_read_versions(connection: Connection, ids: Sequence[str]) -> dict[str, ReadVersion]:
    """The active version of each of `ids` that readers may see, and that no dead repair left broken."""
    names = ("active_version", "content_hash", "source_state", "access", "owner")
    query = select(document.c.id, *(document.c[name] for name in names)).where(
        among(connection, document.c.id, ids), document.c.active_version.is_not(None), ~is_broken()
    )
    return {
        id_: ReadVersion(version, content or "", state or "", Labels(*labels))
        for id_, version, content, state, *labels in connection.execute(query)
    }


def find_active_editions(connection: Connection, ids: Sequence[str]) -> dict[str, Edition]:
    """The edition of each of `ids` that readers may see."""
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql(_ACTIVE_ON_SQLITE, (json.dumps(list(ids)),)).fetchall()
    else:
        columns = (document.c.id, document.c.active_version, document.c.active_generation)
        query = select(*columns).where(among(connection, document.c.id, ids), document.c.active_version.is_not(None))
        found = connection.execute(query).fetchall()
    return {id: Edition(version, generation) for id, version, generation in found}


def count_known_documents(connection: Connection, collection_id: int, ids: Sequence[str]) -> int:
    """How many of `ids` are documents of a collection, indexed or not."""
    query = select(func.count()).where(document.c.collection_id == collection_id, among(connection, document.c.id, ids))
    return int(connection.execute(query).scalar_one())


def find_active_generations(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The generation of each of `ids` that was switched to last, be it a removal: none below will ever be seen."""
    query = select(document.c.id, document.c.active_generation).where(among(connection, document.c.id, ids))
    return {row.id: row.active_generation for row in connection.execute(query)}


def has_settings(connection: Connection, collection_id: int, settings_hash: str) -> bool:
    """Whether any document of a collection is indexed as these settings shaped it."""
    query = select(document.c.id).where(
        document.c.collection_id == collection_id,
        document.c.settings_hash == settings_hash,
        document.c.active_version.is_not(None),
    )
    return connection.execute(query.limit(1)).first() is not None
