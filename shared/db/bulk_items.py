"""The items of the batch lane: each is one text or chunk by its content address, whoever waits for it.

They are taken into batches by groups, and end as their batch says.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, case, delete, exists, func, or_, select, update
from sqlalchemy import bindparam as given

from embedmill.shared.db.budgets import has_refused
from embedmill.shared.db.bulk_waits import wake_answered
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.schema import bulk_batch, bulk_entry, bulk_wait, in_state, job, work
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import BulkState, Lane
from embedmill.shared.paging import pages
from embedmill.shared.states import JobState, State, WaitReason

EMBED, VERDICT = "embed", "verdict"
"""Kinds of items: what is asked about them."""
# Well under SQLite's limit of bound values in one statement.
PAGE = 500


@dataclass(frozen=True, slots=True)
class BulkGroup:
    """Items of one job that one vendor is to be asked about; `is_whole` when no more of them are on their way."""

    job_id: int
    collection_id: int
    kind: str
    target: str
    items: int
    seconds: float
    is_whole: bool


def find_groups(connection: Connection) -> list[BulkGroup]:
    """What waits to be asked, by job and model, the most urgent job first; what waits for a budget is left aside."""
    busy = exists().where(
        work.c.job_id == job.c.id, work.c.state.in_((State.PENDING, State.QUEUED, State.RUNNING)), ~work.c.deletes
    )
    coming = or_(job.c.enumerated_at.is_(None), busy)
    rests = exists().where(
        bulk_batch.c.job_id == job.c.id, bulk_batch.c.target == bulk_entry.c.target, bulk_batch.c.rests_until > clock()
    )
    query = (
        select(
            bulk_entry.c.job_id,
            job.c.collection_id,
            bulk_entry.c.kind,
            bulk_entry.c.target,
            func.count().label("items"),
            (clock() - func.min(bulk_entry.c.created_at)).label("seconds"),
            case((coming, 0), else_=1).label("is_whole"),
        )
        .join_from(bulk_entry, job)
        .where(job.c.state == JobState.RUNNING, job.c.lane == Lane.BULK, _is_ready(), ~rests)
        .group_by(
            bulk_entry.c.job_id,
            job.c.collection_id,
            bulk_entry.c.kind,
            bulk_entry.c.target,
            job.c.priority,
            job.c.id,
            job.c.enumerated_at,
        )
        .order_by(job.c.priority.desc(), job.c.id)
    )
    return [
        BulkGroup(r.job_id, r.collection_id, r.kind, r.target, r.items, r.seconds, bool(r.is_whole))
        for r in connection.execute(query)
    ]


def _is_ready() -> Any:
    """Whether an item waits to be asked, and somebody is parked for it, who does not wait for money first."""
    parked = select(bulk_wait.c.work_id).join(work, work.c.id == bulk_wait.c.work_id)
    waits = parked.where(
        bulk_wait.c.entry_id == bulk_entry.c.id,
        in_state(State.WAITING),
        work.c.wait_reason == WaitReason.BULK,
    )
    return and_(bulk_entry.c.state == BulkState.WANTED, exists(waits))


@dataclass(frozen=True, slots=True)
class BulkItem:
    """An item that waits or was sent, with what it takes to find its text and to read its answer."""

    id: int
    address: str
    document_id: str
    chunks_ref: str | None
    rejections_ref: str | None
    ordinal: int
    complaint: str | None
    alone: bool
    request: int | None
    place: int | None
    token: str | None


def _select_items() -> Any:
    return select(*(bulk_entry.c[name] for name in BulkItem.__dataclass_fields__))


def list_ready(connection: Connection, group: BulkGroup, *, limit: int) -> list[BulkItem]:
    """The oldest items of a group."""
    query = _select_items().where(
        bulk_entry.c.job_id == group.job_id,
        bulk_entry.c.kind == group.kind,
        bulk_entry.c.target == group.target,
        _is_ready(),
    )
    return [BulkItem(*row) for row in connection.execute(query.order_by(bulk_entry.c.id).limit(limit))]


def list_sent(connection: Connection, batch_id: int) -> list[BulkItem]:
    """The items of a batch in the order of their requests."""
    query = _select_items().where(bulk_entry.c.batch_id == batch_id, bulk_entry.c.state == BulkState.SENT)
    return [BulkItem(*row) for row in connection.execute(query.order_by(bulk_entry.c.request, bulk_entry.c.place))]


@dataclass(frozen=True, slots=True)
class ItemEnds:
    """How the items of a batch ended: errors by item, what is asked again and how, and the rest was answered.

    `again` has for each item what was wrong with its answer and whether it is asked alone; `returned` was not answered
    at all; of `lost` the answer is not to be had, and it is asked for at once.
    """

    failed: Mapping[int, EmbedmillError] = field(default_factory=dict)
    again: Mapping[int, tuple[str | None, bool]] = field(default_factory=dict)
    returned: Collection[int] = ()
    lost: Collection[int] = ()


def end_items(connection: Connection, batch_id: int, ends: ItemEnds, *, most_returns: int) -> list[int]:
    """Write how a batch's items ended; returns the work that waited for any of them."""
    waited = _list_waiting(connection, batch_id)
    here = update(bulk_entry).where(bulk_entry.c.id == given("item"), bulk_entry.c.batch_id == batch_id)
    here = here.where(bulk_entry.c.state == BulkState.SENT)
    if ends.failed:
        rows = [{"item": i, "of_class": type(e).__name__, "why": str(e)} for i, e in ends.failed.items()]
        connection.execute(here.values(state=BulkState.FAILED, error_class=given("of_class"), error=given("why")), rows)
    if ends.again:
        asked = [{"item": i, "what": what, "by_itself": alone} for i, (what, alone) in ends.again.items()]
        values: dict[str, Any] = {
            "complaint": given("what"),
            "alone": given("by_itself"),
            "batch_id": None,
            "created_at": clock(),
        }
        connection.execute(here.values(state=BulkState.WANTED, **values), asked)
    if ends.returned:
        often = bulk_entry.c.returns + 1 >= most_returns
        state = case((often, BulkState.LIVE.value), else_=BulkState.WANTED.value)
        later: dict[str, Any] = {"returns": bulk_entry.c.returns + 1, "batch_id": None, "created_at": clock()}
        connection.execute(here.values(state=state, **later), [{"item": i} for i in ends.returned])
    if ends.lost:
        connection.execute(here.values(state=BulkState.LIVE, batch_id=None), [{"item": i} for i in ends.lost])
    rest_of_it = update(bulk_entry).where(bulk_entry.c.batch_id == batch_id, bulk_entry.c.state == BulkState.SENT)
    connection.execute(rest_of_it.values(state=BulkState.DONE))
    return waited


def return_items(connection: Connection, batch_id: int) -> None:
    """What was never sent waits again."""
    query = update(bulk_entry).where(bulk_entry.c.batch_id == batch_id, bulk_entry.c.state == BulkState.SENT)
    connection.execute(query.values(state=BulkState.WANTED, batch_id=None))


def _list_waiting(connection: Connection, batch_id: int) -> list[int]:
    query = (
        select(bulk_wait.c.work_id)
        .join(bulk_entry, bulk_entry.c.id == bulk_wait.c.entry_id)
        .where(bulk_entry.c.batch_id == batch_id)
        .distinct()
        .order_by(bulk_wait.c.work_id)
    )
    return list(connection.execute(query).scalars())


def settle_known(connection: Connection, ids: Sequence[int]) -> None:
    """Items whose answer the cache has meanwhile, from somebody else; whoever waited goes on."""
    _end_unsent(connection, ids, BulkState.DONE)


def drop_lost(connection: Connection, ids: Sequence[int]) -> None:
    """Items whose text is not where it was: whoever waited asks anew, and finds out what became of it."""
    _end_unsent(connection, ids, None)


def _end_unsent(connection: Connection, ids: Sequence[int], state: BulkState | None) -> None:
    for part in pages(ids, PAGE):
        here = (bulk_entry.c.id.in_(part), bulk_entry.c.state == BulkState.WANTED)
        waits = select(bulk_wait.c.work_id).where(bulk_wait.c.entry_id.in_(part)).distinct()
        waited = list(connection.execute(waits).scalars())
        if state is None:
            connection.execute(delete(bulk_entry).where(*here))
        else:
            connection.execute(update(bulk_entry).where(*here).values(state=state))
        wake_answered(connection, waited)


def fail_items(connection: Connection, ids: Sequence[int], error: EmbedmillError) -> None:
    """Items that cannot be asked about: whoever waited is told."""
    for part in pages(ids, PAGE):
        query = update(bulk_entry).where(bulk_entry.c.id.in_(part), bulk_entry.c.state == BulkState.WANTED)
        connection.execute(query.values(state=BulkState.FAILED, error_class=type(error).__name__, error=str(error)))
        waits = select(bulk_wait.c.work_id).where(bulk_wait.c.entry_id.in_(part)).distinct()
        wake_answered(connection, list(connection.execute(waits).scalars()))


def await_budget(connection: Connection, ids: Sequence[int], *, seconds: float) -> int:
    """Let the work that waits for items wait for money instead; returns how much.

    Nothing does when no budget refuses any more: whoever raised it has woken what waited then, and not this.
    """
    count = 0
    if not has_refused(connection, lock=True):
        return count
    for part in pages(ids, PAGE):
        waits = select(bulk_wait.c.work_id).where(bulk_wait.c.entry_id.in_(part))
        query = update(work).where(work.c.id.in_(waits), in_state(State.WAITING), work.c.wait_reason == WaitReason.BULK)
        values = {"wait_reason": WaitReason.BUDGET, "available_at": clock() + seconds}
        count += connection.execute(query.values(**values)).rowcount
    return count


def count_items(connection: Connection, *, job_id: int) -> dict[str, int]:
    """A job's items by state."""
    query = select(bulk_entry.c.state, func.count()).where(bulk_entry.c.job_id == job_id)
    return {str(row[0]): int(row[1]) for row in connection.execute(query.group_by(bulk_entry.c.state))}
