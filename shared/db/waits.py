"""What unfinished work of a job waits for: its own reason, a lease, a pause, a queue, or the scan of its sources."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    case,
    func,
    select,
)

from embedmill.shared import stages
from embedmill.shared.db.bulk_batches import find_trouble
from embedmill.shared.db.clock import clock
from embedmill.shared.db.jobs import UNFINISHED, Job, get_job
from embedmill.shared.db.pools import read_pools
from embedmill.shared.db.schema import document, in_state, tally, work, worker
from embedmill.shared.states import JobState, State, WaitReason

ERRORS_LOOKED_AT = 1000


def was_refused_here(connection: Connection, job_id: int, *, supervisor: str) -> bool:
    """Whether any work that waits for a key was parked by a worker of this supervisor, whose key will not change."""
    ours = select(worker.c.id).where(worker.c.supervisor == supervisor)
    query = select(work.c.id).where(
        work.c.job_id == job_id, in_state(State.WAITING), work.c.wait_reason == WaitReason.KEY, work.c.worker.in_(ours)
    )
    return connection.execute(query.limit(1)).first() is not None


def find_cause(connection: Connection, job_id: int, reason: WaitReason) -> str | None:
    """What some work of a job that waits for a reason was told; None if none does, empty if it was told nothing."""
    query = select(work.c.reason).where(work.c.job_id == job_id, in_state(State.WAITING), work.c.wait_reason == reason)
    row = connection.execute(query.limit(1)).first()
    return row.reason or "" if row else None


def list_waiting(connection: Connection, subject: Job) -> list[dict[str, Any]]:
    """What a job's unfinished work waits for, by stage and reason: how many, the next one's seconds, a late error."""
    why = _read_circumstances(connection, subject)
    groups: dict[tuple[str, str], int] = {}
    for row in connection.execute(
        select(tally.c.stage, tally.c.state, tally.c.wait_reason, func.sum(tally.c.documents).label("documents"))
        .where(tally.c.job_id == subject.id, tally.c.state.in_(UNFINISHED))
        .group_by(tally.c.stage, tally.c.state, tally.c.wait_reason)
    ):
        key = (row.stage, why.name(row))
        groups[key] = groups.get(key, 0) + int(row.documents)
    due = {key: _find_next(connection, subject.id, *key) for key, count in groups.items() if count}
    errors = _find_errors(connection, subject.id, why)
    if troubled := find_trouble(connection, subject.id):
        errors |= {key: troubled for key in groups if key[1] == WaitReason.BULK}
    return [
        {
            "stage": str(key[0]),
            "reason": key[1],
            "documents": count,
            "next_in_seconds": due.get(key),
            "last_error": errors.get(key),
        }
        for key, count in sorted(groups.items(), key=lambda group: (stages.place(group[0][0]), group[0][1]))
        if count
    ]


def list_waiting_documents(connection: Connection, job_id: int, *, limit: int, after: int = 0) -> list[dict[str, Any]]:
    """A job's unfinished documents one by one, in the order in which they were submitted, each with its reason."""
    why = _read_circumstances(connection, get_job(connection, job_id))
    due = case((work.c.state == State.RUNNING, work.c.lease_until), else_=work.c.available_at)
    query = (
        select(
            work.c.id.label("work"),
            document.c.uri,
            work.c.stage,
            work.c.state,
            work.c.wait_reason,
            (due - clock()).label("due_in_seconds"),
            work.c.attempt,
            work.c.crashes,
            work.c.worker,
            work.c.reason.label("last_error"),
        )
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.state.in_(UNFINISHED), work.c.id > after)
        .order_by(work.c.id)
        .limit(limit)
    )
    return [_describe_waiting(row, why) for row in connection.execute(query)]


def _describe_waiting(row: Any, why: "Circumstances") -> dict[str, Any]:
    found = dict(row._mapping)
    del found["wait_reason"]
    found["due_in_seconds"] = _not_past(row.due_in_seconds)
    if not _is_still_true(row):
        found["last_error"] = None
    if row.state != State.RUNNING:
        found["worker"] = None
    return found | {"reason": why.name(row)}


# What work waits for whose queue was scaled to 0.
SCALED = "scaled"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides, beside its own row, what a piece of work waits for."""

    is_paused: bool
    is_scanned: bool
    paused_queues: frozenset[str]
    scaled_queues: frozenset[str]
    """Those that somebody scaled to 0."""

    def name(self, row: Any) -> str:
        """Its own reason, a worker's lease, a pause or scale of its queue, the scan of its sources, or a queue."""
        if row.state == State.RUNNING:
            return "lease"
        # A tally's place has '' for none.
        if row.wait_reason:
            return str(row.wait_reason)
        if self.is_paused or row.stage in self.paused_queues:
            return WaitReason.PAUSED
        if row.stage in self.scaled_queues:
            return SCALED
        return "scanning" if row.state == State.PENDING and not self.is_scanned else "queue"


def _read_circumstances(connection: Connection, subject: Job) -> Circumstances:
    wanted = read_pools(connection).values()
    return Circumstances(
        is_paused=subject.state == JobState.PAUSED,
        is_scanned=subject.enumerated_at is not None,
        paused_queues=frozenset(found.queue for found in wanted if found.paused),
        scaled_queues=frozenset(found.queue for found in wanted if found.desired == 0),
    )


def _find_next(connection: Connection, job_id: int, stage: str, reason: str) -> float | None:
    """Seconds until the first work that waits for `reason` is due."""
    if reason not in list(WaitReason):
        return None
    query = select(func.min(work.c.available_at) - clock()).where(
        work.c.job_id == job_id, in_state(State.WAITING), work.c.stage == stage, work.c.wait_reason == reason
    )
    return _not_past(connection.execute(query).scalar())


def _not_past(seconds: float | None) -> float | None:
    """What is due already is due now: nobody has taken it up yet."""
    return None if seconds is None else max(0.0, seconds)


def _find_errors(connection: Connection, job_id: int, why: Circumstances) -> dict[tuple[str, str], str]:
    """One message for each (stage, reason) among the youngest unfinished work whose last failure is not mended."""
    latest = (
        select(work.c.stage, work.c.state, work.c.wait_reason, work.c.attempt, work.c.crashes, work.c.reason)
        .where(work.c.job_id == job_id, work.c.reason.is_not(None), work.c.finished_at.is_(None))
        .order_by(work.c.id.desc())
        .limit(ERRORS_LOOKED_AT)
    )
    rows = connection.execute(latest)
    return {(row.stage, why.name(row)): row.reason for row in rows if _is_still_true(row)}


def _is_still_true(row: Any) -> bool:
    """Whether the message of unfinished work is about what holds it now.

    What waits was told why. What is sent again, or runs again, after a failure or a crash has not got over it yet; what
    a budget or a circuit let go on has.
    """
    if row.state == State.WAITING:
        return True
    before = row.attempt - 1 if row.state == State.RUNNING else row.attempt
    return bool(before > 0 or row.crashes > 0)
