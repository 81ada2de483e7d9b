"""What a scan has to say of things that it met: passed over, not readable, read in part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    case,
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
from embedmill.shared.notes import split_notes
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


def count_notes(connection: Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    """What a job passed over, by reason: dicts of kind, reason, count and the URI of one; the most frequent first."""
    scanned = select(_NOTE_KIND, scan_note.c.reason, scan_note.c.uri).where(scan_note.c.job_id == job_id)
    empty = (
        select(literal("skipped").label("kind"), work.c.reason, document.c.uri)
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.result == literal_column(f"'{Result.SKIPPED}'"))
    )
    found = union_all(scanned, empty).subquery()
    counted = func.count().label("count")
    query = (
        select(found.c.kind, found.c.reason, counted, func.min(found.c.uri).label("uri"))
        .group_by(found.c.kind, found.c.reason)
        .order_by(counted.desc(), found.c.reason)
        .limit(limit)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def list_notes(connection: Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    """What a job passed over, with reasons: things its scan met, documents that hold nothing, and parts of others."""
    scanned = (
        select(_NOTE_KIND, scan_note.c.uri, scan_note.c.line, scan_note.c.reason)
        .where(scan_note.c.job_id == job_id)
        .order_by(scan_note.c.id)
    )
    empty = (
        select(literal("skipped").label("kind"), document.c.uri, null().label("line"), work.c.reason)
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.result == literal_column(f"'{Result.SKIPPED}'"))
        .order_by(work.c.id)
    )
    rows = list(connection.execute(scanned.limit(limit)))
    rows += connection.execute(empty.limit(limit - len(rows)))
    found = [dict(row._mapping) for row in rows]
    return found + _list_noted(connection, job_id, limit=limit - len(found))


def _list_noted(connection: Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    query = (
        select(document.c.uri, work.c.notes)
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.notes.is_not(None))
        .order_by(work.c.id)
        .limit(limit)
    )
    notes = [(row.uri, note) for row in connection.execute(query) for note in split_notes(row.notes)]
    return [{"kind": "noted", "uri": uri, "line": None, "reason": note} for uri, note in notes[:limit]]
