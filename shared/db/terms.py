"""The terms of a collection: what its documents call things, and by which other names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, distinct, func, select

from embedmill.shared.access.labels import Reach
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.schema import document, term
from embedmill.shared.db.sealed import TERM, open_sealed
from embedmill.shared.db.visibility import is_seen

LONGEST = 200
"""Characters of a term; a longer one is a sentence."""
WORDS = ("term", "label", "synonym")


@dataclass(frozen=True, slots=True)
class FoundTerm:
    """A term of one document with its synonyms, all as they stand there, and how often it occurs."""

    label: str
    synonyms: tuple[str, ...]
    mentions: int


def replace_terms(
    connection: Connection,
    terms: Sequence[FoundTerm],
    *,
    collection_id: int,
    document_id: str,
    seal: Callable[[str], str] = str,
) -> None:
    """Make these the terms of a document, in the place of those it had.

    `seal` makes of a word what is kept of it, the same for the same word; one that is too long for that is left out.
    """
    connection.execute(delete(term).where(term.c.document_id == document_id))
    rows = {
        (_key(found.label), _key(synonym)): {
            "collection_id": collection_id,
            "document_id": document_id,
            "term": seal(_key(found.label)),
            "label": seal(found.label),
            "synonym": seal(synonym),
            "mentions": found.mentions,
        }
        for found in terms
        for synonym in ("", *found.synonyms)
    }
    rows = {words: row for words, row in rows.items() if max(len(str(row[name])) for name in WORDS) <= LONGEST}
    if rows:
        # Two may be at the same document: the later one's words stand beside the earlier one's, and nobody fails.
        query = insert_or(connection, term)
        counted = {name: query.excluded[name] for name in ("label", "mentions")}
        keys = [term.c.document_id, term.c.term, term.c.synonym]
        connection.execute(query.on_conflict_do_update(index_elements=keys, set_=counted), list(rows.values()))


def list_terms(
    connection: Connection, collection_id: int, *, limit: int = 1000, reach: Reach | None = None
) -> list[dict[str, Any]]:
    """`{term, documents, mentions, synonyms: [{synonym, documents}]}`, those of the most documents first.

    With a reach, those of documents within it only.
    """
    whose = [] if reach is None else [term.c.document_id.in_(select(document.c.id).where(is_seen(reach)))]
    documents = func.count(distinct(term.c.document_id))
    query = (
        select(term.c.term, func.max(term.c.label).label("label"), documents.label("n"), func.sum(term.c.mentions))
        .where(term.c.collection_id == collection_id, term.c.synonym == "", *whose)
        .group_by(term.c.term)
        .order_by(documents.desc(), func.sum(term.c.mentions).desc(), term.c.term)
        .limit(limit)
    )
    found = {
        row.term: {
            "term": open_sealed(connection, TERM, row.label),
            "documents": row.n,
            "mentions": int(row[3]),
            "synonyms": [],
        }
        for row in connection.execute(query)
    }
    names = (
        select(term.c.term, term.c.synonym, documents.label("n"))
        .where(term.c.collection_id == collection_id, term.c.synonym != "", *whose)
        .group_by(term.c.term, term.c.synonym)
        .order_by(documents.desc(), term.c.synonym)
    )
    for row in connection.execute(names):
        if row.term in found:
            found[row.term]["synonyms"].append(
                {"synonym": open_sealed(connection, TERM, row.synonym), "documents": row.n}
            )
    return list(found.values())


def _key(label: str) -> str:
    return label.casefold()[:LONGEST]
