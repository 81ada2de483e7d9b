"""The batches of the batch lane: each is created with its money and moved from state to state, and nothing else.

Every move names the state that it starts from, so that a second scheduler, or a first one that was thought dead,
changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, String, insert, select, update
from sqlalchemy import bindparam as given

from embedmill.shared.db.bulk import update_each
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import bulk_batch, bulk_entry
from embedmill.shared.ledger import BatchState, BulkState
from embedmill.shared.paging import pages

# Well under SQLite's limit of bound values in one statement.
PAGE = 500
ASSIGNED = {"entry": BigInteger(), "in_request": Integer(), "at_place": Integer(), "with_token": String(32)}


@dataclass(frozen=True, slots=True)
class Assignment:
    """An entry's place in a batch: the number of its request, its place there, and the request's fence."""

    entry_id: int
    request: int
    place: int
    token: str | None


@dataclass(frozen=True, slots=True)
class BulkBatch:
    """A batch as it is kept; times by the database's clock."""

    id: int
    key: str
    job_id: int | None
    usage_id: int | None
    kind: str
    target: str
    provider: str
    model: str
    operation: str
    state: BatchState
    requests: int
    inputs: int
    tokens_in: int
    tokens_out: int
    vendor_id: str | None
    vendor_state: str | None
    file_id: str | None
    succeeded: int
    errored: int
    returned: int
    troubles: int
    error: str | None
    created_at: float
    submitting_at: float | None
    submitted_at: float | None
    expires_at: float | None
    due_at: float
    cancelled_at: float | None
    ended_at: float | None
    now: float


def _select_batches() -> Any:
    fields = [name for name in BulkBatch.__dataclass_fields__ if name != "now"]
    return select(*(bulk_batch.c[name] for name in fields), clock().label("now"))


def _batch(row: Any) -> BulkBatch:
    return BulkBatch(**{**row._mapping, "state": BatchState(row.state)})


def create_batch(
    connection: Connection, values: Mapping[str, Any], assignments: Sequence[Assignment], *, usage_id: int
) -> int:
    """Record a batch that is about to be sent and what is in it; in the transaction that reserves its money."""
    key = connection.execute(
        insert(bulk_batch).values(
            state=BatchState.PREPARED, usage_id=usage_id, created_at=clock(), due_at=clock(), **values
        )
    ).inserted_primary_key
    assert key is not None
    query = (
        update(bulk_entry)
        .where(bulk_entry.c.id == given("entry"), bulk_entry.c.state == BulkState.WANTED)
        .values(
            state=BulkState.SENT,
            batch_id=int(key[0]),
            request=given("in_request"),
            place=given("at_place"),
            token=given("with_token"),
        )
    )
    rows = [
        {"entry": a.entry_id, "in_request": a.request, "at_place": a.place, "with_token": a.token} for a in assignments
    ]
    if rows:
        update_each(connection, query, rows, ASSIGNED)
    return int(key[0])


def move_batch(connection: Connection, id_: int, start: BatchState, target: BatchState, **values: Any) -> bool:
    """Bring a batch from one state to the next; False when it is not in the first any more."""
    stamps = {
        BatchState.SUBMITTING: "submitting_at",
        BatchState.SUBMITTED: "submitted_at",
        BatchState.ENDED: "ended_at",
        BatchState.RELEASED: "ended_at",
    }
    stamp = {stamps[target]: clock()} if target in stamps and target is not start else {}
    query = update(bulk_batch).where(bulk_batch.c.id == id_, bulk_batch.c.state == start)
    return bool(connection.execute(query.values(state=target, due_at=clock(), **stamp, **values)).rowcount)


def note_look(connection: Connection, id_: int, *, due_in_seconds: float, **values: Any) -> None:
    """Keep what was seen of a batch, and when it is looked at again."""
    query = update(bulk_batch).where(bulk_batch.c.id == id_, bulk_batch.c.ended_at.is_(None))
    connection.execute(query.values(due_at=clock() + due_in_seconds, **values))


def note_unwanted(connection: Connection, ids: Sequence[int]) -> None:
    """Write down that the vendor is to stop batches, before it is told; they are looked at now."""
    for part in pages(ids, PAGE):
        query = update(bulk_batch).where(bulk_batch.c.id.in_(part), bulk_batch.c.ended_at.is_(None))
        connection.execute(query.values(cancelled_at=clock(), due_at=clock()))


def rest(connection: Connection, id_: int, *, seconds: float) -> None:
    """Make no other batch of the same job and target for a while."""
    connection.execute(update(bulk_batch).where(bulk_batch.c.id == id_).values(rests_until=clock() + seconds))


def list_due_batches(connection: Connection) -> list[BulkBatch]:
    """Batches that are to be looked at, oldest first."""
    query = _select_batches().where(bulk_batch.c.ended_at.is_(None), bulk_batch.c.due_at <= clock())
    return [_batch(row) for row in connection.execute(query.order_by(bulk_batch.c.id))]


def get_batch(connection: Connection, id_: int) -> BulkBatch | None:
    """A batch by its number."""
    row = connection.execute(_select_batches().where(bulk_batch.c.id == id_)).first()
    return _batch(row) if row else None


def list_batches(
    connection: Connection, *, job_id: int | None = None, only_open: bool = False, limit: int = 100
) -> list[BulkBatch]:
    """Batches, newest first."""
    query = _select_batches().order_by(bulk_batch.c.id.desc()).limit(limit)
    if job_id is not None:
        query = query.where(bulk_batch.c.job_id == job_id)
    if only_open:
        query = query.where(bulk_batch.c.ended_at.is_(None))
    return [_batch(row) for row in connection.execute(query)]


def find_trouble(connection: Connection, job_id: int) -> str | None:
    """What the newest batch of a job met that is under way, of those that met anything."""
    query = (
        select(bulk_batch.c.error)
        .where(bulk_batch.c.job_id == job_id, bulk_batch.c.ended_at.is_(None), bulk_batch.c.error.is_not(None))
        .order_by(bulk_batch.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def find_known_vendor_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of a vendor's batches are known to be ours."""
    query = select(bulk_batch.c.vendor_id).where(bulk_batch.c.vendor_id.in_(list(ids)))
    return set(connection.execute(query).scalars())
