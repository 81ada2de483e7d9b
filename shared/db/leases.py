"""Work in workers' hands: claimed under a lease, renewed, found again.

A claim takes work under a fresh lease token; whatever is written about it later names that token, so a worker whose
lease was taken away changes nothing. Attempts are counted here, at the claim, before anything can go wrong.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    cast,
    func,
    or_,
    select,
    update,
)

from embedmill.shared import stages
from embedmill.shared.db.clock import clock
from embedmill.shared.db.pools import is_running
from embedmill.shared.db.schema import document, in_state, job, work
from embedmill.shared.db.transitions import move_chosen
from embedmill.shared.stages import Resource
from embedmill.shared.states import JobState, State


@dataclass(frozen=True, slots=True)
class WorkItem:
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
class Lease:
    """Work held under one lease; `token` fences everything that is written about it."""

    token: str
    stage: str
    worker: str
    items: tuple[WorkItem, ...]


def count_claims(connection: Connection) -> int:
    """How many batches are in workers' hands."""
    query = select(func.count(work.c.lease.distinct())).where(work.c.state == State.RUNNING)
    return int(connection.execute(query).scalar_one())


def count_indexing(
    connection: Connection, collection_id: int, *, claimed_until: float, expired_seconds: float = 0.0
) -> int:
    """Work of a collection that is being indexed by whoever claimed it until then, by the database's clock.

    A lease that ran out more than `expired_seconds` ago is nobody's: there may be no chores that would end it.
    """
    query = (
        select(func.count())
        .select_from(work.join(document))
        .where(document.c.collection_id == collection_id, in_state(State.RUNNING))
        .where(work.c.stage.in_(stages.using(Resource.STORE)))
        .where(work.c.claimed_at <= claimed_until, work.c.lease_until >= clock() - expired_seconds)
    )
    return connection.execute(query).scalar_one()


# Two that were sent the same message do not wait for each other: one gets the row, the other passes it over.
_CLAIM = move_chosen(
    State.RUNNING,
    of=State.QUEUED,
    chosen=select(work.c.id)
    .where(
        work.c.id.in_(bindparam("ids", expanding=True)),
        work.c.stage == bindparam("of_stage"),
        work.c.job_id.in_(select(job.c.id).where(job.c.state == JobState.RUNNING)),
        is_running(work.c.stage),
        # A suspect is taken in no more company than it may be in, whatever old message names it.
        or_(work.c.crashes == 0, func.coalesce(work.c.claimed_with, 1) >= bindparam("together")),
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


def _of_document(name: str) -> ColumnElement[Any]:
    # In a RETURNING of SQLite a column has no affinity, and without one the index of documents would not be used.
    return select(document.c[name]).where(document.c.id == cast(work.c.document_id, Text)).scalar_subquery()


# In the order of its fields: building an item by position costs a third of building it by name.
_FIELDS = [_of_document(f) if f in ("collection_id", "uri") else work.c[f] for f in WorkItem.__dataclass_fields__]
_TAKE = _CLAIM.returning(*_FIELDS)


def claim(
    connection: Connection,
    stage: str,
    ids: Sequence[int],
    *,
    worker: str,
    lease_seconds: float,
    company: int = 0,
) -> Lease:
    """Take what is still queued of `ids` in `stage`; duplicates and late messages, or a paused queue, give nothing.

    `company` is what else may run in the same process meanwhile: with any, a crash is nobody's in particular.
    """
    token = secrets.token_hex(16)
    rows = connection.execute(
        _TAKE,
        {
            "ids": list(ids),
            "of_stage": stage,
            "token": token,
            "seconds": lease_seconds,
            "together": len(ids) + company,
            "by": worker,
        },
    )
    return Lease(token, stage, worker, tuple(sorted((WorkItem(*row) for row in rows), key=lambda item: item.id)))


def select_held() -> Select[int]:
    """Work that somebody holds, or held until he died."""
    return select(work.c.id).where(in_state(State.RUNNING))


def find_held(connection: Connection, token: str) -> set[int]:
    """The work that is still held under a lease."""
    return set(connection.execute(select(work.c.id).where(work.c.lease == token, in_state(State.RUNNING))).scalars())


def renew(connection: Connection, token: str, *, lease_seconds: float) -> int:
    """Extend a lease; returns how many pieces are still held under it."""
    query = (
        update(work).where(work.c.lease == token, in_state(State.RUNNING)).values(lease_until=clock() + lease_seconds)
    )
    return connection.execute(query).rowcount


@dataclass(frozen=True, slots=True)
class LeaseState:
    """Work in a worker's hands, and whether the time for it has run out."""

    token: str
    worker: str
    is_expired: bool


def find_leases(connection: Connection) -> list[LeaseState]:
    """Every lease that somebody holds, or held until he died."""
    is_expired = work.c.lease_until < clock()
    query = select(work.c.lease, work.c.worker, is_expired).where(in_state(State.RUNNING)).distinct()
    return [LeaseState(token, worker, bool(expired)) for token, worker, expired in connection.execute(query)]
