"""Every change of a piece of work: dispatch, claim, lease, settlement, rescue; one statement per batch and step.

A claim takes work under a fresh lease token; whatever is written about it later names that token, so a worker whose
lease was taken away changes nothing. Attempts are counted here, at the claim, before anything can go wrong.
"""

import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Double,
    Integer,
    RowMapping,
    Select,
    String,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from embedmill.shared import VERSION
from embedmill.shared.db.budgets import has_refused
from embedmill.shared.db.bulk import Rows, insert_each, update_each
from embedmill.shared.db.bulk_lane import wake_answered
from embedmill.shared.db.engine import clock, read_clock
from embedmill.shared.db.pools import is_served
from embedmill.shared.db.schema import attempt, collection, dead_letter, document, in_state, job, work, worker
from embedmill.shared.db.transitions import hold_with_jobs, move_chosen, move_work
from embedmill.shared.errors import LONGEST_WAIT_SECONDS, BlobMissing, ProviderUnavailable, WorkerLost
from embedmill.shared.fingerprints import fingerprint
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park, Return
from embedmill.shared.states import JobState, Stage, State, WaitReason, WorkerState

# What others may ask us to wait for, as by Retry-After; our own pauses are shorter.
TOLD_TO_WAIT = (WaitReason.RATE, WaitReason.BUDGET, WaitReason.CIRCUIT)
LONGEST_PAUSE_SECONDS = 3600.0
# A message cannot have been sent later than this from now, by the same clock.
SKEW_SECONDS = 60.0
# Where a lost worker is hardly a document's fault, it takes so many times its attempts to bury it.
PATIENCE = 3
# Workers that were lost within this time say whether somebody else is killing them.
BLAME_SECONDS = 300.0
# Types of the parameters that are not columns of `work`; those that are begin with `v_`.
PARAMETERS: dict[str, Any] = {
    "row": BigInteger(),
    "to_stage": String(8),
    "delay": Double(),
    "fails": Boolean(),
    "why": Text(),
    "ended": String(10),
    "because": String(8),
    "attempts": Integer(),
} | {f"v_{c.name}": c.type for c in work.c}


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
    chunks_split: int = 0
    failing_since: float | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Work held under one lease; `token` fences everything that is written about it."""

    token: str
    stage: Stage
    worker: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Back-off between attempts, in seconds: `base` doubles up to `longest`.

    For the fault of a provider the next wait is as long as all before it, which doubles it too, until `outage`.
    """

    base: float
    longest: float
    outage: float = 1800.0
    draw: Callable[[], float] = random.random

    def delay(self, attempts: int) -> float:
        """Seconds to wait after the given number of attempts."""
        return min(self.base * 2.0 ** (attempts - 1), self.longest)

    def outage_delay(self, failing_seconds: float) -> float:
        """Seconds to wait when a provider has failed for so long: apart from others, and once more at the very end."""
        apart = min(max(self.base, failing_seconds), self.longest) * (0.75 + 0.5 * self.draw())
        return min(apart, max(self.outage - failing_seconds, self.base))


def count_queued(connection: Connection) -> int:
    """Work with a message out or in the hands of a worker."""
    counts = [
        select(func.count()).select_from(work).where(in_state(state)).scalar_subquery()
        for state in (State.QUEUED, State.RUNNING)
    ]
    return int(connection.execute(select(counts[0] + counts[1])).scalar_one())


def find_queued_stages(connection: Connection) -> set[Stage]:
    """Stages that have work with a message out."""
    query = select(work.c.stage).where(in_state(State.QUEUED)).distinct()
    return {Stage(stage) for stage in connection.execute(query).scalars()}


def count_claims(connection: Connection) -> int:
    """How many batches are in workers' hands."""
    query = select(func.count(work.c.lease.distinct())).where(work.c.state == State.RUNNING)
    return int(connection.execute(query).scalar_one())


def queue_ready(connection: Connection, job_id: int, *, limit: int) -> list[Ready]:
    """Mark up to `limit` pieces of a job as queued: those whose wait is over, then pending ones, oldest first."""
    ready = _queue(connection, State.WAITING, _select_due(job_id).limit(limit))
    if len(ready) < limit:
        ready += _queue(connection, State.PENDING, _select_pending(job_id).limit(limit - len(ready)))
    return sorted(ready, key=lambda r: r.id)


def _queue(connection: Connection, start: State, chosen: Select[int]) -> list[Ready]:
    query = move_chosen(State.QUEUED, of=start, chosen=chosen)
    rows = connection.execute(query.returning(work.c.id, work.c.stage, work.c.size, work.c.crashes))
    return [Ready(r.id, Stage(r.stage), r.size, r.crashes > 0) for r in rows]


def count_indexing(
    connection: Connection, collection_id: int, *, claimed_until: float, expired_seconds: float = 0.0
) -> int:
    """Work of a collection that is being indexed by whoever claimed it until then, by the database's clock.

    A lease that ran out more than `expired_seconds` ago is nobody's: there may be no chores that would end it.
    """
    query = (
        select(func.count())
        .select_from(work.join(document))
        .where(document.c.collection_id == collection_id, in_state(State.RUNNING), work.c.stage == Stage.INDEX)
        .where(work.c.claimed_at <= claimed_until, work.c.lease_until >= clock() - expired_seconds)
    )
    return connection.execute(query).scalar_one()


def count_ready(connection: Connection, job_id: int, *, limit: int) -> int:
    """Pending and due work of a job, counted up to `limit`."""
    counts = [
        select(func.count()).select_from(chosen.limit(limit).subquery()).scalar_subquery()
        for chosen in (_select_pending(job_id), _select_due(job_id))
    ]
    return min(limit, int(connection.execute(select(counts[0] + counts[1])).scalar_one()))


def _select_pending(job_id: int) -> Select[int]:
    pending = and_(work.c.job_id == job_id, in_state(State.PENDING))
    return select(work.c.id).where(pending, is_served(work.c.stage)).order_by(work.c.id)


def _select_due(job_id: int) -> Select[int]:
    now = clock()
    # A due time further away than this was set by a clock that has since been put back.
    most = case((work.c.wait_reason.in_(TOLD_TO_WAIT), LONGEST_WAIT_SECONDS), else_=LONGEST_PAUSE_SECONDS)
    longest = most + func.coalesce(work.c.paced_seconds, 0.0)
    due = or_(work.c.available_at <= now, work.c.available_at > now + longest)
    waits = and_(work.c.job_id == job_id, in_state(State.WAITING), work.c.wait_reason != WaitReason.PAUSED)
    return select(work.c.id).where(waits, due, is_served(work.c.stage)).order_by(work.c.available_at)


_TAKE_BACK = move_work(State.PENDING, of=[State.QUEUED])


def requeue_lost(connection: Connection, *, stages: Sequence[Stage], older_than_seconds: float) -> int:
    """Give queued work whose message must be lost back to the dispatcher; returns how many."""
    is_old = or_(work.c.dispatched_at <= clock() - older_than_seconds, work.c.dispatched_at > clock() + SKEW_SECONDS)
    query = _TAKE_BACK.where(work.c.stage.in_(stages), is_old)
    return connection.execute(query).rowcount


def requeue_all(connection: Connection) -> int:
    """Give all queued work back to the dispatcher, when every message is known to be gone; returns how many."""
    return connection.execute(_TAKE_BACK).rowcount


def put_back(connection: Connection, stage: Stage, ids: Sequence[int]) -> int:
    """Give work whose message is in hand, and was not claimed, back to the dispatcher; returns how many."""
    query = _TAKE_BACK.where(work.c.id.in_(list(ids)), work.c.stage == stage)
    return connection.execute(query).rowcount


# Two that were sent the same message do not wait for each other: one gets the row, the other passes it over.
_CLAIM = move_chosen(
    State.RUNNING,
    of=State.QUEUED,
    chosen=select(work.c.id)
    .where(
        work.c.id.in_(bindparam("ids", expanding=True)),
        work.c.stage == bindparam("of_stage"),
        work.c.job_id.in_(select(job.c.id).where(job.c.state == JobState.RUNNING)),
    )
    .order_by(work.c.id),
    epoch=work.c.epoch + 1,
    attempt=work.c.attempt + 1,
    lease=bindparam("token"),
    lease_until=clock() + bindparam("seconds"),
    claimed_at=clock(),
    claimed_with=bindparam("together"),
    worker=bindparam("by"),
)

_HELD = (
    select(
        # In the order of Item's fields: building an item by position costs a third of building it by name.
        *(document.c[f] if f in ("collection_id", "uri") else work.c[f] for f in Item.__dataclass_fields__)
    )
    .join_from(work, document)
    .where(work.c.lease == bindparam("token"), in_state(State.RUNNING))
    .order_by(work.c.id)
)


def claim(
    connection: Connection,
    stage: Stage,
    ids: Sequence[int],
    *,
    worker: str,
    lease_seconds: float,
    company: int = 0,
) -> Claim:
    """Take what is still queued of `ids` in `stage`; duplicates and late messages take nothing.

    `company` is what else may run in the same process meanwhile: with any, a crash is nobody's in particular.
    """
    token = secrets.token_hex(16)
    connection.execute(
        _CLAIM,
        {
            "ids": list(ids),
            "of_stage": stage,
            "token": token,
            "seconds": lease_seconds,
            "together": len(ids) + company,
            "by": worker,
        },
    )
    rows = connection.execute(_HELD, {"token": token})
    return Claim(token, stage, worker, tuple(Item(*row) for row in rows))


def find_held(connection: Connection, token: str) -> set[int]:
    """The work that is still held under a lease."""
    return set(connection.execute(select(work.c.id).where(work.c.lease == token, in_state(State.RUNNING))).scalars())


def renew(connection: Connection, token: str, *, lease_seconds: float) -> int:
    """Extend a lease; returns how many pieces are still held under it."""
    query = (
        update(work).where(work.c.lease == token, in_state(State.RUNNING)).values(lease_until=clock() + lease_seconds)
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
    outcomes = _under_outage(connection, claim, outcomes, retry)
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
        return not self.outcome.retryable or self.outcome.is_outage or self.item.attempt >= self.item.max_attempts

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
            origin=self.outcome.origin,
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """What a failure says of itself; `origin` is where a foreign error arose."""

    work_id: int
    job_id: int
    stage: Stage
    error_class: str
    error: str
    hint: str
    attempts: int
    origin: str | None = None
    crashed: bool = False


def bury(connection: Connection, letters: Sequence[Letter]) -> None:
    """Dead-letter running work, with the code and the settings under which it failed."""
    if not letters:
        return
    _update_each(
        connection,
        _from_running(State.DEAD).values(reason=bindparam("why")),
        [{"row": letter.work_id, "why": letter.error} for letter in letters],
    )
    circumstances = _find_circumstances(connection, [letter.work_id for letter in letters])
    rows = [_letter_row(letter, circumstances[letter.work_id]) | {"code_version": VERSION} for letter in letters]
    insert_each(connection, dead_letter, rows, created_at=clock())


def _find_circumstances(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    query = (
        select(work.c.id, work.c.crashes, work.c.epoch, work.c.settings_hash, collection.c.active_index_version)
        .join_from(work, job)
        .join(collection, collection.c.id == job.c.collection_id)
        .where(work.c.id.in_(ids))
    )
    return {row.id: row for row in connection.execute(query)}


def _letter_row(letter: Letter, circumstances: Any) -> dict[str, Any]:
    said = ("work_id", "job_id", "stage", "error_class", "error", "hint", "attempts")
    return {name: getattr(letter, name) for name in said} | {
        "fingerprint": fingerprint(letter.stage, letter.error_class, letter.error, origin=letter.origin),
        "crashes": circumstances.crashes + letter.crashed,
        "epoch": circumstances.epoch,
        "settings_hash": circumstances.settings_hash,
        "index_version": circumstances.active_index_version,
    }


def _held_job_states(connection: Connection, claim: Claim) -> dict[int, str]:
    held = and_(work.c.lease == claim.token, in_state(State.RUNNING))
    query = hold_with_jobs(select(work.c.id, job.c.state).join_from(work, job).where(held))
    return {row.id: row.state for row in connection.execute(query)}


def _under_job(outcome: Outcome, job_state: str) -> Outcome | Cancel:
    if job_state == JobState.CANCELLED and not isinstance(outcome, Complete):
        return Cancel()
    return outcome


def _under_outage(
    connection: Connection, claim: Claim, outcomes: Mapping[int, Outcome], retry: RetryPolicy
) -> dict[int, Outcome]:
    """What the faults of providers mean: a wait until they have gone on for too long, and then a failure."""
    failures = {
        id_: failure for id_, outcome in outcomes.items() if (failure := _provider_failure(outcome)) is not None
    }
    if not failures:
        return dict(outcomes)
    now = read_clock(connection)
    since = {item.id: item.failing_since for item in claim.items}
    seconds = {id_: max(now - (since.get(id_) or now), 0.0) for id_ in failures}
    late = [item for item in claim.items if seconds.get(item.id, -1.0) >= retry.outage]
    lost = _find_tried(connection, late)
    advice = (
        f"The provider failed for it for {retry.outage / 60:g} minutes (EMBEDMILL_OUTAGE_MINUTES). Once it answers "
        "again, as `embedmill doctor` says, replay: embedmill dlq replay --error-class ProviderUnavailable"
    )
    return dict(outcomes) | {
        id_: Fail(failure, advice)
        if id_ in lost
        else _wait_out(outcomes[id_], failure, retry.outage_delay(seconds[id_]))
        for id_, failure in failures.items()
    }


def _find_tried(connection: Connection, items: Sequence[Item]) -> set[int]:
    """Those that had all their tries in the present run of failures: in the batch lane two may be a day apart."""
    if not items:
        return set()
    failed = (
        select(attempt.c.work_id, func.count().label("tries"))
        .join_from(attempt, work)
        .where(attempt.c.work_id.in_([item.id for item in items]), attempt.c.outcome == "error")
        .where(attempt.c.ended_at >= work.c.failing_since)
        .group_by(attempt.c.work_id)
    )
    tries = {row.work_id: row.tries for row in connection.execute(failed)}
    return {item.id for item in items if tries.get(item.id, 0) + 1 >= item.max_attempts}


def _provider_failure(outcome: Outcome) -> ProviderUnavailable | None:
    match outcome:
        case Park(failure=failure):
            return failure
        case Fail(error=ProviderUnavailable() as error):
            return error
    return None


def _wait_out(outcome: Outcome, failure: ProviderUnavailable, seconds: float) -> Park:
    """A wait of its own, or the one that it was told."""
    if isinstance(outcome, Park):
        return outcome
    return Park(WaitReason.CIRCUIT, seconds, told=f"{type(failure).__name__}: {failure}", failure=failure)


def _from_running(target: State) -> Update:
    """An update by row that leaves `running` and gives the lease back; the caller has checked that it is held."""
    return move_work(target, of=[State.RUNNING]).where(work.c.id == bindparam("row"))


def _update_each(connection: Connection, query: Update, rows: Rows) -> None:
    update_each(connection, query, rows, PARAMETERS)


def _write_advances(connection: Connection, ended: Sequence[Ended]) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for e in ended:
        assert isinstance(e.outcome, Advance)
        row = {"row": e.item.id, "to_stage": e.outcome.stage}
        # What an earlier attempt failed at is over, unless the stage says something itself.
        columns = {"reason": None, **e.outcome.values}
        values = {f"v_{column}": value for column, value in columns.items()}
        groups.setdefault(tuple(sorted(columns)), []).append(row | values)
    for names, rows in groups.items():
        query = _from_running(State.QUEUED).values(
            stage=bindparam("to_stage"),
            attempt=0,
            crashes=0,
            failing_since=None,
            **{column: bindparam(f"v_{column}") for column in names},
        )
        _update_each(connection, query, rows)


def _write_completions(connection: Connection, ended: Sequence[Ended]) -> None:
    rows = [
        {"row": e.item.id, "ended": e.outcome.result, "why": e.outcome.reason}
        for e in ended
        if isinstance(e.outcome, Complete)
    ]
    if rows:
        query = _from_running(State.COMPLETED).values(result=bindparam("ended"), reason=bindparam("why"))
        _update_each(connection, query, rows)


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
            failing_since=None,
            stage=bindparam("to_stage"),
        )
        _update_each(connection, query, rows)


def _write_parks(connection: Connection, ended: Sequence[Ended]) -> None:
    parked = [(e.item.id, e.outcome) for e in ended if isinstance(e.outcome, Park)]
    if parked:
        # Whoever raised a budget while the stage ended woke what waited then, and not this: it goes on at once.
        woken = any(park.is_woken for _, park in parked) and not has_refused(connection, lock=True)
        rows = [
            {
                "row": id_,
                "because": park.reason,
                "delay": 0.0 if woken and park.is_woken else park.seconds,
                "why": park.told,
                "fails": park.failure is not None,
            }
            for id_, park in parked
        ]
        # What is left of a document without text is its reason for being skipped.
        is_empty = and_(work.c.stage == Stage.INDEX, work.c.chunks_expected == 0)
        query = _from_running(State.WAITING).values(
            wait_reason=bindparam("because"),
            available_at=clock() + bindparam("delay"),
            failing_since=case(
                (bindparam("fails", type_=Boolean), func.coalesce(work.c.failing_since, clock())),
                else_=work.c.failing_since,
            ),
            attempt=work.c.attempt - 1,
            reason=case((is_empty, work.c.reason), else_=func.coalesce(bindparam("why"), work.c.reason)),
        )
        _update_each(connection, query, rows)
        # The batch may have ended while the stage did.
        bulk = [id_ for id_, park in parked if park.reason == WaitReason.BULK]
        if bulk:
            wake_answered(connection, bulk)


def _write_returns(connection: Connection, ended: Sequence[Ended]) -> None:
    if ended:
        query = _from_running(State.PENDING).values(attempt=work.c.attempt - 1)
        _update_each(connection, query, [{"row": e.item.id} for e in ended])


def _cancel(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        query = _from_running(State.CANCELLED).values(reason="the job was cancelled")
        _update_each(connection, query, [{"row": id_} for id_ in ids])


def _record_attempts(connection: Connection, claim: Claim, ended: Sequence[Ended]) -> None:
    if ended:
        rows = [_attempt_row(e) for e in ended]
        insert_each(connection, attempt, rows, stage=claim.stage, worker=claim.worker, ended_at=clock())


_NAMES: dict[type, str] = {Advance: "ok", Complete: "ok", Park: "parked", Return: "returned", Cancel: "cancelled"}


def _attempt_row(ended: Ended) -> dict[str, Any]:
    item, outcome = ended.item, ended.outcome
    parked = outcome if isinstance(outcome, Park) else None
    failure = Fail(parked.failure) if parked and parked.failure else outcome if isinstance(outcome, Fail) else None
    return {
        "work_id": item.id,
        "epoch": item.epoch,
        "attempt": item.attempt,
        "started_at": item.claimed_at,
        "outcome": "error" if failure else _NAMES[type(ended.outcome)],
        "error_class": failure.error_class if failure else None,
        "error": failure.message if failure else parked.told if parked else None,
    }


def _advanced(ended: Sequence[Ended]) -> dict[Stage, list[int]]:
    sent: dict[Stage, list[int]] = {}
    for e in ended:
        if isinstance(e.outcome, Advance):
            sent.setdefault(e.outcome.stage, []).append(e.item.id)
    return sent


def find_expired(connection: Connection) -> list[tuple[str, str]]:
    """(token, worker) of every lease that ran out."""
    query = select(work.c.lease, work.c.worker).where(in_state(State.RUNNING), work.c.lease_until < clock())
    return [(row.lease, row.worker) for row in connection.execute(query.distinct())]


def find_leases(connection: Connection) -> list[tuple[str, str]]:
    """(token, worker) of every lease, expired or not."""
    query = select(work.c.lease, work.c.worker).where(in_state(State.RUNNING)).distinct()
    return [(row.lease, row.worker) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Rescue:
    """How many pieces of work went back to the queue and how many were buried."""

    returned: int
    dead: int


@dataclass(frozen=True, slots=True)
class _Blame:
    """What the loss of its worker means for a document: the attempts that it has used up, and whether it is dead."""

    attempts: int
    is_dead: bool


def rescue(connection: Connection, token: str) -> Rescue:
    """Take work away from a worker that has died.

    A crash is held against a document only if the worker held nothing else: the members of a larger claim become
    suspects, which are sent alone, and get their attempt back. So a poison document is found, and its neighbours,
    and whatever else was running when somebody pulled the plug, are not blamed. Nor is what was alone, as long as
    at least as many workers die without it as with it: somebody else is killing them (decision 0022).
    """
    lost: list[int] = []

    def blame(row: RowMapping) -> _Blame:
        if row["claimed_with"] > 1:
            return _Blame(row["attempt"] - 1, is_dead=False)
        lost[:] = lost or [_count_lost_lately(connection)]
        if lost[0] >= 2 * (row["crashes"] + 1):
            return _blame_patiently(row)
        return _Blame(row["attempt"], row["attempt"] >= row["max_attempts"])

    return _take_away(connection, token, blame)


def rescue_silent(connection: Connection, token: str) -> Rescue:
    """Take work away from a worker that stopped answering, and that nobody saw die.

    A frozen, starved or cut off worker is hardly its document's fault (decision 0022).
    """
    return _take_away(connection, token, _blame_patiently)


def _blame_patiently(row: RowMapping) -> _Blame:
    """No attempt is used up; only what was with `PATIENCE` times as many lost workers, the last alone, is the cause."""
    losses = row["crashes"] + 1
    return _Blame(row["attempt"] - 1, row["claimed_with"] == 1 and losses >= PATIENCE * row["max_attempts"])


def _count_lost_lately(connection: Connection) -> int:
    lately = and_(worker.c.state == WorkerState.LOST, worker.c.stopped_at > clock() - BLAME_SECONDS)
    return connection.execute(select(func.count()).select_from(worker).where(lately)).scalar_one()


def _take_away(connection: Connection, token: str, blame: Callable[[RowMapping], _Blame]) -> Rescue:
    held = and_(work.c.lease == token, in_state(State.RUNNING))
    query = hold_with_jobs(select(work, job.c.state.label("job_state")).join_from(work, job).where(held))
    rows = connection.execute(query).mappings().all()
    wanted = [r for r in rows if r["job_state"] != JobState.CANCELLED]
    blamed = {r["id"]: blame(r) for r in wanted}
    dead = [r for r in wanted if blamed[r["id"]].is_dead]
    back = [r for r in wanted if not blamed[r["id"]].is_dead]
    lost = WorkerLost("the worker died or stopped answering while it held this document alone")
    bury(connection, [_lost_letter(r, lost) for r in dead])
    _cancel(connection, [r["id"] for r in rows if r["job_state"] == JobState.CANCELLED])
    if back:
        query_back = _from_running(State.PENDING).values(
            crashes=work.c.crashes + 1, attempt=bindparam("attempts"), reason="the worker was lost"
        )
        returned = [{"row": r["id"], "attempts": blamed[r["id"]].attempts} for r in back]
        _update_each(connection, query_back, returned)
    if rows:
        insert_each(connection, attempt, [_lost_attempt(r, lost) for r in rows], ended_at=clock())
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
        crashed=True,
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
