"""Tombstones: keyed hashes of what was erased, which every way into an installation asks.

Whoever has the database alone cannot try names or contents against them: the key is the installation's.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy import Connection, delete, exists, literal, select

from embedmill.shared.addresses import digest, document_id
from embedmill.shared.db.bulk import among, insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import document, tombstone
from embedmill.shared.erasing import MarkKind
from embedmill.shared.paging import pages
from embedmill.shared.spellings import one_spelling, whole_of

PURPOSE = "tombstone"
SHOWN_CHARACTERS = 16
"""So much of a mark is enough to name it."""
PAGE = 500
NO_CONTENT = digest(length=64)
"""The hash of nothing: an empty file bars no other one."""


class Deriving(Protocol):
    """What makes keys."""

    def derive(self, purpose: str, collection: str = "") -> bytes:
        """A key for a purpose."""


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document that comes in, or that goes: its id, its collection's name, and the hash of its content or ''.

    Without its `uri` it is known by this spelling of its name only.
    """

    id: str
    collection: str
    content_hash: str
    uri: str = ""

    @property
    def one_id(self) -> str:
        """The id that it has under the one spelling of its name."""
        return document_id(self.collection, one_spelling(self.uri)) if self.uri else self.id

    @property
    def names(self) -> tuple[str, ...]:
        """Its ids under each name whose erasure keeps it out: as it is spelled, in one spelling, and of its whole."""
        whole = document_id(self.collection, one_spelling(whole_of(self.uri))) if self.uri else self.id
        return tuple(dict.fromkeys((self.id, self.one_id, whole)))


class Marker:
    """Makes marks; the key is derived when the first is made."""

    def __init__(self, find_keys: Callable[[], Deriving]) -> None:
        self._find_keys = find_keys

    @cached_property
    def _key(self) -> bytes:
        return self._find_keys().derive(PURPOSE)

    def mark(self, kind: MarkKind, *parts: str) -> str:
        """The mark of something: 64 hex digits."""
        return hmac.digest(self._key, digest(kind, *parts, length=64).encode(), "sha256").hex()

    def of_document(self, id: str) -> str:
        """The mark of a document under its name."""
        return self.mark(MarkKind.DOCUMENT, id)

    def marks(self, named: NamedDocument) -> dict[MarkKind, str]:
        """What keeps a document out, however its name is spelled."""
        return self._marks(named, named.one_id)

    def barring(self, named: NamedDocument) -> dict[str, MarkKind]:
        """Every mark that could keep a document out: of its name as it is spelled, too, as earlier releases set it."""
        return {mark: kind for id in named.names for kind, mark in self._marks(named, id).items()}

    def _marks(self, named: NamedDocument, id: str) -> dict[MarkKind, str]:
        found = {MarkKind.DOCUMENT: self.of_document(id)}
        if named.content_hash and named.content_hash != NO_CONTENT:
            found[MarkKind.CONTENT] = self.mark(MarkKind.CONTENT, named.collection, named.content_hash)
            found[MarkKind.VERSION] = self.mark(MarkKind.VERSION, id, named.content_hash)
        return found


@dataclass(frozen=True, slots=True)
class Barred:
    """Why a document stays out: by which mark, made when (seconds since 1970)."""

    mark: str
    kind: MarkKind
    since: float


def find_barred(connection: Connection, marker: Marker, coming: Sequence[NamedDocument]) -> dict[str, Barred]:
    """Those of the documents that come in which were erased, by id.

    One that is here already with that content stays: it is another document, which nobody asked to erase.
    """
    if not coming or not _are_there_any(connection):
        return {}
    marks: dict[str, list[tuple[str, MarkKind]]] = {}
    for named in coming:
        for mark, kind in marker.barring(named).items():
            marks.setdefault(mark, []).append((named.id, kind))
    found: dict[str, Barred] = {}
    for row in _find(connection, list(marks)):
        for id, kind in marks[row.mark]:
            if id not in found or kind is MarkKind.DOCUMENT:
                found[id] = Barred(row.mark, kind, row.created_at)
    return _without_known(connection, found, {named.id: named.content_hash for named in coming})


def _are_there_any(connection: Connection) -> bool:
    return bool(connection.execute(select(exists(select(tombstone.c.mark)))).scalar())


def _find(connection: Connection, marks: Sequence[str]) -> Iterator[Any]:
    for part in pages(marks, PAGE):
        yield from connection.execute(select(tombstone).where(among(connection, tombstone.c.mark, part)))


def _without_known(
    connection: Connection, found: Mapping[str, Barred], contents: Mapping[str, str]
) -> dict[str, Barred]:
    by_content = [id for id, barred in found.items() if barred.kind is MarkKind.CONTENT]
    query = select(document.c.id, document.c.content_hash).where(among(connection, document.c.id, by_content))
    known = {row.id for row in connection.execute(query) if row.content_hash == contents[row.id]} if by_content else ()
    return {id: barred for id, barred in found.items() if id not in known}


def set_tombstones(connection: Connection, erasure_id: str, marks: Mapping[str, MarkKind]) -> None:
    """Set marks; one that is there already stays."""
    rows = [{"mark": mark, "kind": kind} for mark, kind in sorted(marks.items())]
    if rows:
        query = insert_or(connection, tombstone).values(erasure_id=erasure_id, created_at=clock())
        connection.execute(query.on_conflict_do_nothing(index_elements=[tombstone.c.mark]), rows)


def lift(connection: Connection, name: str) -> int:
    """Remove the marks of an erasure, or one by its beginning; returns how many went."""
    by_mark = tombstone.c.mark.startswith(name, autoescape=True) & (literal(len(name)) >= SHOWN_CHARACTERS)
    gone = delete(tombstone).where((tombstone.c.erasure_id == name) | by_mark)
    return connection.execute(gone).rowcount


def lift_marks(connection: Connection, marks: Sequence[str]) -> int:
    """Remove marks; returns how many went."""
    query = delete(tombstone).where(among(connection, tombstone.c.mark, list(marks)))
    return connection.execute(query).rowcount if marks else 0


def find_marks(connection: Connection, marks: Sequence[str]) -> set[str]:
    """Those of the marks that are set."""
    return {row.mark for row in _find(connection, marks)}


def list_marks(connection: Connection, erasure_id: str) -> dict[str, str]:
    """The marks that an erasure set, with what they are of."""
    rows = connection.execute(select(tombstone.c.mark, tombstone.c.kind).where(tombstone.c.erasure_id == erasure_id))
    return {row.mark: row.kind for row in rows}


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A mark with what it is of and the erasure that set it."""

    mark: str
    kind: MarkKind
    erasure_id: str


def list_all(connection: Connection) -> list[Tombstone]:
    """Every mark."""
    columns = (tombstone.c.mark, tombstone.c.kind, tombstone.c.erasure_id)
    rows = connection.execute(select(*columns).order_by(tombstone.c.created_at, tombstone.c.mark))
    return [Tombstone(row.mark, MarkKind(row.kind), row.erasure_id) for row in rows]
