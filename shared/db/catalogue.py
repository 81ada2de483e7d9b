"""The catalogue: documents by what is asked about them, a page at a time.

Every page is read along an index whose order it keeps, so that it costs the same wherever it begins. Which index that
is depends on what is asked: by URI within a collection, by number where something narrower is known. A document's
state is not stored: it follows from its row and from its newest work, by `state_of`.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import commonprefix
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
)

from embedmill.shared.access.labels import Reach
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import collections
from embedmill.shared.db.bulk import among
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.schema import claim, dead_letter, document, is_literally, work
from embedmill.shared.db.sealed import NOTES, TITLE, open_sealed
from embedmill.shared.db.visibility import is_seen_in
from embedmill.shared.errors import UsageError, UserError
from embedmill.shared.globs import Glob, successor
from embedmill.shared.notes import split_notes
from embedmill.shared.states import DocumentState, State

# Most documents that are looked at together while those in a wanted state are sought.
CANDIDATES = 500


MEANINGS = {
    DocumentState.INDEXED: "it can be found",
    DocumentState.EMPTY: "it was read and holds no text",
    DocumentState.PENDING: "it is known, and its turn has not come",
    DocumentState.QUEUED: "a worker is to take it",
    DocumentState.RUNNING: "a worker has it in hand",
    DocumentState.WAITING: "it waits, for a retry, a rate, money, a key or somebody to resume it",
    DocumentState.REMOVING: "it is being taken out of the index",
    DocumentState.DEAD: "it is in the dead-letter queue; an older version can still be found, if there was one",
    DocumentState.DISCARDED: "its dead letter was given up",
    DocumentState.CANCELLED: "its job was cancelled before it was done",
    DocumentState.DELETED: "it was taken out of the index; `list` shows it only with `--state deleted`",
}

ALL_REJECTED = "all of its chunks were rejected: nothing of it can be found"

# In which state the newest work of a document is, where that decides.
_OF_WORK = {
    DocumentState.PENDING: State.PENDING,
    DocumentState.QUEUED: State.QUEUED,
    DocumentState.RUNNING: State.RUNNING,
    DocumentState.WAITING: State.WAITING,
    DocumentState.DEAD: State.DEAD,
    DocumentState.DISCARDED: State.CANCELLED,
    DocumentState.CANCELLED: State.CANCELLED,
}


def state_of(row: Any, newest: Any) -> DocumentState:
    """The state of a document, from its row and that of its newest work, which is None where there is none."""
    if newest is not None:
        match State(newest.state):
            case State.PENDING | State.QUEUED | State.RUNNING | State.WAITING:
                return DocumentState.REMOVING if newest.deletes else DocumentState(newest.state)
            case State.DEAD:
                return DocumentState.DEAD
            case State.CANCELLED if newest.discarded:
                return DocumentState.DISCARDED
            case State.CANCELLED if not newest.deletes:
                return DocumentState.CANCELLED
    if row.active_version is None:
        return DocumentState.DELETED
    return DocumentState.INDEXED if row.chunks_expected else DocumentState.EMPTY


def meaning_of(state: DocumentState, row: Any) -> str:
    """What a state means for a document, from its row."""
    is_bare = state is DocumentState.INDEXED and row.chunks_rejected == row.chunks_expected
    return ALL_REJECTED if is_bare else MEANINGS[state]


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """What documents are asked for; what is None or empty does not matter. `ids` are documents.

    `uris` are spellings of a glob, of which one has to match.
    `fresh` is what a collection's settings would leave on a document now; wanted is what has something else.
    `reaches` are what is seen of collections, by their ids, and of others nothing.
    """

    collection: str | None = None
    state: DocumentState | None = None
    source: int | None = None
    job: int | None = None
    uris: Sequence[Glob] = ()
    noted: bool = False
    fresh: Callable[[Collection], str] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    reaches: Mapping[int, Reach] | None = None


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A document as lists show it; `chunks` are those that can be found, `job` is the newest that worked on it."""

    id: str
    uri: str
    collection: str
    title: str
    state: DocumentState
    notes: list[str]
    chunks: int
    version: str | None
    job: int | None
    updated_at: float
    access: str
    owner: str


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """Documents in the order of their list, and where the next page begins; None at the end."""

    documents: list[DocumentSummary]
    next: str | None


def list_documents(
    connection: Connection, wanted: DocumentFilter, *, limit: int, after: str | None = None
) -> CataloguePage:
    """A page of what is wanted; raises NotFound for a collection that there is not, UserError for a foreign cursor."""
    if limit < 1:
        raise UsageError(f"a page of {limit} documents: ask for at least one")
    look = _Look(connection, wanted)
    begin = read_cursor(after, look.road.name) if after else None
    found: list[tuple[DocumentSummary, int, Any]] = []
    for stretch in look.stretches:
        if begin and stretch < begin[0]:
            continue
        key = begin[1] if begin and stretch == begin[0] else None
        for listed, at in look.walk(stretch, key, limit + 1 - len(found)):
            found.append((listed, stretch, at))
        if len(found) > limit:
            break
    shown = found[:limit]
    following = write_cursor(look.road.name, *shown[-1][1:]) if len(found) > limit else None
    return CataloguePage([listed for listed, _, _ in shown], following)


@dataclass(frozen=True, slots=True)
class _Road:
    """An index to read along: where from, by which column in order, under which condition.

    `by_collection`: the index begins with the collection, and one after another is read.
    """

    name: str
    key: ColumnElement[Any]
    table: FromClause
    where: Callable[[DocumentFilter], list[ColumnElement[bool]]]
    by_collection: bool = False


_newer = work.alias("newer")
_is_newest = ~exists().where(_newer.c.document_id == work.c.document_id, _newer.c.id > work.c.id)
# As the partial indexes have them, word for word.
_IS_PRESENT = or_(document.c.active_version.is_not(None), document.c.generation > document.c.active_generation)
_IS_NULL = document.c.active_version.is_(None)
_IS_DELETED = and_(_IS_NULL, literal_column("document.active_generation > 0"))
_IS_EMPTY = and_(document.c.active_version.is_not(None), literal_column("document.chunks_expected = 0"))
_IS_REMOVING = and_(literal_column("work.deletes"), work.c.finished_at.is_(None))
_IS_LEFT = work.c.state != literal_column(f"'{State.COMPLETED}'")
_WORK = work.join(document, document.c.id == work.c.document_id)


def _along_uris(wanted: DocumentFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_IS_PRESENT]
    if prefix := commonprefix([glob.prefix for glob in wanted.uris]):  # noqa: RUF071 - by characters
        conditions.append(document.c.uri >= prefix)
        if (end := successor(prefix)) is not None:
            conditions.append(document.c.uri < end)
    return conditions


_BY_URI = _Road("uri", document.c.uri, document, _along_uris, by_collection=True)
_BY_ID = _Road("id", document.c.id, document, lambda _: [])
_NOTED = _Road("noted", document.c.id, document, lambda _: [document.c.notes.is_not(None)], by_collection=True)
_DELETED = _Road("deleted", document.c.id, document, lambda _: [_IS_DELETED], by_collection=True)
_EMPTY = _Road("empty", document.c.id, document, lambda _: [_IS_EMPTY], by_collection=True)
_REMOVING = _Road("removing", work.c.id, _WORK, lambda _: [_IS_REMOVING, _is_newest])
_OF_JOB = _Road("job", work.c.document_id, _WORK, lambda wanted: [work.c.job_id == wanted.job])
_CLAIMS = claim.join(document, document.c.id == claim.c.document_id)
_OF_SOURCE = _Road(
    "source", claim.c.document_id, _CLAIMS, lambda wanted: [claim.c.source_id == wanted.source, ~claim.c.leaving]
)
_NOTED_BY_JOB = _Road(
    "job-noted", work.c.id, _WORK, lambda wanted: [work.c.job_id == wanted.job, work.c.notes.is_not(None)]
)
_IN_STATE = _Road(
    "state",
    # By the number of the work, which goes in the order of submission: a batch that moves on touches few pages of it.
    work.c.id,
    _WORK,
    lambda wanted: [is_literally(work.c.state, _OF_WORK[_state(wanted)]), _IS_LEFT, _is_newest],
)


_OF_STATE: dict[DocumentState | None, _Road] = {
    **dict.fromkeys(_OF_WORK, _IN_STATE),
    DocumentState.REMOVING: _REMOVING,
    DocumentState.DELETED: _DELETED,
    DocumentState.EMPTY: _EMPTY,
}


def _state(wanted: DocumentFilter) -> DocumentState:
    assert wanted.state is not None
    return wanted.state


def _choose_road(wanted: DocumentFilter) -> _Road:
    """The narrowest that is asked for, as far as one can know it without counting."""
    if wanted.ids is not None:
        return _BY_ID
    if wanted.job is not None and wanted.noted:
        return _NOTED_BY_JOB
    if wanted.state in _OF_STATE:
        return _OF_STATE[wanted.state]
    if wanted.job is not None:
        return _OF_JOB
    if wanted.source is not None:
        return _OF_SOURCE
    return _NOTED if wanted.noted else _BY_URI


class _Look:
    """One look at the documents that are wanted: which way, through which collections."""

    def __init__(self, connection: Connection, wanted: DocumentFilter) -> None:
        self._connection = connection
        self._wanted = wanted
        self._collections = _find_collections(connection, wanted)
        self.road = _choose_road(wanted)
        # Numbers of collections; 0 is all of them at once.
        self.stretches = list(self._collections) if self.road.by_collection else [0]
        self._conditions = [*self.road.where(wanted), *self._residue()]

    def walk(self, stretch: int, after: Any, most: int) -> Iterator[tuple[DocumentSummary, Any]]:
        """Up to `most` documents after a key, each with its own."""
        count, size = 0, most
        while True:
            rows = self._read(stretch, after, size)
            newest = find_newest_work(self._connection, [row.id for row in rows])
            for row in rows:
                listed = self._describe(row, newest.get(row.id))
                if self._wanted.state in (None, listed.state):
                    yield listed, row.at
                    count += 1
                    if count == most:
                        return
            if len(rows) < size:
                return
            after, size = rows[-1].at, min(2 * size, CANDIDATES)

    def _read(self, stretch: int, after: Any, size: int) -> Sequence[Any]:
        query = select(*DOCUMENT, self.road.key.label("at")).select_from(self.road.table).where(*self._conditions)
        if stretch:
            query = query.where(document.c.collection_id == stretch)
        if after is not None:
            query = query.where(self.road.key > after)
        return self._connection.execute(query.order_by(self.road.key).limit(size)).all()

    def _residue(self) -> list[ColumnElement[bool]]:
        """What the road alone does not see to."""
        wanted, road = self._wanted, self.road
        conditions: list[ColumnElement[bool]] = []
        if wanted.collection is not None and not road.by_collection:
            conditions.append(document.c.collection_id.in_(list(self._collections)))
        if wanted.ids is not None:
            conditions.append(among(self._connection, document.c.id, wanted.ids))
        if wanted.uris:
            conditions.append(or_(*(_matches(self._connection, glob) for glob in wanted.uris)))
        if wanted.noted and road is not _NOTED_BY_JOB and road is not _NOTED:
            conditions.append(document.c.notes.is_not(None))
        if wanted.job is not None and road.table is _WORK:
            conditions.append(work.c.job_id == wanted.job)
        elif wanted.job is not None:
            conditions.append(exists().where(work.c.document_id == document.c.id, work.c.job_id == wanted.job))
        if wanted.source is not None and road is not _OF_SOURCE:
            claimed = exists().where(claim.c.document_id == document.c.id, claim.c.source_id == wanted.source)
            conditions.append(claimed.where(~claim.c.leaving))
        if wanted.reaches is not None:
            conditions.append(is_seen_in(wanted.reaches))
        if wanted.fresh is not None:
            conditions.append(self._is_stale(wanted.fresh))
        conditions += [_has_metadata(name, value) for name, value in wanted.metadata.items()]
        if wanted.state is None:
            conditions.append(_IS_PRESENT)
        return conditions

    def _is_stale(self, fresh: Callable[[Collection], str]) -> ColumnElement[bool]:
        """Made under other settings than its collection has now: the next ingest makes it anew."""
        of_each = [
            and_(document.c.collection_id == id_, document.c.settings_hash != fresh(found))
            for id_, found in self._collections.items()
        ]
        return and_(document.c.active_version.is_not(None), or_(false(), *of_each))

    def _describe(self, row: Any, newest: Any) -> DocumentSummary:
        settings = read_collection_settings(self._collections[row.collection_id].settings)
        return DocumentSummary(
            id=row.id,
            uri=row.uri,
            collection=self._collections[row.collection_id].name,
            title=open_sealed(self._connection, TITLE, row.title),
            state=state_of(row, newest),
            notes=split_notes(open_sealed(self._connection, NOTES, row.notes)),
            chunks=row.chunks_expected - row.chunks_rejected,
            version=row.active_version,
            job=newest.job_id if newest else None,
            updated_at=row.updated_at,
            access=row.access or settings.access,
            owner=row.owner or settings.owner,
        )


DOCUMENT = tuple(
    document.c[name]
    for name in (
        "id collection_id uri title generation active_generation active_version content_hash settings_hash chunks_ref "
        "rejections_ref chunks_expected chunks_rejected notes access owner updated_at"
    ).split()
)


def _find_collections(connection: Connection, wanted: DocumentFilter) -> dict[int, Collection]:
    if wanted.collection is not None:
        found = collections.get_collection(connection, wanted.collection)
        return {found.id: found}
    return {each.id: each for each in sorted(collections.list_collections(connection), key=lambda each: each.id)}


def find_newest_work(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """The newest work of each document that has any, and whether its dead letter was discarded."""
    if not ids:
        return {}
    newest = select(func.max(work.c.id)).where(among(connection, work.c.document_id, ids)).group_by(work.c.document_id)
    discarded = exists().where(dead_letter.c.work_id == work.c.id, dead_letter.c.resolution == "discarded")
    query = select(work.c.document_id, work.c.id, work.c.job_id, work.c.state, work.c.deletes, work.c.reason)
    rows = connection.execute(query.add_columns(discarded.label("discarded")).where(work.c.id.in_(newest)))
    return {row.document_id: row for row in rows}


def _matches(connection: Connection, glob: Glob) -> ColumnElement[bool]:
    if glob.is_literal:
        return document.c.uri == glob.pattern
    if connection.dialect.name == "sqlite":
        return document.c.uri.op("GLOB", is_comparison=True)(glob.as_sqlite())
    return document.c.uri.op("~", is_comparison=True)(glob.as_regex())


_said = work.alias("said")


def _has_metadata(name: str, value: str) -> ColumnElement[bool]:
    """A value as text among the metadata that the document's newest submission came with."""
    held = cast(_said.c.origin[("metadata", name)].as_string(), Text)
    return exists().where(
        _said.c.document_id == document.c.id, _said.c.generation == document.c.generation, held == value
    )


def write_cursor(road: str, stretch: int, key: Any) -> str:
    """A place in a list: along which road, in which collection (0 for all), after which key."""
    return base64.urlsafe_b64encode(orjson.dumps([road, stretch, key])).decode().rstrip("=")


def read_cursor(text: str, road: str) -> tuple[int, Any]:
    """The collection and the key of a place; raises UserError when it is no place along this road."""
    try:
        name, stretch, key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, binascii.Error):
        name, stretch, key = "", 0, None
    if name != road or not isinstance(stretch, int) or not isinstance(key, str | int):
        raise UserError(
            f"--after {text!r} is no place in this list",
            hint="Give what `next` of the page before said, with the same filters.",
        )
    return stretch, key
