"""What happened to claimed work is written: one statement for each kind of outcome in a batch."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    and_,
    bindparam,
    case,
    func,
    select,
)

from embedmill.shared import stages
from embedmill.shared.db.budgets import has_refused
from embedmill.shared.db.bulk import insert_alike
from embedmill.shared.db.bulk_waits import wake_answered
from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.documents import settle_unchanged
from embedmill.shared.db.leases import Lease, WorkItem
from embedmill.shared.db.running import Letter, bury, cancel_running, move_running
from embedmill.shared.db.schema import attempt, in_state, job, work
from embedmill.shared.db.transitions import hold_with_jobs
from embedmill.shared.errors import BlobMissing, ProviderUnavailable
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park, Return
from embedmill.shared.stages import Product
from embedmill.shared.states import JobState, Result, State, WaitReason


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


def settle(
    connection: Connection, claim: Lease, outcomes: Mapping[int, Outcome], *, retry: RetryPolicy
) -> dict[str, list[int]]:
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
    cancel_running(connection, [e.item.id for e in ended if isinstance(e.outcome, Cancel)])
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

    item: WorkItem
    outcome: Outcome | Cancel

    @property
    def is_final(self) -> bool:
        """Whether a failure uses up the last attempt or cannot be mended by another."""
        assert isinstance(self.outcome, Fail)
        return not self.outcome.retryable or self.outcome.is_outage or self.item.attempt >= self.item.max_attempts

    def letter(self, stage: str) -> "Letter":
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
            values=self.outcome.values,
        )


def _held_job_states(connection: Connection, claim: Lease) -> dict[int, str]:
    held = and_(work.c.lease == claim.token, in_state(State.RUNNING))
    query = hold_with_jobs(select(work.c.id, job.c.state).join_from(work, job).where(held))
    return {row.id: row.state for row in connection.execute(query)}


def _under_job(outcome: Outcome, job_state: str) -> Outcome | Cancel:
    if job_state == JobState.CANCELLED and not isinstance(outcome, Complete):
        return Cancel()
    return outcome


def _under_outage(
    connection: Connection, claim: Lease, outcomes: Mapping[int, Outcome], retry: RetryPolicy
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
    # What failed together comes back together, and shares requests again.
    drawn = retry.draw()
    alike = replace(retry, draw=lambda: drawn)
    advice = (
        f"The provider failed for it for {retry.outage / 60:g} minutes (EMBEDMILL_OUTAGE_MINUTES). Once it answers "
        "again, as `embedmill doctor` says, replay: embedmill dlq replay --error-class ProviderUnavailable"
    )
    return dict(outcomes) | {
        id_: Fail(failure, advice)
        if id_ in lost
        else _wait_out(outcomes[id_], failure, alike.outage_delay(seconds[id_]))
        for id_, failure in failures.items()
    }


def _find_tried(connection: Connection, items: Sequence[WorkItem]) -> set[int]:
    """Those that had all their tries in the present run of failures: in the batch lane two may be a day apart."""
    tries = count_failures(connection, [item.id for item in items])
    return {item.id for item in items if tries.get(item.id, 0) + 1 >= item.max_attempts}


def count_failures(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How often a provider failed for work in the present run of failures; what has none is left out."""
    if not ids:
        return {}
    failed = (
        select(attempt.c.work_id, func.count().label("tries"))
        .join_from(attempt, work)
        .where(attempt.c.work_id.in_(ids), attempt.c.outcome == "error")
        .where(attempt.c.ended_at >= work.c.failing_since)
        .group_by(attempt.c.work_id)
    )
    return {row.work_id: row.tries for row in connection.execute(failed)}


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
        move_running(
            connection,
            State.QUEUED,
            rows,
            stage=bindparam("to_stage"),
            attempt=0,
            crashes=0,
            failing_since=None,
            **{column: bindparam(f"v_{column}") for column in names},
        )


def _write_completions(connection: Connection, ended: Sequence[Ended]) -> None:
    rows = [
        {"row": e.item.id, "ended": e.outcome.result, "why": e.outcome.reason}
        for e in ended
        if isinstance(e.outcome, Complete)
    ]
    move_running(connection, State.COMPLETED, rows, result=bindparam("ended"), reason=bindparam("why"))
    settle_unchanged(
        connection,
        [
            {"row": e.item.document_id, "of_generation": e.item.generation, "state": e.outcome.state}
            for e in sorted(ended, key=lambda e: e.item.document_id)
            if isinstance(e.outcome, Complete) and e.outcome.result is Result.UNCHANGED
        ],
    )


def _write_retries(connection: Connection, stage: str, ended: Sequence[Ended], retry: RetryPolicy) -> None:
    rows = [
        {
            "row": e.item.id,
            "delay": retry.delay(e.item.attempt),
            "why": f"{e.outcome.error_class}: {e.outcome.message}",
            "to_stage": stages.maker(Product.CHUNKS) if e.outcome.error_class == BlobMissing.__name__ else stage,
        }
        for e in ended
        if isinstance(e.outcome, Fail)
    ]
    if rows:
        move_running(
            connection,
            State.WAITING,
            rows,
            wait_reason=WaitReason.RETRY,
            available_at=clock() + bindparam("delay"),
            reason=bindparam("why"),
            failing_since=None,
            stage=bindparam("to_stage"),
        )


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
        is_empty = and_(work.c.stage == stages.last(), work.c.chunks_expected == 0)
        move_running(
            connection,
            State.WAITING,
            rows,
            wait_reason=bindparam("because"),
            available_at=clock() + bindparam("delay"),
            failing_since=case(
                (bindparam("fails", type_=Boolean), func.coalesce(work.c.failing_since, clock())),
                else_=work.c.failing_since,
            ),
            attempt=work.c.attempt - 1,
            reason=case((is_empty, work.c.reason), else_=func.coalesce(bindparam("why"), work.c.reason)),
        )
        # The batch may have ended while the stage did.
        bulk = [id_ for id_, park in parked if park.reason == WaitReason.BULK]
        if bulk:
            wake_answered(connection, bulk)


def _write_returns(connection: Connection, ended: Sequence[Ended]) -> None:
    move_running(connection, State.PENDING, [{"row": e.item.id} for e in ended], attempt=work.c.attempt - 1)


def _record_attempts(connection: Connection, claim: Lease, ended: Sequence[Ended]) -> None:
    if ended:
        rows = [_attempt_row(e) for e in ended]
        insert_alike(connection, attempt, rows, "work_id", stage=claim.stage, worker=claim.worker, ended_at=clock())


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


def _advanced(ended: Sequence[Ended]) -> dict[str, list[int]]:
    sent: dict[str, list[int]] = {}
    for e in ended:
        if isinstance(e.outcome, Advance):
            sent.setdefault(e.outcome.stage, []).append(e.item.id)
    return sent
