"""The batch lane's books: what is wanted of vendors' batch APIs, which work waits for it, and how it ended.

An entry is one text or chunk by its content address, whoever wants it; `embedmill.shared.db.bulk_batches` has the
batches.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, case, delete, exists, func, literal, or_, select, update
from sqlalchemy import bindparam as given

from embedmill.shared.db.budgets import has_refused
from embedmill.shared.db.bulk import among, insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import bulk_batch, bulk_entry, bulk_wait, in_state, job, work
from embedmill.shared.db.transitions import move_work
from embedmill.shared.ledger import BatchState, BulkState, Lane
from embedmill.shared.paging import pages
from embedmill.shared.states import JobState, State, WaitReason

EMBED, VERDICT = "embed", "verdict"
OPEN = (BulkState.WANTED, BulkState.SENT)
AT_VENDOR = (BatchState.SUBMITTING, BatchState.SUBMITTED)
# Well under SQLite's limit of bound values in one statement.
PAGE = 500


@dataclass(frozen=True, slots=True)
class Want:
    """A text or chunk that a document needs an answer about, and where it is stored."""

    address: str
    document_id: str
    chunks_ref: str | None
    rejections_ref: str | None
    ordinal: int


@dataclass(slots=True)
class Standing:
    """What a document finds: answers that are still out, errors by class, and addresses that were paid for it."""

    is_open: bool = False
    errors: list[tuple[str, str]] = field(default_factory=list)
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
    wants: Mapping[int, Sequence[Want]],
    known: Mapping[int, Collection[str]],
    *,
    documents: Mapping[int, str],
    job_id: int,
    kind: str,
    target: str,
) -> dict[int, Standing]:
    """Where documents stand that want answers which the cache lacks; in the batch lane, ask for what nobody did yet.

    `known` are the addresses that the cache has, by work, and `documents` the documents' ids. A failure is told once to
    everybody who waited for it; what was paid for a document is told when nothing else holds it up.
    """
    lane = get_lane(connection, job_id)
    lacking = {want.address: want for found in wants.values() for want in found}
    entries = _find_entries(connection, kind, sorted({*lacking, *(a for found in known.values() for a in found)}))
    waits = _find_waits(connection, list(wants))
    if lane is Lane.BULK:
        unknown = [a for a in lacking if a not in entries or entries[a].state == BulkState.DONE]
        if unknown:
            _ask(connection, [lacking[a] for a in unknown], job_id=job_id, kind=kind, target=target)
            entries |= _find_entries(connection, kind, unknown)
    moves = _Moves()
    standings = {
        id_: _stand(id_, [entries[w.address] for w in found if w.address in entries], waits, lane, moves)
        for id_, found in wants.items()
    }
    for id_, standing in standings.items():
        if not standing.is_open and not standing.errors:
            there = [entries[address] for address in known.get(id_, ()) if address in entries]
            done = [e for e in there if e.state == BulkState.DONE and (e.id, id_) in waits]
            moves.over += [(entry.id, id_) for entry in done]
            standing.paid |= {entry.address for entry in done if entry.document_id == documents[id_]}
    _reopen(connection, moves.again, job_id)
    _add_waits(connection, [pair for pair in dict.fromkeys(moves.new) if pair not in waits])
    _drop_waits(connection, moves.over)
    return standings


@dataclass(slots=True)
class _Moves:
    """Waits, as (entry, work), that begin and end, and failed entries that are wanted again."""

    new: list[tuple[int, int]] = field(default_factory=list)
    over: list[tuple[int, int]] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


def _stand(
    work_id: int, entries: Sequence[Any], waits: Collection[tuple[int, int]], lane: Lane, moves: _Moves
) -> Standing:
    """Where a document stands with entries whose answers the cache lacks."""
    standing, in_lane = Standing(), lane is Lane.BULK
    for entry in entries:
        pair = (entry.id, work_id)
        match BulkState(entry.state):
            case BulkState.FAILED if pair in waits:
                standing.errors.append((entry.error_class, entry.error))
                moves.over.append(pair)
            case BulkState.SENT if in_lane or pair in waits:
                standing.is_open = True
                moves.new.append(pair)
            case BulkState.WANTED | BulkState.FAILED if in_lane:
                standing.is_open = True
                moves.new.append(pair)
                moves.again += [entry.id] * (entry.state == BulkState.FAILED)
            case BulkState.LIVE if in_lane:
                moves.new.append(pair)
            case _ if pair in waits:
                moves.over.append(pair)
    return standing


def _find_entries(connection: Connection, kind: str, addresses: Sequence[str]) -> dict[str, Any]:
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


def _ask(connection: Connection, wants: Sequence[Want], *, job_id: int, kind: str, target: str) -> None:
    """New entries; one that was answered, and whose answer the cache has lost, is wanted again."""
    rows = [
        {
            "address": want.address,
            "document_id": want.document_id,
            "chunks_ref": want.chunks_ref,
            "rejections_ref": want.rejections_ref,
            "ordinal": want.ordinal,
        }
        for want in sorted(wants, key=lambda want: want.address)
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
        connection.execute(query, [{"entry_id": entry, "work_id": work_id} for entry, work_id in sorted(pairs)])


def _drop_waits(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """End waits; an entry that has an end of its own and that nobody waits for any more goes with them."""
    if not pairs:
        return
    connection.execute(
        delete(bulk_wait).where(bulk_wait.c.entry_id == given("of"), bulk_wait.c.work_id == given("by")),
        [{"of": entry, "by": work_id} for entry, work_id in pairs],
    )
    for part in pages(sorted({entry for entry, _ in pairs}), PAGE):
        connection.execute(
            delete(bulk_entry).where(bulk_entry.c.id.in_(part), _has_ended(), ~_is_waited_for(bulk_entry.c.id))
        )


def _has_ended() -> Any:
    return bulk_entry.c.state.in_((BulkState.DONE, BulkState.FAILED, BulkState.LIVE))


def _is_waited_for(entry_id: Any) -> Any:
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
    return {target.partition("/")[0] for target in connection.execute(query).scalars()}


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of one job that one vendor is to be asked about; `is_whole` when no more of them are on their way."""

    job_id: int
    collection_id: int
    kind: str
    target: str
    entries: int
    seconds: float
    is_whole: bool


def find_groups(connection: Connection) -> list[Group]:
    """What is wanted, by job and model, the most urgent job first; what waits for a budget is left aside."""
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
            func.count().label("entries"),
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
        Group(r.job_id, r.collection_id, r.kind, r.target, r.entries, r.seconds, bool(r.is_whole))
        for r in connection.execute(query)
    ]


def _is_ready() -> Any:
    """Whether an entry is wanted and somebody is parked for it, who does not wait for money first."""
    parked = select(bulk_wait.c.work_id).join(work, work.c.id == bulk_wait.c.work_id)
    waits = parked.where(
        bulk_wait.c.entry_id == bulk_entry.c.id,
        in_state(State.WAITING),
        work.c.wait_reason == WaitReason.BULK,
    )
    return and_(bulk_entry.c.state == BulkState.WANTED, exists(waits))


@dataclass(frozen=True, slots=True)
class Entry:
    """A wanted or sent entry, with what it takes to find its text and to read its answer."""

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


def _select_entries() -> Any:
    return select(*(bulk_entry.c[name] for name in Entry.__dataclass_fields__))


def list_ready(connection: Connection, group: Group, *, limit: int) -> list[Entry]:
    """The oldest entries of a group."""
    query = _select_entries().where(
        bulk_entry.c.job_id == group.job_id,
        bulk_entry.c.kind == group.kind,
        bulk_entry.c.target == group.target,
        _is_ready(),
    )
    return [Entry(*row) for row in connection.execute(query.order_by(bulk_entry.c.id).limit(limit))]


def list_sent(connection: Connection, batch_id: int) -> list[Entry]:
    """The entries of a batch in the order of their requests."""
    query = _select_entries().where(bulk_entry.c.batch_id == batch_id, bulk_entry.c.state == BulkState.SENT)
    return [Entry(*row) for row in connection.execute(query.order_by(bulk_entry.c.request, bulk_entry.c.place))]


@dataclass(frozen=True, slots=True)
class Ends:
    """How the entries of a batch ended: errors by entry, what is asked again and how, and the rest was answered.

    `again` has for each entry what was wrong with its answer and whether it is asked alone; `returned` was not answered
    at all; of `lost` the answer is not to be had, and it is asked for at once.
    """

    failed: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    again: Mapping[int, tuple[str | None, bool]] = field(default_factory=dict)
    returned: Collection[int] = ()
    lost: Collection[int] = ()


def end_entries(connection: Connection, batch_id: int, ends: Ends, *, most_returns: int) -> list[int]:
    """Write how a batch's entries ended; returns the work that waited for any of them."""
    waited = _list_waiting(connection, batch_id)
    here = update(bulk_entry).where(bulk_entry.c.id == given("entry"), bulk_entry.c.batch_id == batch_id)
    here = here.where(bulk_entry.c.state == BulkState.SENT)
    if ends.failed:
        rows = [{"entry": i, "of_class": kind, "why": message} for i, (kind, message) in ends.failed.items()]
        connection.execute(here.values(state=BulkState.FAILED, error_class=given("of_class"), error=given("why")), rows)
    if ends.again:
        asked = [{"entry": i, "what": what, "by_itself": alone} for i, (what, alone) in ends.again.items()]
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
        connection.execute(here.values(state=state, **later), [{"entry": i} for i in ends.returned])
    if ends.lost:
        connection.execute(here.values(state=BulkState.LIVE, batch_id=None), [{"entry": i} for i in ends.lost])
    rest_of_it = update(bulk_entry).where(bulk_entry.c.batch_id == batch_id, bulk_entry.c.state == BulkState.SENT)
    connection.execute(rest_of_it.values(state=BulkState.DONE))
    return waited


def return_entries(connection: Connection, batch_id: int) -> None:
    """What was never sent is wanted again."""
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
    """Entries whose answer the cache has meanwhile, from somebody else; whoever waited goes on."""
    _end_unsent(connection, ids, BulkState.DONE)


def drop_lost(connection: Connection, ids: Sequence[int]) -> None:
    """Entries whose text is not where it was: whoever waited asks anew, and finds out what became of it."""
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


def fail_entries(connection: Connection, ids: Sequence[int], error_class: str, error: str) -> None:
    """Entries that cannot be asked about: whoever waited is told."""
    for part in pages(ids, PAGE):
        query = update(bulk_entry).where(bulk_entry.c.id.in_(part), bulk_entry.c.state == BulkState.WANTED)
        connection.execute(query.values(state=BulkState.FAILED, error_class=error_class, error=error))
        waits = select(bulk_wait.c.work_id).where(bulk_wait.c.entry_id.in_(part)).distinct()
        wake_answered(connection, list(connection.execute(waits).scalars()))


def await_budget(connection: Connection, ids: Sequence[int], *, seconds: float) -> int:
    """Let the work that waits for entries wait for money instead; returns how much.

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


def count_entries(connection: Connection, *, job_id: int) -> dict[str, int]:
    """A job's entries by state."""
    query = select(bulk_entry.c.state, func.count()).where(bulk_entry.c.job_id == job_id)
    return {str(row[0]): int(row[1]) for row in connection.execute(query.group_by(bulk_entry.c.state))}


def has_business(connection: Connection) -> bool:
    """Whether anything is wanted or under way."""
    return _is_any(connection, bulk_batch.c.ended_at.is_(None)) or _is_any(connection, bulk_entry.c.id.is_not(None))


def has_due_business(connection: Connection) -> bool:
    """Whether anything is to be sent, or to be looked at by now."""
    due = and_(bulk_batch.c.ended_at.is_(None), bulk_batch.c.due_at <= clock())
    in_lane = select(job.c.id).where(job.c.lane == Lane.BULK, job.c.finished_at.is_(None))
    wanted = and_(bulk_entry.c.job_id.in_(in_lane), bulk_entry.c.state == BulkState.WANTED)
    return _is_any(connection, due) or _is_any(connection, wanted)


def _is_any(connection: Connection, condition: Any) -> bool:
    return connection.execute(select(literal(1)).where(condition).limit(1)).first() is not None


def list_lanes(connection: Connection) -> list[tuple[int, str, str]]:
    """(job, state, lane) of what the batch lane may concern: when it changes, something may have to leave the lane."""
    under_way = select(bulk_batch.c.job_id).where(bulk_batch.c.ended_at.is_(None), bulk_batch.c.job_id.is_not(None))
    query = select(job.c.id, job.c.state, job.c.lane).where(or_(job.c.finished_at.is_(None), job.c.id.in_(under_way)))
    return [(row.id, row.state, row.lane) for row in connection.execute(query.order_by(job.c.id))]


def leave(connection: Connection) -> list[int]:
    """Take out of the lane what nobody wants in it any more; returns the batches that the vendor may stop.

    Work that has ended waits for nothing, and neither does that of a job that left the lane: it asks at once. What was
    wanted on its behalf is paid by another that waits for it there.
    """
    finished = select(work.c.id).where(work.c.id == bulk_wait.c.work_id, work.c.finished_at.is_not(None))
    connection.execute(delete(bulk_wait).where(exists(finished)))
    not_sent = bulk_entry.c.state != BulkState.SENT
    connection.execute(delete(bulk_entry).where(not_sent, ~_is_waited_for(bulk_entry.c.id)))
    in_lane = and_(job.c.lane == Lane.BULK, job.c.finished_at.is_(None))
    waits_in_lane = (
        select(func.min(job.c.id))
        .select_from(bulk_wait)
        .join(work, work.c.id == bulk_wait.c.work_id)
        .join(job, job.c.id == work.c.job_id)
        .where(bulk_wait.c.entry_id == bulk_entry.c.id, in_lane)
        .correlate(bulk_entry)
        .scalar_subquery()
    )
    left = bulk_entry.c.job_id.not_in(select(job.c.id).where(in_lane))
    wanted = (bulk_entry.c.state == BulkState.WANTED, left)
    connection.execute(update(bulk_entry).where(*wanted, waits_in_lane.is_(None)).values(state=BulkState.LIVE))
    connection.execute(update(bulk_entry).where(*wanted).values(job_id=waits_in_lane))
    _free_who_left(connection)
    wake_answered(connection)
    return _list_unwanted(connection)


def _free_who_left(connection: Connection) -> None:
    """Documents of a job that left the lane wait for no batch; its answers are kept all the same when they come."""
    out = select(bulk_entry.c.id).where(bulk_entry.c.id == bulk_wait.c.entry_id, bulk_entry.c.state.in_(OPEN))
    in_a_hurry = (
        select(work.c.id)
        .join(job, job.c.id == work.c.job_id)
        .where(work.c.id == bulk_wait.c.work_id, job.c.lane == Lane.LIVE)
    )
    connection.execute(delete(bulk_wait).where(exists(out), exists(in_a_hurry)))


def _list_unwanted(connection: Connection) -> list[int]:
    """Batches on their way or at the vendor for which no work of the batch lane waits."""
    waits = (
        select(bulk_entry.c.id)
        .join(bulk_wait, bulk_wait.c.entry_id == bulk_entry.c.id)
        .join(work, work.c.id == bulk_wait.c.work_id)
        .join(job, job.c.id == work.c.job_id)
        .where(bulk_entry.c.batch_id == bulk_batch.c.id, job.c.lane == Lane.BULK, work.c.finished_at.is_(None))
    )
    states = (BatchState.PREPARED, *AT_VENDOR)
    query = select(bulk_batch.c.id).where(
        bulk_batch.c.state.in_(states), bulk_batch.c.cancelled_at.is_(None), ~exists(waits)
    )
    return list(connection.execute(query).scalars())
