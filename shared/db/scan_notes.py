"""What a scan has to say of things that it met: passed over, not readable, read in part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    case,
    cast,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from embedmill.shared.db.schema import document, job, scan_note, work
from embedmill.shared.db.sealed import NOTES, open_sealed
from embedmill.shared.notes import Note, Reason, split_notes
from embedmill.shared.states import Result


def note_scan(connection: Connection, job_id: int, notes: Sequence[Mapping[str, Any]]) -> None:
    """Record what a scan has to say: dicts of kind, uri, line, reason and, for what died before, letter_id.

    `skipped` holds no document, `problem` could not be read, `unmet` was asked for and is not there, which is a problem
    without a document, and `note` is only said.
    """
    if not notes:
        return
    connection.execute(insert(scan_note).values(job_id=job_id), [{"letter_id": None, **note} for note in notes])
    kinds = Counter(note["kind"] for note in notes)
    connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(
            skipped=job.c.skipped + kinds["skipped"],
            problems=job.c.problems + kinds["problem"] + kinds["unmet"],
            unmet=job.c.unmet + kinds["unmet"],
        )
    )


_NOTE_KIND = case((scan_note.c.kind == "unmet", "problem"), else_=scan_note.c.kind).label("kind")
_IS_EMPTY = work.c.result == literal_column(f"'{Result.SKIPPED}'")


def count_notes(connection: Connection, job_id: int, *, limit: int) -> list[Reason]:
    """What a job passed over, by reason; the most frequent first."""
    scanned = select(_NOTE_KIND, scan_note.c.reason, scan_note.c.uri).where(scan_note.c.job_id == job_id)
    empty = (
        select(literal("skipped").label("kind"), work.c.reason, document.c.uri)
        .join_from(work, document)
        .where(work.c.job_id == job_id, _IS_EMPTY)
    )
    found = union_all(scanned, empty).subquery()
    counted = func.count().label("count")
    query = (
        select(found.c.kind, found.c.reason, counted, func.min(found.c.uri).label("uri"))
        .group_by(found.c.kind, found.c.reason)
        .order_by(counted.desc(), found.c.reason)
        .limit(limit)
    )
    return [Reason(**row) for row in connection.execute(query).mappings()]


def list_notes(connection: Connection, job_id: int, *, limit: int) -> list[Note]:
    """What a job passed over, with reasons: things its scan met, documents that hold nothing, and parts of others."""
    # In this order, and within each in that of its ids.
    scanned = select(
        literal(0).label("place"), scan_note.c.id, _NOTE_KIND, scan_note.c.uri, scan_note.c.line, scan_note.c.reason
    ).where(scan_note.c.job_id == job_id)
    empty = _of_documents(1, "skipped", work.c.reason).where(work.c.job_id == job_id, _IS_EMPTY)
    noted = _of_documents(2, "noted", work.c.notes).where(work.c.job_id == job_id, work.c.notes.is_not(None))
    parts = [select(part.order_by("id").limit(limit).subquery()) for part in (scanned, empty, noted)]
    rows = connection.execute(union_all(*parts).order_by("place", "id").limit(limit))
    found = [Note(row.kind, row.uri, row.line, reason) for row in rows for reason in _reasons_of(connection, row)]
    return found[:limit]


def _of_documents(place: int, kind: str, reason: ColumnElement[Any]) -> Select[Any]:
    said = (literal(kind).label("kind"), document.c.uri, cast(null(), Integer).label("line"), reason.label("reason"))
    return select(literal(place).label("place"), work.c.id, *said).join_from(work, document)


def _reasons_of(connection: Connection, row: Row[Any]) -> Sequence[str]:
    return split_notes(open_sealed(connection, NOTES, row.reason)) if row.kind == "noted" else [row.reason]
