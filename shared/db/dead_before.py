"""What a job passes over because it died before just as it is now, and what is said of that."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, exists, func, or_, select

from embedmill.shared import VERSION
from embedmill.shared.db.bulk import among
from embedmill.shared.db.dead_letters import StoredLetter, list_letters
from embedmill.shared.db.schema import dead_letter, document, scan_note, work
from embedmill.shared.db.submission import Submission
from embedmill.shared.errors import SourceGone, is_document_fault
from embedmill.shared.letters import LetterFilter
from embedmill.shared.states import State


def find_dead_before(connection: Connection, tried: Mapping[str, Submission]) -> dict[str, int]:
    """Of documents that are submitted as readers do not see them, those that died as just that, each with its letter.

    A discarded letter settles its document's content for good, whatever the settings, as those of another release are
    others, and whatever the document was meanwhile: until somebody had the same content tried once more. An open one
    is of the newest work, and settles it under its settings, until there is another release. What was gone when a
    worker came is there again, or nobody would submit it.
    """
    still_holds = or_(
        and_(dead_letter.c.resolution == "discarded", ~_was_tried_since()),
        and_(
            dead_letter.c.resolved_at.is_(None),
            dead_letter.c.code_version == VERSION,
            work.c.generation == document.c.generation,
        ),
    )
    query = (
        select(
            document.c.id,
            document.c.wanted_version,
            work.c.version,
            work.c.content_hash,
            work.c.source_state,
            work.c.settings_hash,
            dead_letter.c.resolution,
            dead_letter.c.id.label("letter"),
        )
        .join_from(document, work, work.c.document_id == document.c.id)
        .join(dead_letter, dead_letter.c.work_id == work.c.id)
        .where(among(connection, document.c.id, list(tried)))
        .where(document.c.active_version.is_distinct_from(work.c.version))
        .where(work.c.state.in_((State.DEAD, State.CANCELLED)), dead_letter.c.error_class != SourceGone.__name__)
        .where(still_holds)
        .order_by(dead_letter.c.id)
    )
    rows = connection.execute(query).all()
    return {row.id: row.letter for row in rows if _is_same(row, tried[row.id])}


def _was_tried_since() -> ColumnElement[bool]:
    """Whether there is later work on the same content, or the same state, of the document."""
    later = work.alias("later")
    is_alike = case(
        (work.c.content_hash != "", later.c.content_hash == work.c.content_hash),
        else_=later.c.source_state == work.c.source_state,
    )
    is_later = and_(later.c.document_id == work.c.document_id, later.c.generation > work.c.generation)
    return exists(select(later.c.id).where(is_later, is_alike))


def _is_same(row: Row[*tuple[Any, ...]], tried: Submission) -> bool:
    """Whether work was on what is submitted: what is known by its state has another version once it was read."""
    if row.resolution == "discarded":
        same = row.content_hash == tried.content_hash if tried.content_hash else row.source_state == tried.state
        return bool(same)
    under = (row.source_state, row.settings_hash) == (tried.state, tried.settings_hash)
    is_same = row.version == tried.version or (not tried.content_hash and under)
    return bool(is_same and row.wanted_version == tried.version)


@dataclass(frozen=True, slots=True)
class DeadBefore:
    """Documents that a job passed over because they had died as they are, by what holds of their letters now.

    Open letters are of documents at fault themselves (`unreadable`) or of others (`failed`).
    """

    unreadable: int = 0
    failed: int = 0
    settled: int = 0


def count_dead_before(connection: Connection, job_id: int) -> DeadBefore:
    """What a job passed over because it had died before."""
    query = (
        select(dead_letter.c.error_class, dead_letter.c.resolved_at.is_(None).label("is_open"), func.count().label("n"))
        .join_from(scan_note, dead_letter, dead_letter.c.id == scan_note.c.letter_id)
        .where(scan_note.c.job_id == job_id, scan_note.c.letter_id.is_not(None))
        .group_by(dead_letter.c.error_class, dead_letter.c.resolved_at.is_(None))
    )
    counts = Counter[str]()
    for row in connection.execute(query):
        fault = "unreadable" if is_document_fault(row.error_class) else "failed"
        counts[fault if row.is_open else "settled"] += row.n
    return DeadBefore(**counts)


def describe_dead_before(connection: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Notes of a scan on documents that it passes over for these letters."""
    rows = list_letters(connection, LetterFilter(ids=ids, resolved=True), limit=len(ids)) if ids else []
    return [
        {"kind": "skipped", "uri": row.uri, "line": None, "reason": _say_before(row), "letter_id": row.id}
        for row in rows
    ]


def _say_before(letter: StoredLetter) -> str:
    said = "unreadable as before" if is_document_fault(letter.error_class) else "failed as before"
    if letter.resolution == "discarded":
        return f"{said}; its dead letter was discarded: {letter.resolution_reason}"
    return f"{said} ({letter.error_class}); its dead letter is open, --retry-dead tries again"
