"""Removes what the tracking database says of documents: their rows, and what other rows say of them in passing.

The ledger and the records of queries stay, because they are of others too: there a document's id becomes a word.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, literal, or_, select, update

from embedmill.shared.db import word_counts
from embedmill.shared.db.bulk import among
from embedmill.shared.db.schema import (
    bulk_entry,
    collection,
    document,
    feedback,
    job,
    kept_answer,
    query_record,
    review,
    scan_note,
    source,
    source_memory,
    usage,
    verdict,
    work,
)
from embedmill.shared.paging import pages

ERASED = "erased"
"""Stands where a document was named among others."""
AT_ONCE = 1000
URIS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Doomed:
    """Documents of one collection, and the jobs that ever worked on them."""

    collection_id: int
    ids: Sequence[str]
    jobs: Sequence[int]


def find_uris(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The URIs of documents whose rows are still there."""
    query = select(document.c.id, document.c.uri).where(among(connection, document.c.id, ids))
    return {row.id: row.uri for row in connection.execute(query)}


def find_contents(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The names of documents' collections, and the hashes of their contents as far as they are known."""
    last = (
        select(func.max(work.c.content_hash))
        .where(work.c.document_id == document.c.id, work.c.generation == document.c.generation - 1)
        .scalar_subquery()
    )
    query = (
        select(document.c.id, collection.c.name, func.coalesce(document.c.content_hash, last).label("content_hash"))
        .join_from(document, collection, collection.c.id == document.c.collection_id)
        .where(among(connection, document.c.id, ids))
    )
    return {row.id: (row.name, row.content_hash or "") for row in connection.execute(query)}


def find_collections(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The numbers of documents' collections."""
    query = select(document.c.id, document.c.collection_id).where(among(connection, document.c.id, ids))
    return {row.id: row.collection_id for row in connection.execute(query)}


def count_copies(connection: Connection, ids: Sequence[str]) -> int:
    """How many other documents of the same collections have the content of one of these."""
    return len({copy for copies in _find_copies(connection, ids).values() for copy in copies})


def find_copied(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the documents whose content another one has."""
    return set(_find_copies(connection, ids))


def _find_copies(connection: Connection, ids: Sequence[str]) -> defaultdict[str, set[str]]:
    other = document.alias("other")
    same = and_(other.c.collection_id == document.c.collection_id, other.c.content_hash == document.c.content_hash)
    query = (
        select(document.c.id, other.c.id.label("copy"))
        .join_from(document, other, same)
        .where(among(connection, document.c.id, ids), other.c.active_version.is_not(None))
    )
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in connection.execute(query):
        if row.copy not in ids:
            found[row.id].add(row.copy)
    return found


def remove_traces(connection: Connection, doomed: Doomed) -> dict[str, int]:
    """Remove all that is said of documents; returns how many rows went or changed, by table."""
    uris = set(find_uris(connection, doomed.ids).values())
    return {
        "feedback": _delete(connection, feedback, doomed.ids),
        "records of queries": _scrub_records(connection, doomed),
        "ledger": _scrub_ledger(connection, doomed),
        "notes of jobs": _delete_notes(connection, doomed.jobs, uris),
        "jobs": _scrub_jobs(connection, doomed.jobs, uris),
        "sources": _delete_sources(connection, doomed.collection_id, uris),
        "what sources keep": _forget_memory(connection, doomed.collection_id, sorted(uris)),
        "items of batches": _delete(connection, bulk_entry, doomed.ids),
        "words": _forget_words(connection, doomed),
        # With its work, attempts, dead letters, claims, samples, reviews and terms.
        "documents": _delete_documents(connection, doomed.ids),
    }


def _delete(connection: Connection, table: Table, ids: Sequence[str]) -> int:
    return connection.execute(delete(table).where(among(connection, table.c.document_id, ids))).rowcount


def _delete_documents(connection: Connection, ids: Sequence[str]) -> int:
    return connection.execute(delete(document).where(among(connection, document.c.id, ids))).rowcount


def _forget_words(connection: Connection, doomed: Doomed) -> int:
    word_counts.forget_words(connection, doomed.collection_id, doomed.ids)
    word_counts.fold_all_deltas(connection, doomed.collection_id)
    return 0


def _scrub_records(connection: Connection, doomed: Doomed) -> int:
    ids = set(doomed.ids)
    query = select(query_record.c.id, query_record.c.shown).where(query_record.c.collection_id == doomed.collection_id)
    changed = 0
    for row in connection.execute(query.execution_options(yield_per=AT_ONCE)).all():
        shown = [ERASED if str(hit).partition("/")[0] in ids else hit for hit in row.shown]
        if shown != row.shown:
            here = query_record.c.id == row.id
            changed += connection.execute(update(query_record).where(here).values(shown=shown)).rowcount
    return changed


def _scrub_ledger(connection: Connection, doomed: Doomed) -> int:
    """Calls keep their cost, and the number of documents that shared it."""
    ids, changed = set(doomed.ids), 0
    jobless = and_(usage.c.job_id.is_(None), usage.c.collection_id == doomed.collection_id)
    theirs = [among(connection, usage.c.job_id, part) for part in pages(doomed.jobs, AT_ONCE // 2)]
    for calls in (jobless, *theirs):
        query = select(usage.c.id, usage.c.documents).where(calls, usage.c.documents.is_not(None))
        for row in connection.execute(query).all():
            if row.documents and not ids.isdisjoint(row.documents):
                named = [ERASED if id in ids else id for id in row.documents]
                here = usage.c.id == row.id
                changed += connection.execute(update(usage).where(here).values(documents=named)).rowcount
    return changed


def _delete_notes(connection: Connection, jobs: Sequence[int], uris: Iterable[str]) -> int:
    """A note that names a document may be another's, as of a row that it has twice."""
    gone = 0
    for uri in uris:
        names = or_(scan_note.c.uri == uri, scan_note.c.reason.contains(uri, autoescape=True))
        query = delete(scan_note).where(among(connection, scan_note.c.job_id, jobs), names)
        gone += connection.execute(query).rowcount
    return gone


def _scrub_jobs(connection: Connection, jobs: Sequence[int], uris: set[str]) -> int:
    """A job of a single file names it as its source."""
    changed = 0
    for row in connection.execute(select(job.c.id, job.c.sources).where(among(connection, job.c.id, jobs))).all():
        named = [_without(spec, uris) for spec in row.sources]
        if named != row.sources:
            changed += connection.execute(update(job).where(job.c.id == row.id).values(sources=named)).rowcount
    return changed


def _without(spec: Mapping[str, Any], uris: set[str]) -> Mapping[str, Any]:
    return {**spec, "uri": ERASED} if spec.get("uri") in uris else spec


def _delete_sources(connection: Connection, collection_id: int, uris: set[str]) -> int:
    named = [
        row.id
        for row in connection.execute(select(source.c.id, source.c.spec).where(source.c.collection_id == collection_id))
        if row.spec.get("uri") in uris
    ]
    # A table's rows are named by their ids: such a source is the document itself.
    return connection.execute(delete(source).where(among(connection, source.c.id, named))).rowcount


def _forget_memory(connection: Connection, collection_id: int, uris: Sequence[str]) -> int:
    """What sources keep of a document is under its URI, behind a word for what it is."""
    theirs = select(source.c.id).where(source.c.collection_id == collection_id).scalar_subquery()
    gone = 0
    for part in pages(uris, URIS_AT_ONCE):
        of_one = or_(*(source_memory.c.key.endswith(uri, autoescape=True) for uri in part))
        query = delete(source_memory).where(source_memory.c.source_id.in_(theirs), of_one)
        gone += connection.execute(query).rowcount
    return gone


def forget_answers(connection: Connection, collection_id: int) -> int:
    """Forget what models answered in a collection, and grades, which do not tell of what they are; returns how many."""
    graded = and_(kept_answer.c.collection_id.is_(None), kept_answer.c.kind == "grade")
    gone = delete(kept_answer).where(or_(kept_answer.c.collection_id == collection_id, graded))
    return connection.execute(gone).rowcount


def find_judged(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Addresses of verdicts that reviews and batches of documents name."""
    reviewed = select(review.c.address).where(among(connection, review.c.document_id, ids))
    asked = select(bulk_entry.c.address).where(
        bulk_entry.c.kind == literal("verdict"), among(connection, bulk_entry.c.document_id, ids)
    )
    return {*connection.execute(reviewed).scalars(), *connection.execute(asked).scalars()}


def forget_verdicts(connection: Connection, addresses: Sequence[str], ids: Sequence[str]) -> int:
    """Forget verdicts that nobody else's review names; returns how many."""
    gone = 0
    for part in pages(addresses, AT_ONCE // 2):
        others = select(review.c.address).where(
            among(connection, review.c.address, part), ~among(connection, review.c.document_id, ids)
        )
        kept = set(connection.execute(others).scalars())
        mine = [address for address in part if address not in kept]
        gone += connection.execute(delete(verdict).where(among(connection, verdict.c.address, mine))).rowcount
    return gone
