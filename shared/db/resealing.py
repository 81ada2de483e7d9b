"""A collection's sealed texts in the tracking database, for whoever writes them anew under another key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Table, func, select, update

from embedmill.shared.db.schema import (
    document,
    feedback,
    query_record,
    review,
    source,
    source_memory,
    term,
    verdict,
    work,
)
from embedmill.shared.db.sealed import FEEDBACK, NOTES, QUERY, TERM, TITLE

PAGE = 500
DOUBTS, METADATA, MEMORY = "doubts", "metadata", "memory"
TextAnew = Callable[[str, str], str]
"""Makes of a kind and a text as it is stored the text as it is to be; the same text where nothing is to be done."""
ObjectAnew = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table, the key by which it is walked, whose its rows are, and its columns."""

    table: Table
    key: str
    owner: Callable[[int], ColumnElement[bool]]
    texts: Mapping[str, str] = field(default_factory=dict)


def _mine(of: ColumnElement[Any]) -> Callable[[int], ColumnElement[bool]]:
    return lambda collection_id: of.in_(select(document.c.id).where(document.c.collection_id == collection_id))


def _asked(collection_id: int) -> ColumnElement[bool]:
    return feedback.c.query_id.in_(select(query_record.c.id).where(query_record.c.collection_id == collection_id))


PLACES = (
    SealedTable(document, "id", lambda id: document.c.collection_id == id, {"title": TITLE, "notes": NOTES}),
    SealedTable(work, "id", _mine(work.c.document_id), {"title": TITLE, "notes": NOTES}),
    SealedTable(query_record, "id", lambda id: query_record.c.collection_id == id, {"text": QUERY}),
    SealedTable(feedback, "id", _asked, {"why": FEEDBACK}),
)
TERMS = SealedTable(
    term, "id", lambda id: term.c.collection_id == id, dict.fromkeys(("term", "label", "synonym"), TERM)
)


def count_ids(connection: Connection, collection_id: int) -> int:
    """How many documents there are, whatever became of them."""
    query = select(func.count()).select_from(document).where(document.c.collection_id == collection_id)
    return int(connection.execute(query).scalar_one())


def list_ids(connection: Connection, collection_id: int, *, after: str, limit: int) -> list[str]:
    """The ids of documents, whatever became of them."""
    query = select(document.c.id).where(document.c.collection_id == collection_id, document.c.id > after)
    return list(connection.execute(query.order_by(document.c.id).limit(limit)).scalars())


def reseal_page(connection: Connection, place: SealedTable, collection_id: int, after: Any, anew: TextAnew) -> Any:
    """Write the texts of some rows anew; returns the key of the last, None where there are no more."""
    table, key = place.table, place.table.c[place.key]
    query = select(key, *(table.c[name] for name in place.texts)).where(place.owner(collection_id))
    if after is not None:
        query = query.where(key > after)
    rows = connection.execute(query.order_by(key).limit(PAGE)).all()
    for row in rows:
        kept = dict(zip(place.texts, row[1:], strict=True))
        made = {name: anew(place.texts[name], text) for name, text in kept.items() if text}
        changed = {name: text for name, text in made.items() if text != kept[name]}
        if changed:
            connection.execute(update(table).where(key == row[0]).values(**changed))
    return rows[-1][0] if rows else None


def reseal_metadata(connection: Connection, collection_id: int, after: int, anew: ObjectAnew) -> int | None:
    """The same of documents' metadata, which stand in the origins of their work."""
    query = select(work.c.id, work.c.origin).where(_mine(work.c.document_id)(collection_id), work.c.id > after)
    rows = connection.execute(query.order_by(work.c.id).limit(PAGE)).all()
    for row in rows:
        metadata = row.origin.get(METADATA)
        if metadata and (made := anew(METADATA, metadata)) != metadata:
            connection.execute(update(work).where(work.c.id == row.id).values(origin={**row.origin, METADATA: made}))
    return rows[-1].id if rows else None


def reseal_memory(connection: Connection, collection_id: int, anew: ObjectAnew) -> None:
    """The same of what the collection's sources keep."""
    mine = source_memory.c.source_id.in_(select(source.c.id).where(source.c.collection_id == collection_id))
    for row in connection.execute(select(source_memory).where(mine)).all():
        value = orjson.loads(row.value)
        if (made := anew(MEMORY, value)) != value:
            here = (source_memory.c.source_id == row.source_id, source_memory.c.address == row.address)
            connection.execute(update(source_memory).where(*here).values(value=orjson.dumps(dict(made)).decode()))


def reseal_doubts(connection: Connection, collection_id: int, anew: Callable[[list[str]], list[str]]) -> None:
    """The same of why verdicts are doubted."""
    for row in connection.execute(select(review.c.id, review.c.doubts).where(review.c.collection_id == collection_id)):
        if (made := anew(row.doubts)) != row.doubts:
            connection.execute(update(review).where(review.c.id == row.id).values(doubts=made))


def move_verdicts(
    connection: Connection, collection_id: int, addresses: Mapping[str, str], anew: Callable[[str], Mapping[str, Any]]
) -> None:
    """Have verdicts at other addresses, or the same ones, as `anew` makes them; elsewhere those of before stay."""
    from embedmill.shared.db.verdicts import find_verdicts

    found = find_verdicts(connection, list(addresses))
    for old, stored in found.items():
        new, body = addresses[old], anew(stored.text)
        row = connection.execute(select(verdict).where(verdict.c.address == old)).mappings().one()
        connection.execute(verdict.delete().where(verdict.c.address == new))
        connection.execute(verdict.insert().values(**{**row, "address": new, "body": body}))
        mine = (review.c.collection_id == collection_id, review.c.address == old)
        connection.execute(update(review).where(*mine).values(address=new))
