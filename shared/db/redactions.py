"""What redaction hid in documents: counts by type, and the keyed hashes by which a person's documents are found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, exists, func, select

from embedmill.shared.db.bulk import among, insert_or
from embedmill.shared.db.schema import document, document_redaction, document_subject, work

_TABLES = (document_redaction, document_subject)


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was hidden in a document when it was read for a generation of its."""

    document_id: str
    generation: int
    counts: Mapping[str, int]
    subjects: frozenset[bytes]


def record_redactions(connection: Connection, found: Sequence[Redaction]) -> None:
    """Keep what was hidden, and forget it of versions that readers no longer see; repeating it changes nothing."""
    _forget_older(connection, [each.document_id for each in found if each.generation > 1])
    counts = [
        {"document_id": each.document_id, "generation": each.generation, "type": type_, "found": count}
        for each in found
        for type_, count in sorted(each.counts.items())
    ]
    subjects = [
        {"document_id": each.document_id, "generation": each.generation, "subject": subject}
        for each in found
        for subject in sorted(each.subjects)
    ]
    for table, rows in ((document_redaction, counts), (document_subject, subjects)):
        if rows:
            connection.execute(insert_or(connection, table).on_conflict_do_nothing(), rows)


def _forget_older(connection: Connection, ids: Sequence[str]) -> None:
    for table in _TABLES if ids else ():
        seen = select(document.c.active_generation).where(document.c.id == table.c.document_id).scalar_subquery()
        connection.execute(delete(table).where(among(connection, table.c.document_id, ids), table.c.generation < seen))


def forget_redactions(connection: Connection, ids: Sequence[str]) -> None:
    """Forget what was hidden in documents that are gone."""
    for table in _TABLES if ids else ():
        connection.execute(delete(table).where(among(connection, table.c.document_id, ids)))


def find_redactions(connection: Connection, document_id: str) -> dict[str, int]:
    """How many values of each type were hidden in what readers see of a document."""
    query = (
        select(document_redaction.c.type, document_redaction.c.found)
        .join(document, document.c.id == document_redaction.c.document_id)
        .where(document_redaction.c.document_id == document_id)
        .where(document_redaction.c.generation == document.c.active_generation)
        .order_by(document_redaction.c.type)
    )
    return {row.type: row.found for row in connection.execute(query)}


def sum_redactions(connection: Connection, job_id: int) -> dict[str, int]:
    """How many values of each type were hidden in a job's documents."""
    own = and_(
        work.c.document_id == document_redaction.c.document_id, work.c.generation == document_redaction.c.generation
    )
    query = (
        select(document_redaction.c.type, func.sum(document_redaction.c.found).label("found"))
        .join(work, own)
        .where(work.c.job_id == job_id)
        # Where nothing was ever hidden, not one row of the job's work is looked at.
        .where(exists(select(document_redaction.c.type)))
        .group_by(document_redaction.c.type)
        .order_by(document_redaction.c.type)
    )
    return {row.type: int(row.found) for row in connection.execute(query)}


def find_documents_of(connection: Connection, collection_id: int, subjects: Sequence[bytes]) -> list[str]:
    """The ids of a collection's documents that tell of somebody, in order."""
    query = (
        select(document.c.id)
        .distinct()
        .join(document_subject, document_subject.c.document_id == document.c.id)
        .where(document.c.collection_id == collection_id, document_subject.c.subject.in_(subjects))
        .order_by(document.c.id)
    )
    return list(connection.execute(query).scalars())
