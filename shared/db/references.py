"""References to stored objects: who refers to some of them, and how they are pointed to others that say the same."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, Table, Text, exists, func, or_, select, text, update
from sqlalchemy import bindparam as given

from embedmill.shared.db.bulk import among, update_each
from embedmill.shared.db.schema import bulk_entry, document, erased_document, sample, word_edition, work
from embedmill.shared.db.word_editions import edition_of
from embedmill.shared.paging import pages

OBJECT_CHARACTERS = 64
PAGE = 500
ROWS_AT_ONCE = 5000
ORIGIN = "origin"
"""The column in whose JSON the reference to a row's text is."""


@dataclass(frozen=True, slots=True)
class Referrer:
    """A table that refers to objects: whose its rows are, and the references by the names of their columns."""

    table: Table
    owner: ColumnElement[str]
    columns: Mapping[str, ColumnElement[Any]]


def _referrer(table: Table, owner: ColumnElement[str], *names: str) -> Referrer:
    return Referrer(table, owner, {name: table.c[name] for name in names})


CHUNKS = ("chunks_ref", "rejections_ref")
REFERRERS = (
    _referrer(document, document.c.id, *CHUNKS),
    _referrer(work, work.c.document_id, *CHUNKS),
    Referrer(work, work.c.document_id, {ORIGIN: work.c.origin["ref"].as_string()}),
    _referrer(bulk_entry, bulk_entry.c.document_id, *CHUNKS),
    _referrer(sample, sample.c.document_id, "chunks_ref"),
)
"""Everything that refers to stored objects."""


def find_references(connection: Connection, ids: Sequence[str]) -> defaultdict[str, set[str]]:
    """Every reference that the rows of documents have, by document."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for referrer in REFERRERS:
        query = select(referrer.owner, *referrer.columns.values()).where(among(connection, referrer.owner, ids))
        for row in connection.execute(query):
            found[row[0]].update(filter(None, row[1:]))
    return found


def find_objects(connection: Connection, jobs: Sequence[int]) -> set[str]:
    """Every object that the documents of jobs refer to, by whatever row."""
    objects: set[str] = set()
    for part in pages(jobs, PAGE):
        mine = select(work.c.document_id).where(among(connection, work.c.job_id, part)).scalar_subquery()
        for referrer in REFERRERS:
            query = select(*referrer.columns.values()).where(referrer.owner.in_(mine))
            for row in connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
                objects.update(object_of(ref) for ref in row if ref)
    return objects


@dataclass(frozen=True, slots=True)
class Referring:
    """A row that refers to objects: its table, its key, and its references by column."""

    table: Table
    key: Any
    references: Mapping[str, str]


def object_of(reference: str) -> str:
    """The object that a reference is into."""
    return reference[:OBJECT_CHARACTERS]


def find_referring(connection: Connection, objects: Sequence[str], *, erasure_id: str) -> Iterator[Referring]:
    """Rows that refer to any of the objects, those of an erasure's documents left out."""
    for referrer in REFERRERS:
        of_erased = erased_document.c.document_id == referrer.owner
        erased = exists().where(erased_document.c.erasure_id == erasure_id, of_erased)
        for part in pages(objects, PAGE):
            into = or_(*(_into(connection, column, part) for column in referrer.columns.values()))
            query = select(referrer.table.c.id, *referrer.columns.values()).where(into, ~erased)
            for row in connection.execute(query):
                found = dict(zip(referrer.columns, row[1:], strict=True))
                yield Referring(referrer.table, row[0], {n: r for n, r in found.items() if r and object_of(r) in part})


def _into(connection: Connection, column: ColumnElement[Any], objects: Sequence[str]) -> ColumnElement[bool]:
    return among(connection, func.substr(column, 1, OBJECT_CHARACTERS, type_=String()), objects)


def redirect(connection: Connection, rows: Sequence[Referring], moved: Mapping[str, str]) -> None:
    """Point rows to where the same bytes are now; one whose references changed meanwhile is left as it is."""
    if connection.execute(select(exists(select(word_edition.c.document_id)))).scalar():
        for row in (row for row in rows if row.table is document):
            _rename_edition(connection, row.key, {n: moved[ref] for n, ref in row.references.items() if ref in moved})
    changes: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        for name, old in row.references.items():
            if moved.get(old, old) != old:
                changes[row.table.name, name].append({"row": row.key, "old": old, "new": moved[old]})
    tables = {referrer.table.name: referrer.table for referrer in REFERRERS}
    for (table, name), some in sorted(changes.items()):
        _point(connection, tables[table], name, some)


def _point(connection: Connection, table: Table, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    here = table.c.id == given("row")
    if name == ORIGIN:
        is_old = table.c.origin["ref"].as_string() == given("old")
        connection.execute(update(table).where(here, is_old).values(origin=_with_reference(connection)), list(rows))
        return
    query = update(table).where(here, table.c[name] == given("old")).values({name: given("new")})
    update_each(connection, query, rows, {"row": table.c.id.type, "old": Text(), "new": Text()})


def _with_reference(connection: Connection) -> Any:
    """An origin with another reference."""
    if connection.dialect.name == "sqlite":
        return text("json_set(origin, '$.ref', :new)")
    return text("CAST(jsonb_set(CAST(origin AS jsonb), '{ref}', to_jsonb(CAST(:new AS text))) AS json)")


def _rename_edition(connection: Connection, id: str, changed: Mapping[str, str]) -> None:
    """What is counted of a document's words is called by its references, and stays counted."""
    columns = (document.c.active_generation, document.c.chunks_ref, document.c.rejections_ref)
    row = connection.execute(select(*columns).where(document.c.id == id).with_for_update()).first()
    if row is None:
        return
    new = {"chunks_ref": row.chunks_ref, "rejections_ref": row.rejections_ref} | dict(changed)
    here = word_edition.c.document_id == id
    old = word_edition.c.edition == edition_of(row.active_generation, row.chunks_ref, row.rejections_ref)
    edition = edition_of(row.active_generation, new["chunks_ref"], new["rejections_ref"])
    connection.execute(update(word_edition).where(here, old).values(edition=edition))


def let_go(connection: Connection, ids: Sequence[str]) -> None:
    """Have documents refer to nothing any more, so that what they referred to counts as garbage."""
    here = among(connection, document.c.id, ids)
    connection.execute(update(document).where(here).values(chunks_ref=None, rejections_ref=None))
