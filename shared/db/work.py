"""Every change of a piece of work: dispatch, claim, lease, settlement, rescue; one statement per batch and step.

A claim takes work under a fresh lease token; whatever is written about it later names that token, so a worker whose
lease was taken away changes nothing. Attempts are counted here, at the claim, before anything can go wrong.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Update, and_, bindparam, func, insert, or_, select, update

from shared import VERSION
from shared.db.budgets import has_refused
from shared.db.engine import clock
from shared.db.schema import attempt, dead_letter, document, job, work
from shared.errors import BlobMissing, WorkerLost
from shared.outcomes import Advance, Complete, Fail, Outcome, Park, Return
from shared.states import JobState, Stage, State, WaitReason, require_transition

# A due time further away than this was set by a clock that has since been put back.
LONGEST_WAIT_SECONDS = 3600.0
# A message cannot have been sent later than this from now, by the same clock.
SKEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A piece of work that was just marked as queued and whose message may leave after the commit."""

    id: int
    stage: Stage
    size: int
    suspect: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One claimed piece of work with what its stage needs to know."""

    id: int
    epoch: int
    attempt: int
    max_attempts: int
    job_id: int
    collection_id: int
    document_id: str
    generation: int
    deletes: bool
    uri: str
    title: str
    origin: Mapping[str, Any]
    content_hash: str
    settings_hash: str
    version: str
    chunks_ref: str | None
    rejections_ref: str | None
    chunks_expected: int
    chunks_rejected: int
    reason: str | None
    claimed_at: float


@dataclass(frozen=True, slots=True)
class Claim:
    """Work held under one lease; `token` fences everything that is written about it."""

    token: str
    stage: Stage
    worker: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Back-off between attempts, in seconds: `base` doubles up to `longest`."""

    base: float
    longest: float

    def delay(self, attempts: int) -> float:
        """Seconds to wait after the given number of attempts."""
        return min(self.base * 2.0 ** (attempts - 1), self.longest)


def count_queued(connection: Connection) -> int:
    """Work with a message out or in the hands of a worker."""
    query = select(func.count()).where(work.c.state.in_((State.QUEUED, State.RUNNING)))
    return connection.execute(query).scalar_one()


def queue_ready(connection: Connection, job_id: int, *, limit: int) -> list[Ready]:
    """Mark up to `limit` pending or due pieces of a job as queued, oldest first."""
    ready = _select_ready(job_id).order_by(work.c.id).limit(limit).with_for_update(skip_locked=True)
    rows = connection.execute(
        update(work)
        .where(work.c.id.in_(ready.scalar_subquery()), work.c.state.in_((State.PENDING, State.WAITING)))
        .values(state=State.QUEUED, dispatched_at=clock(), wait_reason=None, available_at=None)
        .returning(work.c.id, work.c.stage, work.c.size, work.c.crashes)
    ).all()
    return sorted((Ready(r.id, Stage(r.stage), r.size, r.crashes > 0) for r in rows), key=lambda r: r.id)


def count_ready(connection: Connection, job_id: int, *, limit: int) -> int:
    """Pending and due work of a job, counted up to `limit`."""
    rows = _select_ready(job_id).limit(limit).subquery()
    return connection.execute(select(func.count()).select_from(rows)).scalar_one()


def _select_ready(job_id: int) -> Select[int]:
    now = clock()
    due = or_(work.c.available_at <= now, work.c.available_at > now + LONGEST_WAIT_SECONDS)
    return (
        select(work.c.id)
        .where(work.c.job_id == job_id, work.c.state.in_((State.PENDING, State.WAITING)))
        .where(or_(work.c.state == State.PENDING, and_(work.c.wait_reason != WaitReason.PAUSED, due)))
    )


def requeue_lost(connection: Connection, *, older_than_seconds: float) -> int:
    """Give queued work whose message must be lost back to the dispatcher; returns how many."""
    query = (
        update(work)
        .where(work.c.state == State.QUEUED)
        .where(or_(work.c.dispatched_at <= clock() - older_than_seconds, work.c.dispatched_at > clock() + SKEW_SECONDS))
        .values(state=State.PENDING, dispatched_at=None)
    )
    return connection.execute(query).rowcount


def requeue_all(connection: Connection) -> int:
    """Give all queued work back to the dispatcher, when every message is known to be gone; returns how many."""
    query = update(work).where(work.c.state == State.QUEUED).values(state=State.PENDING, dispatched_at=None)
    return connection.execute(query).rowcount


_CLAIM = (
    update(work)
    .where(
        work.c.id.in_(bindparam("ids", expanding=True)),
        work.c.stage == bindparam("of_stage"),
        work.c.state == State.QUEUED,
        work.c.job_id.in_(select(job.c.id).where(job.c.state == JobState.RUNNING)),
    )
    .values(
        state=State.RUNNING,
        epoch=work.c.epoch + 1,
        attempt=work.c.attempt + 1,
        lease=bindparam("token"),
        lease_until=clock() + bindparam("seconds"),
        claimed_at=clock(),
        claimed_with=bindparam("together"),
        worker=bindparam("by"),
        dispatched_at=None,
    )
)

_HELD = (
    select(
        # In the order of Item's fields: building an item by position costs a third of building it by name.
        *(document.c[f] if f in ("collection_id", "uri") else work.c[f] for f in Item.__dataclass_fields__)
    )
    .join_from(work, document)
    .where(work.c.lease == bindparam("token"), work.c.state == State.RUNNING)
    .order_by(work.c.id)
)


def claim(connection: Connection, stage: Stage, ids: Sequence[int], *, worker: str, lease_seconds: float) -> Claim:
    """Take what is still queued of `ids` in `stage`; duplicates and late messages take nothing."""
    token = secrets.token_hex(16)
    connection.execute(
        _CLAIM,
        {
            "ids": list(ids),
            "of_stage": stage,
            "token": token,
            "seconds": lease_seconds,
            "together": len(ids),
            "by": worker,
        },
    )
    rows = connection.execute(_HELD, {"token": token})
    return Claim(token, stage, worker, tuple(Item(*row) for row in rows))


def renew(connection: Connection, token: str, *, lease_seconds: float) -> int:
    """Extend a lease; returns how many pieces are still held under it."""
    query = (
        update(work)
        .where(work.c.lease == token, work.c.state == State.RUNNING)
        .values(lease_until=clock() + lease_seconds)
    )
    return connection.execute(query).rowcount


def settle(
    connection: Connection, claim: Claim, outcomes: Mapping[int, Outcome], *, retry: RetryPolicy
) -> dict[Stage, list[int]]:
    """Write what happened to claimed work; return, by stage, the ids whose next message may leave after the commit.

    Only work that is still held under the claim's lease is touched; the rest was taken over and its outcome is void.
    Work of a job that was cancelled meanwhile is cancelled here; that of a paused job advances and is not claimed.
    """
    states = _held_job_states(connection, claim)
    ended = [
        Ended(item, _under_job(outcomes.get(item.id, Return()), states[item.id]))
        for item in claim.items
        if item.id in states
    ]
    _write_advances(connection, [e for e in ended if isinstance(e.outcome, Advance)])
    _write_completions(connection, [e for e in ended if isinstance(e.outcome, Complete)])
    _write_parks(connection, [e for e in ended if isinstance(e.outcome, Park)])
    _write_returns(connection, [e for e in ended if isinstance(e.outcome, Return)])
    _cancel(connection, [e.item.id for e in ended if isinstance(e.outcome, Cancel)])
    failures = [e for e in ended if isinstance(e.outcome, Fail)]
    _write_retries(connection, claim.stage, [e for e in failures if not e.is_final], retry)
    bury(connection, [e.letter(claim.stage) for e in failures if e.is_final])
    _record_attempts(connection, claim, ended)
    return _advanced(ended)


@dataclass(frozen=True, slots=True)
class Cancel:
    """The job was cancelled while the work ran."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A claimed item with the outcome that holds for it."""

    item: Item
    outcome: Outcome | Cancel

    @property
    def is_final(self) -> bool:
        """Whether a failure uses up the last attempt or cannot be mended by another."""
        assert isinstance(self.outcome, Fail)
        return not self.outcome.retryable or self.item.attempt >= self.item.max_attempts

    def letter(self, stage: Stage) -> "Letter":
        """The dead letter of a final failure."""
        assert isinstance(self.outcome, Fail)
        return Letter(
            work_id=self.item.id,
            job_id=self.item.job_id,
            stage=stage,
            error_class=self.outcome.error_class,
            error=self.outcome.message,
            hint=self.outcome.hint,
            attempts=self.item.attempt,
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """What a dead letter says."""

    work_id: int
    job_id: int
    stage: Stage
    error_class: str
    error: str
    hint: str
    attempts: int
    crashes: int = 0


def bury(connection: Connection, letters: Sequence[Letter]) -> None:
    """Dead-letter running work."""
    if not letters:
        return
    connection.execute(
        _from_running(State.DEAD).values(finished_at=clock(), reason=bindparam("why")),
        [{"row": letter.work_id, "why": letter.error} for letter in letters],
    )
    rows = [
        {f: getattr(letter, f) for f in Letter.__slots__}
        | {"fingerprint": fingerprint(letter.stage, letter.error_class, letter.error), "code_version": VERSION}
        for letter in letters
    ]
    connection.execute(insert(dead_letter).values(created_at=clock()), rows)


def fingerprint(stage: str, error_class: str, message: str) -> str:
    """Root cause of a failure: numbers, hex ids, quoted names and paths do not tell two failures apart."""
    gist = re.sub(r"'[^']*'|\"[^\"]*\"|/\S+|\b[0-9a-f]{8,}\b|\d+(\.\d+)?", "#", message)
    return hashlib.sha256(f"{stage}\0{error_class}\0{gist}".encode()).hexdigest()[:16]


def _held_job_states(connection: Connection, claim: Claim) -> dict[int, str]:
    query = (
        select(work.c.id, job.c.state)
        .join_from(work, job)
        .where(work.c.lease == claim.token, work.c.state == State.RUNNING)
        .with_for_update(of=work)
    )
    return {row.id: row.state for row in connection.execute(query)}


def _under_job(outcome: Outcome, job_state: str) -> Outcome | Cancel:
    if job_state == JobState.CANCELLED and not isinstance(outcome, Complete):
        return Cancel()
    return outcome


def _from_running(target: State) -> Update:
    """An update by row that leaves `running` and gives the lease back; the caller has checked that it is held."""
    require_transition(State.RUNNING, target)
    return (
        update(work)
        .where(work.c.id == bindparam("row"), work.c.state == State.RUNNING)
        .values(state=target, lease=None, lease_until=None)
    )


def _write_advances(connection: Connection, ended: Sequence[Ended]) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for e in ended:
        assert isinstance(e.outcome, Advance)
        row = {"row": e.item.id, "to_stage": e.outcome.stage}
        values = {f"v_{column}": value for column, value in e.outcome.values.items()}
        groups.setdefault(tuple(sorted(e.outcome.values)), []).append(row | values)
    for columns, rows in groups.items():
        query = _from_running(State.QUEUED).values(
            stage=bindparam("to_stage"),
            dispatched_at=clock(),
            attempt=0,
            crashes=0,
            **{column: bindparam(f"v_{column}") for column in columns},
        )
        connection.execute(query, rows)


def _write_completions(connection: Connection, ended: Sequence[Ended]) -> None:
    rows = [
        {"row": e.item.id, "ended": e.outcome.result, "why": e.outcome.reason}
        for e in ended
        if isinstance(e.outcome, Complete)
    ]
    if rows:
        query = _from_running(State.COMPLETED).values(
            finished_at=clock(), result=bindparam("ended"), reason=bindparam("why")
        )
        connection.execute(query, rows)


def _write_retries(connection: Connection, stage: Stage, ended: Sequence[Ended], retry: RetryPolicy) -> None:
    rows = [
        {
            "row": e.item.id,
            "delay": retry.delay(e.item.attempt),
            "why": f"{e.outcome.error_class}: {e.outcome.message}",
            "to_stage": Stage.CHUNK if e.outcome.error_class == BlobMissing.__name__ else stage,
        }
        for e in ended
        if isinstance(e.outcome, Fail)
    ]
    if rows:
        query = _from_running(State.WAITING).values(
            wait_reason=WaitReason.RETRY,
            available_at=clock() + bindparam("delay"),
            reason=bindparam("why"),
            stage=bindparam("to_stage"),
        )
        connection.execute(query, rows)


def _write_parks(connection: Connection, ended: Sequence[Ended]) -> None:
    parked = [(e.item.id, e.outcome) for e in ended if isinstance(e.outcome, Park)]
    if parked:
        # Whoever raised a budget while the stage ended woke what waited then, and not this: it goes on at once.
        woken = any(park.is_woken for _, park in parked) and not has_refused(connection, lock=True)
        rows = [
            {"row": id_, "because": park.reason, "delay": 0.0 if woken and park.is_woken else park.seconds}
            for id_, park in parked
        ]
        query = _from_running(State.WAITING).values(
            wait_reason=bindparam("because"),
            available_at=clock() + bindparam("delay"),
            attempt=work.c.attempt - 1,
        )
        connection.execute(query, rows)


def _write_returns(connection: Connection, ended: Sequence[Ended]) -> None:
    if ended:
        query = _from_running(State.PENDING).values(attempt=work.c.attempt - 1)
        connection.execute(query, [{"row": e.item.id} for e in ended])


def _cancel(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        query = _from_running(State.CANCELLED).values(finished_at=clock(), reason="the job was cancelled")
        connection.execute(query, [{"row": id_} for id_ in ids])


def _record_attempts(connection: Connection, claim: Claim, ended: Sequence[Ended]) -> None:
    if ended:
        query = insert(attempt).values(
            stage=claim.stage, worker=claim.worker, ended_at=clock(), started_at=bindparam("started_at")
        )
        connection.execute(query, [_attempt_row(e) for e in ended])


_NAMES: dict[type, str] = {Advance: "ok", Complete: "ok", Park: "parked", Return: "returned", Cancel: "cancelled"}


def _attempt_row(ended: Ended) -> dict[str, Any]:
    item, failure = ended.item, ended.outcome if isinstance(ended.outcome, Fail) else None
    return {
        "work_id": item.id,
        "epoch": item.epoch,
        "attempt": item.attempt,
        "started_at": item.claimed_at,
        "outcome": "error" if failure else _NAMES[type(ended.outcome)],
        "error_class": failure.error_class if failure else None,
        "error": failure.message if failure else None,
    }


def _advanced(ended: Sequence[Ended]) -> dict[Stage, list[int]]:
    sent: dict[Stage, list[int]] = {}
    for e in ended:
        if isinstance(e.outcome, Advance):
            sent.setdefault(e.outcome.stage, []).append(e.item.id)
    return sent


def find_expired(connection: Connection) -> list[tuple[str, str]]:
    """(token, worker) of every lease that ran out."""
    query = select(work.c.lease, work.c.worker).where(work.c.state == State.RUNNING, work.c.lease_until < clock())
    return [(row.lease, row.worker) for row in connection.execute(query.distinct())]


def find_leases(connection: Connection) -> list[tuple[str, str]]:
    """(token, worker) of every lease, expired or not."""
    query = select(work.c.lease, work.c.worker).where(work.c.state == State.RUNNING).distinct()
    return [(row.lease, row.worker) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Rescue:
    """How many pieces of work went back to the queue and how many were buried."""

    returned: int
    dead: int


def rescue(connection: Connection, token: str) -> Rescue:
    """Take work away from a worker that is gone.

    A crash is held against a document only if the worker held nothing else: the members of a larger claim become
    suspects, which are sent alone, and get their attempt back. So a poison document is found, and its neighbours,
    and whatever else was running when somebody pulled the plug, are not blamed.
    """
    query = (
        select(work, job.c.state.label("job_state"))
        .join_from(work, job)
        .where(work.c.lease == token, work.c.state == State.RUNNING)
        .with_for_update(of=work)
    )
    rows = connection.execute(query).mappings().all()
    wanted = [r for r in rows if r["job_state"] != JobState.CANCELLED]
    dead = [r for r in wanted if r["claimed_with"] == 1 and r["attempt"] >= r["max_attempts"]]
    back = [r for r in wanted if not (r["claimed_with"] == 1 and r["attempt"] >= r["max_attempts"])]
    lost = WorkerLost("the worker died or stopped answering while it held this document alone")
    bury(connection, [_lost_letter(r, lost) for r in dead])
    _cancel(connection, [r["id"] for r in rows if r["job_state"] == JobState.CANCELLED])
    if back:
        query_back = _from_running(State.PENDING).values(
            crashes=work.c.crashes + 1, attempt=bindparam("attempts"), reason="the worker was lost"
        )
        connection.execute(
            query_back, [{"row": r["id"], "attempts": r["attempt"] - (r["claimed_with"] > 1)} for r in back]
        )
    if rows:
        connection.execute(insert(attempt).values(ended_at=clock()), [_lost_attempt(r, lost) for r in rows])
    return Rescue(len(back), len(dead))


def _lost_letter(row: RowMapping, lost: WorkerLost) -> Letter:
    return Letter(
        work_id=row["id"],
        job_id=row["job_id"],
        stage=Stage(row["stage"]),
        error_class=type(lost).__name__,
        error=str(lost),
        hint=lost.hint,
        attempts=row["attempt"],
        crashes=row["crashes"] + 1,
    )


def _lost_attempt(row: RowMapping, lost: WorkerLost) -> dict[str, Any]:
    return {
        "work_id": row["id"],
        "stage": row["stage"],
        "epoch": row["epoch"],
        "attempt": row["attempt"],
        "worker": row["worker"],
        "started_at": row["claimed_at"],
        "outcome": "lost",
        "error_class": type(lost).__name__,
        "error": str(lost),
    }
