"""The batch lane as the stages see it: what documents lack is asked for there, and they wait until it is answered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam as given
from sqlalchemy import delete, exists, select, update

from embedmill.shared.db.bulk import among, insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.schema import bulk_entry, bulk_wait, in_state, job, work
from embedmill.shared.db.transitions import move_work
from embedmill.shared.errors import EmbedmillError, recall_error
from embedmill.shared.ledger import BulkState, Lane
from embedmill.shared.paging import pages
from embedmill.shared.providers.names import ModelName
from embedmill.shared.states import State, WaitReason

OPEN = (BulkState.WANTED, BulkState.SENT)
# Well under SQLite's limit of bound values in one statement.
PAGE = 500


@dataclass(frozen=True, slots=True)
class NewItem:
    """A text or chunk that a document needs an answer about, and where it is stored."""

    address: str
    document_id: str
    chunks_ref: str | None
    rejections_ref: str | None
    ordinal: int


@dataclass(slots=True)
class WaitState:
    """What a document finds: answers that are still out, errors, and addresses that were paid for it."""

    is_open: bool = False
    errors: list[EmbedmillError] = field(default_factory=list)
    paid: set[str] = field(default_factory=set)


def get_lane(connection: Connection, job_id: int) -> Lane:
    """The lane of a job."""
    return Lane(connection.execute(select(job.c.lane).where(job.c.id == job_id)).scalar_one())


def is_concerned(connection: Connection, job_id: int, work_ids: Sequence[int]) -> bool:
    """Whether a job goes by the batch lane, or some of its work has not left it yet."""
    waits = select(bulk_wait.c.work_id).where(among(connection, bulk_wait.c.work_id, work_ids)).limit(1)
    return get_lane(connection, job_id) is Lane.BULK or connection.execute(waits).first() is not None


def ask_for(
    connection: Connection,
    needed: Mapping[int, Sequence[NewItem]],
    known: Mapping[int, Collection[str]],
    *,
    documents: Mapping[int, str],
    job_id: int,
    kind: str,
    target: str,
) -> dict[int, WaitState]:
    """How documents wait that need answers which the cache lacks; in the batch lane, ask for what nobody did yet.

    `known` are the addresses that the cache has, by work, and `documents` the documents' ids. A failure is told once to
    everybody who waited for it; what was paid for a document is told when nothing else holds it up.
    """
    lane = get_lane(connection, job_id)
    lacking = {item.address: item for found in needed.values() for item in found}
    items = _find_items(connection, kind, sorted({*lacking, *(a for found in known.values() for a in found)}))
    waits = _find_waits(connection, list(needed))
    if lane is Lane.BULK:
        unknown = [a for a in lacking if a not in items or items[a].state == BulkState.DONE]
        if unknown:
            _ask(connection, [lacking[a] for a in unknown], job_id=job_id, kind=kind, target=target)
            items |= _find_items(connection, kind, unknown)
    moves = _Moves()
    states = {
        id_: _look_at(id_, [items[w.address] for w in found if w.address in items], waits, lane, moves)
        for id_, found in needed.items()
    }
    for id_, state in states.items():
        if not state.is_open and not state.errors:
            there = [items[address] for address in known.get(id_, ()) if address in items]
            done = [e for e in there if e.state == BulkState.DONE and (e.id, id_) in waits]
            moves.over += [(item.id, id_) for item in done]
            state.paid |= {item.address for item in done if item.document_id == documents[id_]}
    _reopen(connection, moves.again, job_id)
    _add_waits(connection, [pair for pair in dict.fromkeys(moves.new) if pair not in waits])
    _drop_waits(connection, moves.over)
    return states


@dataclass(slots=True)
class _Moves:
    """Waits, as (item, work), that begin and end, and failed items that are asked about again."""

    new: list[tuple[int, int]] = field(default_factory=list)
    over: list[tuple[int, int]] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


def _look_at(
    work_id: int, items: Sequence[Any], waits: Collection[tuple[int, int]], lane: Lane, moves: _Moves
) -> WaitState:
    """How a document waits for items whose answers the cache lacks."""
    state, in_lane = WaitState(), lane is Lane.BULK
    for item in items:
        pair = (item.id, work_id)
        match BulkState(item.state):
            case BulkState.FAILED if pair in waits:
                state.errors.append(recall_error(item.error_class, item.error))
                moves.over.append(pair)
            case BulkState.SENT if in_lane or pair in waits:
                state.is_open = True
                moves.new.append(pair)
            case BulkState.WANTED | BulkState.FAILED if in_lane:
                state.is_open = True
                moves.new.append(pair)
                moves.again += [item.id] * (item.state == BulkState.FAILED)
            case BulkState.LIVE if in_lane:
                moves.new.append(pair)
            case _ if pair in waits:
                moves.over.append(pair)
    return state


def _find_items(connection: Connection, kind: str, addresses: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    columns = ("id", "address", "state", "document_id", "error_class", "error")
    for part in pages(addresses, PAGE):
        here = bulk_entry.c.address.in_(part)
        query = select(*(bulk_entry.c[name] for name in columns)).where(bulk_entry.c.kind == kind, here)
        found |= {row.address: row for row in connection.execute(query)}
    return found


def _find_waits(connection: Connection, work_ids: Sequence[int]) -> set[tuple[int, int]]:
    query = select(bulk_wait.c.entry_id, bulk_wait.c.work_id).where(among(connection, bulk_wait.c.work_id, work_ids))
    return {(row.entry_id, row.work_id) for row in connection.execute(query)}


def _ask(connection: Connection, needed: Sequence[NewItem], *, job_id: int, kind: str, target: str) -> None:
    """New items; one that was answered, and whose answer the cache has lost, is asked about again."""
    rows = [
        {
            "address": item.address,
            "document_id": item.document_id,
            "chunks_ref": item.chunks_ref,
            "rejections_ref": item.rejections_ref,
            "ordinal": item.ordinal,
        }
        for item in sorted(needed, key=lambda item: item.address)
    ]
    query = insert_or(connection, bulk_entry).values(
        kind=kind, target=target, job_id=job_id, state=BulkState.WANTED, created_at=clock()
    )
    names = ("job_id", "target", "document_id", "chunks_ref", "rejections_ref", "ordinal", "state", "created_at")
    renewed = {name: query.excluded[name] for name in names} | {"batch_id": None, "returns": 0, "complaint": None}
    query = query.on_conflict_do_update(
        index_elements=["kind", "address"], set_=renewed, where=bulk_entry.c.state == BulkState.DONE
    )
    connection.execute(query, rows)


def _reopen(connection: Connection, ids: Sequence[int], job_id: int) -> None:
    for part in pages(ids, PAGE):
        connection.execute(
            update(bulk_entry)
            .where(bulk_entry.c.id.in_(part), bulk_entry.c.state == BulkState.FAILED)
            .values(state=BulkState.WANTED, job_id=job_id, error_class=None, error=None, batch_id=None)
        )


def _add_waits(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    if pairs:
        query = insert_or(connection, bulk_wait).on_conflict_do_nothing()
        connection.execute(query, [{"entry_id": item, "work_id": work_id} for item, work_id in sorted(pairs)])


def _drop_waits(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """End waits; an item that has an end of its own and that nobody waits for any more goes with them."""
    if not pairs:
        return
    connection.execute(
        delete(bulk_wait).where(bulk_wait.c.entry_id == given("of"), bulk_wait.c.work_id == given("by")),
        [{"of": item, "by": work_id} for item, work_id in pairs],
    )
    for part in pages(sorted({item for item, _ in pairs}), PAGE):
        connection.execute(
            delete(bulk_entry).where(bulk_entry.c.id.in_(part), _has_ended(), ~is_waited_for(bulk_entry.c.id))
        )


def _has_ended() -> Any:
    return bulk_entry.c.state.in_((BulkState.DONE, BulkState.FAILED, BulkState.LIVE))


def is_waited_for(entry_id: Any) -> Any:
    """Whether any work waits for an item."""
    return exists().where(bulk_wait.c.entry_id == entry_id)


def _is_open_for(work_id: Any) -> Any:
    """Whether any answer that a piece of work waits for is still out."""
    waits = select(bulk_wait.c.entry_id).join(bulk_entry, bulk_entry.c.id == bulk_wait.c.entry_id)
    return exists(waits.where(bulk_wait.c.work_id == work_id, bulk_entry.c.state.in_(OPEN)))


def wake_answered(connection: Connection, work_ids: Sequence[int] | None = None) -> int:
    """Wake work that waits for batches and for which nothing is out any more; all of it, or some."""
    woken = move_work(State.PENDING, of=[State.WAITING])
    query = woken.where(work.c.wait_reason == WaitReason.BULK, ~_is_open_for(work.c.id))
    if work_ids is None:
        return connection.execute(query).rowcount
    return sum(connection.execute(query.where(work.c.id.in_(part))).rowcount for part in pages(work_ids, PAGE))


def find_providers(connection: Connection, job_id: int) -> set[str]:
    """The vendors whose batches a job's documents wait for."""
    query = (
        select(bulk_entry.c.target)
        .join_from(bulk_wait, bulk_entry)
        .join(work, work.c.id == bulk_wait.c.work_id)
        .where(work.c.job_id == job_id, in_state(State.WAITING), bulk_entry.c.state.in_(OPEN))
        .distinct()
    )
    return {ModelName.parse(target).provider for target in connection.execute(query).scalars()}
