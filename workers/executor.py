"""Runs one batch: claim, stage, settlement, and the next message, each step safe to lose."""

from collections.abc import Callable, Mapping, Sequence

from embedmill.shared.db import leases, pools, queueing, settlement
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.leases import Lease, WorkItem
from embedmill.shared.errors import EmbedmillError, FlowControl, StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.outcomes import Fail, Outcome, Park, Return
from embedmill.workers.heartbeat import Heartbeat
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime

log = get_logger()

StageFunction = Callable[[WorkerRuntime, Lease], Mapping[int, Outcome]]
Publish = Callable[[BatchMessage], None]


def execute(
    runtime: WorkerRuntime, message: BatchMessage, stage: StageFunction, publish: Publish, *, company: int = 0
) -> int:
    """Work on what a message names and is still to be had; returns how many documents that were.

    `company` is what else may run in this process meanwhile. Whatever the stage raises becomes a recorded attempt of
    every document it had. Only StorageFailed passes: then nothing can be recorded, the work is handed back as far as
    possible, and the process should end.
    """
    runtime.forget_collections()
    with runtime.streams.approaching(message.stage):
        return _work_on(runtime, message, stage, publish, company)


def _work_on(
    runtime: WorkerRuntime, message: BatchMessage, stage: StageFunction, publish: Publish, company: int
) -> int:
    claim = _claim(runtime, message, company)
    if not claim.items:
        log.info("batch.nothing_to_claim", stage=message.stage, work=len(message.work))
        return 0
    with (
        runtime.held.holding(claim),
        Heartbeat(lambda: _renew(runtime, claim), interval=runtime.settings.lease_seconds / 3),
    ):
        outcomes = _run_stage(runtime, claim, stage)
        advanced = _settle(runtime, claim, outcomes)
    for next_stage, ids in advanced.items():
        publish(BatchMessage(next_stage, tuple(ids)))
    return len(claim.items)


def _claim(runtime: WorkerRuntime, message: BatchMessage, company: int) -> Lease:
    """The claim, which has nothing when the queue is paused: then its work goes back, to be sent when it is resumed."""

    def take(connection: Connection) -> Lease:
        claim = leases.claim(
            connection,
            message.stage,
            message.work,
            worker=runtime.process_id,
            lease_seconds=runtime.settings.lease_seconds,
            company=company,
        )
        if not claim.items and pools.is_paused(connection, message.stage):
            queueing.put_back(connection, message.stage, message.work)
        return claim

    return runtime.database.transact(take)


def give_back(runtime: WorkerRuntime, message: BatchMessage) -> None:
    """Return the work of a message that is in hand and will not be worked on here, or that could not be sent.

    If that fails it stays queued, and the rescuer finds out that its message is not there.
    """
    try:
        runtime.database.transact(lambda connection: queueing.put_back(connection, message.stage, message.work))
    except StorageFailed as error:
        log.warning("batch.not_given_back", stage=message.stage, error=str(error))


def _run_stage(runtime: WorkerRuntime, claim: Lease, stage: StageFunction) -> Mapping[int, Outcome]:
    try:
        return stage(runtime, claim)
    except StorageFailed:
        hand_back(runtime, claim)
        raise
    except BaseException as error:  # noqa: BLE001 - MemoryError and SystemExit too: a stage must not end its worker
        log.warning("stage.failed", stage=claim.stage, work=len(claim.items), error_class=type(error).__name__)
        return {item.id: outcome_of(error) for item in claim.items}


def _settle(runtime: WorkerRuntime, claim: Lease, outcomes: Mapping[int, Outcome]) -> dict[str, list[int]]:
    advanced = runtime.database.transact(
        lambda connection: settlement.settle(connection, claim, outcomes, retry=runtime.retry)
    )
    failed = sum(isinstance(outcome, Fail) for outcome in outcomes.values())
    log.info("batch.settled", stage=claim.stage, work=len(claim.items), failed=failed)
    return advanced


def hand_back(runtime: WorkerRuntime, claim: Lease) -> None:
    """Give up a lease and return its work untouched; whatever its stage still does will have no effect."""
    returned = {item.id: Return() for item in claim.items}
    try:
        runtime.database.transact(
            lambda connection: settlement.settle(connection, claim, returned, retry=runtime.retry)
        )
    except StorageFailed as error:
        log.warning("batch.not_returned", stage=claim.stage, error=str(error))


def _renew(runtime: WorkerRuntime, claim: Lease) -> None:
    seconds = runtime.settings.lease_seconds
    runtime.database.transact(lambda connection: leases.renew(connection, claim.token, lease_seconds=seconds))


def outcome_of(error: BaseException) -> Outcome:
    """What an error means for the document that it hit."""
    if isinstance(error, FlowControl):
        return Park(error.reason, error.retry_after_seconds, error.is_woken, str(error), error.failure)
    return Fail(error)


def worst_outcome(errors: Sequence[EmbedmillError]) -> Outcome:
    """What several errors mean: what no wait can mend decides; otherwise the document waits, and pays nothing twice."""
    return outcome_of(min(errors, key=lambda error: (error.retryable, not isinstance(error, FlowControl))))


def bisect(
    items: Sequence[WorkItem], call: Callable[[Sequence[WorkItem]], Mapping[int, Outcome]]
) -> dict[int, Outcome]:
    """Outcomes of a call that treats its items as one; when it fails, halves are tried until the culprit is alone."""
    return {id_: as_outcome(end) for id_, end in try_apart(items, call).items()}


End = Outcome | BaseException
"""How a document's part in a batch ended, as long as it matters what raised."""


def as_outcome(end: End) -> Outcome:
    """What it means for the document."""
    return outcome_of(end) if isinstance(end, BaseException) else end


def try_apart(items: Sequence[WorkItem], call: Callable[[Sequence[WorkItem]], Mapping[int, End]]) -> dict[int, End]:
    """The same with errors as they were raised."""
    try:
        return dict(call(items))
    except StorageFailed:
        raise
    except FlowControl as error:
        return {item.id: error for item in items}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is somebody's in this batch
        if len(items) == 1:
            return {items[0].id: error}
        middle = len(items) // 2
        return try_apart(items[:middle], call) | try_apart(items[middle:], call)
