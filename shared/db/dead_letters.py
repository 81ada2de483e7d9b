"""Dead letters: found by filter, shown with their history, replayed or discarded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from shared.db.engine import clock
from shared.db.schema import attempt, collection, dead_letter, document, job, work
from shared.errors import NotFound
from shared.states import JobState, State


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters; None means any. `older_than` and `newer_than` are ages in seconds."""

    ids: Sequence[int] | None = None
    job: int | None = None
    collection: str | None = None
    stage: str | None = None
    error_class: str | None = None
    fingerprint: str | None = None
    older_than: float | None = None
    newer_than: float | None = None
    resolved: bool = False


def _matching(wanted: Filter) -> Any:
    query = (
        select(
            dead_letter,
            document.c.uri,
            document.c.id.label("document"),
            collection.c.name.label("collection"),
            job.c.state.label("job_state"),
        )
        .join_from(dead_letter, work)
        .join(job, job.c.id == dead_letter.c.job_id)
        .join(document, document.c.id == work.c.document_id)
        .join(collection, collection.c.id == document.c.collection_id)
    )
    for value, condition in (
        (wanted.ids, dead_letter.c.id.in_(wanted.ids or ())),
        (wanted.job, dead_letter.c.job_id == wanted.job),
        (wanted.collection, collection.c.name == wanted.collection),
        (wanted.stage, dead_letter.c.stage == wanted.stage),
        (wanted.error_class, dead_letter.c.error_class == wanted.error_class),
        (wanted.fingerprint, dead_letter.c.fingerprint == wanted.fingerprint),
        (wanted.older_than, dead_letter.c.created_at <= clock() - (wanted.older_than or 0)),
        (wanted.newer_than, dead_letter.c.created_at >= clock() - (wanted.newer_than or 0)),
    ):
        if value is not None:
            query = query.where(condition)
    return query if wanted.resolved else query.where(dead_letter.c.resolved_at.is_(None))


def list_letters(connection: Connection, wanted: Filter, *, limit: int = 100) -> list[dict[str, Any]]:
    """Dead letters, newest first."""
    rows = connection.execute(_matching(wanted).order_by(dead_letter.c.id.desc()).limit(limit))
    return [dict(row._mapping) for row in rows]


def count_letters(connection: Connection, wanted: Filter) -> int:
    """How many dead letters match."""
    return connection.execute(select(func.count()).select_from(_matching(wanted).subquery())).scalar_one()


def show_letter(connection: Connection, letter_id: int) -> dict[str, Any]:
    """One dead letter with every attempt at its document; raises NotFound."""
    rows = list_letters(connection, Filter(ids=[letter_id], resolved=True), limit=1)
    if not rows:
        raise NotFound(f"no dead letter {letter_id}", hint="embedmill dlq list")
    history = connection.execute(
        select(attempt).where(attempt.c.work_id == rows[0]["work_id"]).order_by(attempt.c.epoch)
    )
    return {**rows[0], "history": [dict(row._mapping) for row in history]}


def replay_letters(connection: Connection, wanted: Filter) -> list[int]:
    """Send matching dead letters back to the stage that failed, with fresh attempts; their history stays.

    Returns the letters. Their jobs run again; what was paid for is found by its content address. A cancelled job
    never runs again, so its letters stay as they are.
    """
    letters = [row for row in _list_all(connection, wanted) if row["job_state"] != JobState.CANCELLED]
    _resolve(connection, letters, "replayed", None)
    _leave_dead(
        connection,
        letters,
        state=State.PENDING,
        attempt=0,
        crashes=0,
        finished_at=None,
        reason=None,
        available_at=None,
    )
    jobs = sorted({row["job_id"] for row in letters})
    if jobs:
        connection.execute(
            update(job)
            .where(job.c.id.in_(jobs), job.c.state.in_((JobState.COMPLETED, JobState.FAILED)))
            .values(state=JobState.RUNNING, finished_at=None)
        )
    return [row["id"] for row in letters]


def discard_letters(connection: Connection, wanted: Filter, *, reason: str) -> list[int]:
    """Give matching dead letters up, for a reason; returns them."""
    letters = _list_all(connection, wanted)
    _resolve(connection, letters, "discarded", reason)
    _leave_dead(connection, letters, state=State.CANCELLED, finished_at=clock(), reason=f"discarded: {reason}")
    return [row["id"] for row in letters]


def _list_all(connection: Connection, wanted: Filter) -> list[dict[str, Any]]:
    return list_letters(connection, wanted, limit=1_000_000_000)


def _resolve(connection: Connection, letters: Sequence[dict[str, Any]], resolution: str, reason: str | None) -> None:
    ids = [row["id"] for row in letters]
    for start in range(0, len(ids), 1000):
        connection.execute(
            update(dead_letter)
            .where(dead_letter.c.id.in_(ids[start : start + 1000]), dead_letter.c.resolved_at.is_(None))
            .values(resolved_at=clock(), resolution=resolution, resolution_reason=reason)
        )


def _leave_dead(connection: Connection, letters: Sequence[dict[str, Any]], **values: Any) -> None:
    ids = [row["work_id"] for row in letters]
    for start in range(0, len(ids), 1000):
        connection.execute(
            update(work).where(work.c.id.in_(ids[start : start + 1000]), work.c.state == State.DEAD).values(**values)
        )
