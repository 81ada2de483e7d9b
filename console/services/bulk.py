"""Vendors' batches of the batch lane: which there are, and how one stands here and at its vendor."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.console.listening import Listener, Notice
from embedmill.console.services.progress import START_CHORES
from embedmill.console.services.reach import installation
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import bulk_batches, presence
from embedmill.shared.db.bulk_batches import BulkBatch
from embedmill.shared.durations import moment
from embedmill.shared.errors import NotFound
from embedmill.shared.ledger import BatchState
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A batch as people see it; points in time in ISO 8601, UTC."""

    batch: int
    job: int | None
    kind: str
    model: str
    state: BatchState
    vendor: str
    vendor_id: str | None
    vendor_state: str | None
    requests: int
    inputs: int
    succeeded: int
    errored: int
    returned: int
    age_seconds: float
    expires_in_seconds: float | None
    next_look_in_seconds: float | None
    created_at: str | None
    submitted_at: str | None
    expires_at: str | None
    cancelled_at: str | None
    ended_at: str | None
    troubles: int
    error: str | None


@dataclass(frozen=True, slots=True)
class BatchReports:
    """Some batches, newest first."""

    batches: Sequence[BatchReport]


def is_anybody_at_chores(runtime: Runtime) -> bool:
    """Whether a process that lives does the chores now."""
    holder = runtime.database.query(lambda connection: presence.find_chore_holder(connection, presence.CHORES))
    return holder is not None and not is_gone(runtime.run_folder, holder)


def tell_batches_out(runtime: Runtime, job_id: int, listener: Listener) -> None:
    """Say which batches of a job that has ended are at their vendor, where nobody may be there to end them."""
    found = runtime.database.query(lambda c: bulk_batches.list_batches(c, job_id=job_id, only_open=True))
    if found:
        which = ", ".join(str(batch.id) for batch in reversed(found))
        text = f"batch {which} is not settled with the vendor: the chores stop it, unless a job waits for it"
        listener.on_notice(Notice(f"{text}: {START_CHORES}"))


@serves("bulk.list", Right.OPERATE, installation, trace=Trace.NOTHING)
def list_batches(
    runtime: Runtime, *, job: int | None = None, only_open: bool = False, limit: int = 100
) -> BatchReports:
    """Batches, newest first: all of them, of one job, or those that are under way."""
    found = runtime.database.query(
        lambda connection: bulk_batches.list_batches(connection, job_id=job, only_open=only_open, limit=limit)
    )
    return BatchReports([describe_batch(batch) for batch in found])


@serves("bulk.show", Right.OPERATE, installation, trace=Trace.NOTHING)
def show_batch(runtime: Runtime, number: int) -> BatchReport:
    """One batch; raises NotFound."""
    found = runtime.database.query(lambda connection: bulk_batches.get_batch(connection, number))
    if found is None:
        raise NotFound(f"no batch {number}", hint="embedmill bulk list")
    return describe_batch(found)


def describe_batch(batch: BulkBatch) -> BatchReport:
    """A batch as people see it, from how it is kept."""
    return BatchReport(
        batch=batch.id,
        job=batch.job_id,
        kind=batch.kind,
        model=batch.target,
        state=batch.state,
        vendor=batch.provider,
        vendor_id=batch.vendor_id,
        vendor_state=batch.vendor_state,
        requests=batch.requests,
        inputs=batch.inputs,
        succeeded=batch.succeeded,
        errored=batch.errored,
        returned=batch.returned,
        age_seconds=round((batch.ended_at or batch.now) - batch.created_at, 1),
        expires_in_seconds=_until(batch.expires_at, batch),
        next_look_in_seconds=_until(batch.due_at, batch),
        created_at=_stamp(batch.created_at),
        submitted_at=_stamp(batch.submitted_at),
        expires_at=_stamp(batch.expires_at),
        cancelled_at=_stamp(batch.cancelled_at),
        ended_at=_stamp(batch.ended_at),
        troubles=batch.troubles,
        error=batch.error,
    )


def _until(moment: float | None, batch: BulkBatch) -> float | None:
    return None if moment is None or batch.ended_at is not None else round(max(moment - batch.now, 0.0), 1)


def _stamp(seconds: float | None) -> str | None:
    return None if seconds is None else moment(seconds).isoformat(timespec="seconds")
