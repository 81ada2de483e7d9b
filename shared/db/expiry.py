"""What is older than a collection keeps it: documents, and what is known of searches, jobs and attempts."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select

from embedmill.shared.db.clock import clock
from embedmill.shared.db.leftovers import DELAYS
from embedmill.shared.db.schema import (
    attempt,
    dead_letter,
    document,
    erased_document,
    feedback,
    job,
    kept_answer,
    query_record,
    scan_note,
    work,
)

DAY_SECONDS = 86_400.0
AT_ONCE = 1000
SWEPT_SECONDS = 1.1 * DELAYS[-1]
"""So long attempts tell the sweeper where rows may have been left."""


def list_expired(connection: Connection, collection_id: int, *, days: float, limit: int) -> list[str]:
    """Documents whose time has come, the oldest first: none of their work is younger, or under way."""
    query = select(document.c.id).where(_is_expired(collection_id, days)).order_by(document.c.updated_at)
    return list(connection.execute(query.limit(limit)).scalars())


def count_expired(connection: Connection, collection_id: int, *, days: float) -> int:
    """How many there are."""
    query = select(func.count()).select_from(document).where(_is_expired(collection_id, days))
    return int(connection.execute(query).scalar_one())


def _is_expired(collection_id: int, days: float) -> ColumnElement[bool]:
    since = clock() - DAY_SECONDS * days
    younger = or_(work.c.created_at > since, work.c.finished_at.is_(None))
    return and_(
        document.c.collection_id == collection_id,
        document.c.updated_at <= since,
        ~exists().where(work.c.document_id == document.c.id, younger),
        ~exists().where(erased_document.c.document_id == document.c.id),
    )


def forget_expired(connection: Connection, collection_id: int, *, days: float) -> dict[str, int]:
    """Remove some of what is older and no document: records and their feedback, answers, attempts, letters, notes."""
    since, swept = clock() - DAY_SECONDS * days, clock() - max(DAY_SECONDS * days, SWEPT_SECONDS)
    jobs = select(job.c.id).where(job.c.collection_id == collection_id)
    theirs = select(work.c.id).where(work.c.job_id.in_(jobs.scalar_subquery()))
    over = jobs.where(job.c.finished_at <= since)
    records = select(query_record.c.id).where(query_record.c.collection_id == collection_id)
    old: dict[str, tuple[Any, Sequence[ColumnElement[bool]]]] = {
        "feedback": (feedback, (feedback.c.query_id.in_(records.scalar_subquery()), feedback.c.created_at <= since)),
        "records of queries": (
            query_record,
            (query_record.c.collection_id == collection_id, query_record.c.created_at <= since),
        ),
        "answers": (kept_answer, (kept_answer.c.collection_id == collection_id, kept_answer.c.created_at <= since)),
        "dead letters": (
            dead_letter,
            (dead_letter.c.work_id.in_(theirs.scalar_subquery()), dead_letter.c.resolved_at <= since),
        ),
        "attempts": (attempt, (attempt.c.work_id.in_(theirs.scalar_subquery()), attempt.c.ended_at <= swept)),
        "notes of jobs": (scan_note, (scan_note.c.job_id.in_(over.scalar_subquery()),)),
        "jobs": (job, (job.c.id.in_(over.scalar_subquery()), ~exists().where(work.c.job_id == job.c.id))),
    }
    return {name: _delete(connection, table, conditions) for name, (table, conditions) in old.items()}


def _delete(connection: Connection, table: Any, conditions: Sequence[ColumnElement[bool]]) -> int:
    (key,) = table.primary_key.columns
    some = select(key).where(*conditions).limit(AT_ONCE).scalar_subquery()
    return connection.execute(delete(table).where(key.in_(some))).rowcount
