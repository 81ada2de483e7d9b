"""The words of a collection's documents, counted here for stores whose service counts none.

What is counted of a document is kept beside it, so that it can be taken away when another edition takes its place, and
counting twice changes nothing. Whoever counts adds one row with what there is more and less; their sum is what is held.
"""

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, func, insert, or_, select

from embedmill.shared.db.bulk import among
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.schema import document, word_delta, word_edition
from embedmill.shared.db.word_editions import active_edition
from embedmill.shared.words.tallies import WordTally

FOLD_FROM_DELTAS = 64
PAGE = 200


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A document whose words are not counted as it is now; without `chunks_ref` it has none to count."""

    document: str
    edition: str
    uri: str
    chunks_ref: str | None
    rejections_ref: str | None


def record_words(connection: Connection, collection_id: int, counted: Mapping[str, tuple[str, WordTally]]) -> None:
    """Count documents in these editions instead of what is counted of them; the documents are locked by the caller."""
    held = _held(connection, counted)
    fresh = {id: both for id, both in counted.items() if id not in held or held[id][0] != both[0]}
    if not fresh:
        return
    gone = [held[id][1].negative() for id in fresh if id in held]
    _forget(connection, fresh)
    connection.execute(insert(word_edition), [_row(collection_id, id, *both) for id, both in fresh.items()])
    _add(connection, collection_id, WordTally.total([*(tally for _, tally in fresh.values()), *gone]))


def forget_words(connection: Connection, collection_id: int, documents: Some[str]) -> None:
    """Take away what is counted of documents that are gone."""
    held = _held(connection, documents)
    _forget(connection, held)
    _add(connection, collection_id, WordTally.total(tally.negative() for _, tally in held.values()))


def forget_all_words(connection: Connection, collection_id: int) -> None:
    """Count a collection from the beginning."""
    for table in (word_edition, word_delta):
        connection.execute(delete(table).where(table.c.collection_id == collection_id))


def find_uncounted(connection: Connection, collection_id: int, *, limit: int = PAGE) -> list[Uncounted]:
    """Documents that readers see and whose words are not counted as they are."""
    columns = (document.c.id, document.c.uri, document.c.chunks_ref, document.c.rejections_ref)
    query = (
        select(*columns, active_edition().label("edition"))
        .outerjoin(word_edition, word_edition.c.document_id == document.c.id)
        .where(document.c.collection_id == collection_id, document.c.active_version.is_not(None))
        .where(word_edition.c.edition.is_distinct_from(active_edition()))
        .order_by(document.c.id)
        .limit(limit)
    )
    rows = connection.execute(query)
    return [Uncounted(row.id, row.edition, row.uri, row.chunks_ref, row.rejections_ref) for row in rows]


def find_counted_but_gone(connection: Connection, collection_id: int, *, limit: int = PAGE) -> list[str]:
    """Documents that nobody sees any more and whose words are still counted."""
    query = (
        select(word_edition.c.document_id)
        .outerjoin(document, word_edition.c.document_id == document.c.id)
        .where(word_edition.c.collection_id == collection_id)
        .where(or_(document.c.id.is_(None), document.c.active_version.is_(None)))
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def lock_editions(connection: Connection, documents: Some[str]) -> dict[str, str]:
    """The editions of these documents that readers see, which stay so until the transaction ends."""
    query = select(document.c.id, active_edition()).where(
        among(connection, document.c.id, sorted(documents)), document.c.active_version.is_not(None)
    )
    rows = connection.execute(query.order_by(document.c.id).with_for_update()).all()
    return {row.id: row[1] for row in rows}


def count_differing(connection: Connection, collection_id: int) -> int:
    """How many documents are not counted as they are; all of them when the sums do not agree."""
    seen = and_(document.c.collection_id == collection_id, document.c.active_version.is_not(None))
    if not sums_agree(connection, collection_id):
        return int(connection.execute(select(func.count()).select_from(document).where(seen)).scalar_one()) or 1
    behind = (
        select(func.count())
        .select_from(document.outerjoin(word_edition, word_edition.c.document_id == document.c.id))
        .where(seen, word_edition.c.edition.is_distinct_from(active_edition()))
    )
    gone = (
        select(func.count())
        .select_from(word_edition.outerjoin(document, word_edition.c.document_id == document.c.id))
        .where(word_edition.c.collection_id == collection_id)
        .where(or_(document.c.id.is_(None), document.c.active_version.is_(None)))
    )
    return sum(int(connection.execute(query).scalar_one()) for query in (behind, gone))


def sums_agree(connection: Connection, collection_id: int) -> bool:
    """Whether what is counted of documents and what was added up come to the same."""
    sums = (
        connection.execute(
            select(func.coalesce(func.sum(table.c.rows), 0), func.coalesce(func.sum(table.c.words), 0)).where(
                table.c.collection_id == collection_id
            )
        ).one()
        for table in (word_edition, word_delta)
    )
    editions, deltas = (tuple(map(int, found)) for found in sums)
    return editions == deltas


def list_deltas(connection: Connection, collection_id: int) -> list[int]:
    """The ids of the rows whose sum is what the collection holds."""
    query = select(word_delta.c.id).where(word_delta.c.collection_id == collection_id).order_by(word_delta.c.id)
    return list(connection.execute(query).scalars())


def read_deltas(connection: Connection, ids: Sequence[int]) -> dict[int, WordTally]:
    """Some of these rows, those that are still there."""
    query = select(word_delta).where(among(connection, word_delta.c.id, ids))
    return {row.id: WordTally.unpack(row.rows, row.words, row.terms) for row in connection.execute(query)}


def fold_deltas(connection: Connection, collection_id: int) -> None:
    """Make one row of many, of those that nobody else is folding."""
    if len(list_deltas(connection, collection_id)) >= FOLD_FROM_DELTAS:
        fold_all_deltas(connection, collection_id)


def fold_all_deltas(connection: Connection, collection_id: int) -> None:
    """The same however few there are: the words of one document must not stand apart when it is gone."""
    query = select(word_delta).where(word_delta.c.collection_id == collection_id)
    rows = connection.execute(query.with_for_update(skip_locked=True)).all()
    total = WordTally.total(WordTally.unpack(row.rows, row.words, row.terms) for row in rows)
    connection.execute(delete(word_delta).where(among(connection, word_delta.c.id, [row.id for row in rows])))
    _add(connection, collection_id, total)


def _held(connection: Connection, documents: Some[str]) -> dict[str, tuple[str, WordTally]]:
    query = select(word_edition).where(among(connection, word_edition.c.document_id, sorted(documents)))
    return {
        row.document_id: (row.edition, WordTally.unpack(row.rows, row.words, row.terms))
        for row in connection.execute(query)
    }


def _forget(connection: Connection, documents: Some[str]) -> None:
    connection.execute(delete(word_edition).where(among(connection, word_edition.c.document_id, sorted(documents))))


def _row(collection_id: int, id: str, edition: str, tally: WordTally) -> dict[str, object]:
    return {"document_id": id, "edition": edition, **_columns(collection_id, tally)}


def _columns(collection_id: int, tally: WordTally) -> dict[str, object]:
    return {"collection_id": collection_id, "rows": tally.rows, "words": tally.words, "terms": tally.pack()}


def _add(connection: Connection, collection_id: int, tally: WordTally) -> None:
    if not tally.is_nothing:
        connection.execute(insert(word_delta).values(**_columns(collection_id, tally)))
