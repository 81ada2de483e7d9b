"""The document that somebody means by a name: its id, its URI, or another spelling of that."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from embedmill.shared.access.labels import Reach
from embedmill.shared.addresses import document_id
from embedmill.shared.db import collections
from embedmill.shared.db.bulk import among
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.schema import document
from embedmill.shared.db.visibility import is_seen
from embedmill.shared.errors import NotFound, UserError
from embedmill.shared.spellings import SPELLED, one_spelling

LISTS = "embedmill documents list --uri 'GLOB'"
PAGE = 500
MOST_LETTERS = 20
"""So many letters are looked for in one statement; with more names than that every URI is compared."""
_ID = re.compile("[0-9a-f]{32}")
_LETTERS = re.compile("[A-Za-z0-9]+")
_ESCAPED = re.compile("%..")


FindReach = Callable[[Collection], Reach | None]
"""What somebody sees of a collection."""


def _see_everything(_: Collection) -> Reach | None:
    return None


def find_document(
    connection: Connection,
    names: Sequence[str],
    *,
    collection: str | None = None,
    find_reach: FindReach = _see_everything,
) -> tuple[Any, str]:
    """The row of the document that has one of `names` as its id or its URI, and its collection's name.

    Where none has, it is the one whose URI is another spelling of one of them. One that is not within reach is not
    there. Raises NotFound, and UserError when several have one.
    """
    return find_documents(connection, [names], collection=collection, find_reach=find_reach)[0]


def find_documents(
    connection: Connection,
    named: Sequence[Sequence[str]],
    *,
    collection: str | None = None,
    find_reach: FindReach = _see_everything,
) -> list[tuple[Any, str]]:
    """The same of each of several."""
    chosen = [collections.get_collection(connection, collection)] if collection else _every_collection(connection)
    known = {each.id: each.name for each in chosen}
    within = or_(*(and_(document.c.collection_id == each.id, is_seen(find_reach(each))) for each in chosen))
    found = [_find_called(connection, names, known, within) for names in named] if chosen else [[] for _ in named]
    unknown = [names for names, rows in zip(named, found, strict=True) if not rows]
    spelled = _find_spelled(connection, unknown, within) if chosen else {}
    return [
        (row := _only(names, rows or _of_any(names, spelled), known, collection), known[row.collection_id])
        for names, rows in zip(named, found, strict=True)
    ]


def _every_collection(connection: Connection) -> list[Collection]:
    return collections.list_collections(connection)


def _find_called(
    connection: Connection, names: Sequence[str], known: Mapping[int, str], within: ColumnElement[bool]
) -> Sequence[Any]:
    ids = {name for name in names if _ID.fullmatch(name)}
    ids |= {document_id(place, name) for place in known.values() for name in names}
    return connection.execute(select(document).where(document.c.id.in_(sorted(ids)), within)).all()


def _find_spelled(
    connection: Connection, named: Sequence[Sequence[str]], within: ColumnElement[bool]
) -> dict[str, list[Any]]:
    """The documents under each one spelling of some names: all that could be it are read once, by their URIs alone."""
    wanted = {one_spelling(name) for names in named for name in names if name.strip().lower().startswith(SPELLED)}
    spelled = ((id, one_spelling(uri)) for id, uri in _read_uris(connection, wanted, within))
    met = {id: spelling for id, spelling in spelled if spelling in wanted}
    found: dict[str, list[Any]] = {}
    for row in connection.execute(select(document).where(among(connection, document.c.id, list(met)))) if met else ():
        found.setdefault(met[row.id], []).append(row)
    return found


def _read_uris(connection: Connection, wanted: set[str], within: ColumnElement[bool]) -> Iterator[tuple[str, str]]:
    """Id and URI of all whose URI could be another spelling of one that is wanted."""
    schemes = [scheme for scheme in SPELLED if any(spelling.startswith(scheme[:-1]) for spelling in wanted)]
    if not schemes:
        return
    uri = func.ltrim(document.c.uri)
    query = select(document.c.id, document.c.uri).where(or_(*(uri.istartswith(scheme) for scheme in schemes)), within)
    letters = [_letters(spelling) for spelling in sorted(wanted)]
    if len(letters) <= MOST_LETTERS and all(letters):
        escaped = document.c.uri.contains("%", autoescape=True)
        query = query.where(or_(escaped, *(document.c.uri.icontains(each) for each in letters)))
    for row in connection.execute(query.execution_options(yield_per=PAGE)):
        yield row.id, row.uri


def _letters(spelling: str) -> str:
    """Letters of a path that stand in each of its spellings in which nothing is escaped."""
    path = spelling.partition("://")[2].partition("/")[2]
    return max(_LETTERS.findall(_ESCAPED.sub("%", path)), key=len, default="")


def _of_any(names: Sequence[str], spelled: Mapping[str, list[Any]]) -> list[Any]:
    rows = {row.id: row for name in names for row in spelled.get(one_spelling(name), ())}
    return list(rows.values())


def _only(names: Sequence[str], rows: Sequence[Any], known: Mapping[int, str], collection: str | None) -> Any:
    match rows:
        case []:
            raise NotFound(f"no document {names[0]!r}" + (f" in {collection}" if collection else ""), hint=LISTS)
        case [row]:
            return row
    if len({row.collection_id for row in rows}) == 1:
        uris = ", ".join(sorted(row.uri for row in rows))
        raise UserError(f"{names[0]!r} may be each of several documents: {uris}", hint="Name one of these.")
    places = ", ".join(sorted({known[row.collection_id] for row in rows}))
    raise UserError(f"{names[0]!r} is in several collections: {places}", hint="Name one with --collection.")
