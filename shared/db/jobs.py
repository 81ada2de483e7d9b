"""Jobs: creation and resumption, control, progress and completion."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    union_all,
    update,
)

from embedmill.shared import stages
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.engine import clock, read_clock
from embedmill.shared.db.ledger import measure_spends
from embedmill.shared.db.pools import is_served, read_pools
from embedmill.shared.db.schema import collection, document, in_state, job, receipt, scan_note, tally, work, worker
from embedmill.shared.db.transitions import lock_jobs, move_jobs, move_work, no_job
from embedmill.shared.errors import IllegalTransition, ScanStopped, UsageError, UserError
from embedmill.shared.ledger import Lane
from embedmill.shared.notes import split_notes
from embedmill.shared.states import FINAL, JobState, Result, State, WaitReason

UNFINISHED = tuple(state for state in State if state not in FINAL)
ERRORS_LOOKED_AT = 1000
TALLIES_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Job:
    """One submission."""

    id: int
    name: str | None
    collection_id: int
    collection: str
    state: JobState
    sources: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    weight: int
    priority: int
    lane: Lane
    unchanged: int
    skipped: int
    problems: int
    unmet: int
    held_deletions: int
    error: str | None
    created_at: float
    enumerated_at: float | None
    finished_at: float | None

    @property
    def is_read(self) -> bool:
        """Whether its sources were read to their end."""
        return self.enumerated_at is not None


def _select() -> Any:
    fields = [f for f in Job.__dataclass_fields__ if f != "collection"]
    return select(*(job.c[f] for f in fields), collection.c.name.label("collection")).join_from(job, collection)


def _row(row: Any) -> Job:
    return Job(**{**row._mapping, "state": JobState(row.state), "lane": Lane(row.lane)})


def create_job(
    connection: Connection,
    *,
    collection_id: int,
    identity: str,
    sources: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    name: str | None = None,
) -> int:
    """Record a submission in state `running`; raises IllegalTransition while another of its identity is open."""
    found = open_job(
        connection, collection_id=collection_id, identity=identity, sources=sources, options=options, name=name
    )
    if not found.is_new:
        raise IllegalTransition(f"job {found.id} of the same identity is open")
    return found.id


@dataclass(frozen=True, slots=True)
class OpenJob:
    """The one open job of a submission."""

    id: int
    state: JobState
    is_new: bool


def open_job(
    connection: Connection,
    *,
    collection_id: int,
    identity: str,
    sources: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    name: str | None = None,
) -> OpenJob:
    """The unfinished job of the same sources into the same collection, or a new one; its row is held.

    The index on open identities decides, so that two hosts which submit the same at the same moment get one job.
    """
    is_open = and_(job.c.collection_id == collection_id, job.c.identity == identity, job.c.finished_at.is_(None))
    find = select(job.c.id, job.c.state).where(is_open).with_for_update(key_share=True)
    make = insert_or(connection, job).values(
        name=name,
        collection_id=collection_id,
        identity=identity,
        sources=list(sources),
        options=dict(options),
        state=JobState.RUNNING,
        created_at=clock(),
    )
    index = {"index_elements": [job.c.collection_id, job.c.identity], "index_where": text("finished_at IS NULL")}
    # The one that was there a moment ago may have ended meanwhile.
    while True:
        if (row := connection.execute(find).first()) is not None:
            return OpenJob(row.id, JobState(row.state), is_new=False)
        if (made := connection.execute(make.on_conflict_do_nothing(**index).returning(job.c.id)).scalar()) is not None:
            return OpenJob(int(made), JobState.RUNNING, is_new=True)


def get_job(connection: Connection, job_id: int) -> Job:
    """The job by its number; raises NotFound."""
    row = connection.execute(_select().where(job.c.id == job_id)).first()
    if row is None:
        raise no_job(job_id)
    return _row(row)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; `since` is a time by the database's clock, in seconds."""

    state: JobState | None = None
    collection_id: int | None = None
    since: float | None = None
    only_open: bool = False

    def conditions(self) -> list[Any]:
        """What a job's row has to meet."""
        wanted = {job.c.state: self.state, job.c.collection_id: self.collection_id}
        found = [column == value for column, value in wanted.items() if value is not None]
        if self.since is not None:
            found.append(job.c.created_at >= self.since)
        return [*found, job.c.finished_at.is_(None)] if self.only_open else found


EVERY_JOB = JobFilter()


def list_jobs(connection: Connection, *, limit: int = 100, wanted: JobFilter = EVERY_JOB) -> list[Job]:
    """Jobs, newest first."""
    query = _select().where(*wanted.conditions()).order_by(job.c.id.desc()).limit(limit)
    return [_row(row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Dispatchable:
    """A job that may run: `out` is what has a message out or is in the hands of a worker."""

    id: int
    priority: int
    weight: int
    enumerated: bool
    out: int


def list_dispatchable(connection: Connection) -> list[Dispatchable]:
    """Every job that may run, the most urgent first."""
    query = select(job.c.id, job.c.priority, job.c.weight, job.c.enumerated_at).where(
        job.c.finished_at.is_(None), job.c.state == JobState.RUNNING
    )
    rows = connection.execute(query.order_by(job.c.priority.desc(), job.c.id)).all()
    out = count_out(connection) if rows else {}
    return [Dispatchable(r.id, r.priority, r.weight, r.enumerated_at is not None, out.get(r.id, 0)) for r in rows]


def count_out(connection: Connection) -> dict[int, int]:
    """By job that may run, work in the hands of a worker or with a message out to a queue that somebody is to serve.

    What lies in a paused queue, or in one that was scaled to nothing, takes no room from the stages before it.
    """
    is_open = select(job.c.id).where(job.c.finished_at.is_(None), job.c.state == JobState.RUNNING)
    query = (
        select(work.c.job_id, func.count().label("n"))
        .where(work.c.job_id.in_(is_open.scalar_subquery()), work.c.state.in_((State.QUEUED, State.RUNNING)))
        .where(or_(work.c.state == State.RUNNING, is_served(work.c.stage)))
        .group_by(work.c.job_id)
    )
    return {row.job_id: row.n for row in connection.execute(query)}


# Least and most, for a job.
PRIORITIES, WEIGHTS = (-100, 100), (1, 100)


def update_job(
    connection: Connection,
    job_id: int,
    *,
    priority: int | None = None,
    weight: int | None = None,
    lane: Lane | None = None,
    name: str | None = None,
) -> None:
    """Change how urgent an unfinished job is, its name, and the lane of its calls; raises NotFound, UserError.

    What is out already is not called back; what a job left in the batch lane is, by the batcher.
    """
    for told, value, (least, most) in (("priority", priority, PRIORITIES), ("weight", weight, WEIGHTS)):
        if value is not None and not least <= value <= most:
            raise UsageError(f"a {told} of {value}: choose from {least} to {most}")
    found = get_job(connection, job_id)
    if found.finished_at is not None:
        raise UserError(f"job {job_id} is {found.state}: there is nothing to hurry", hint="embedmill jobs list")
    chosen = {"priority": priority, "weight": weight, "lane": lane, "name": name}
    values = {column: value for column, value in chosen.items() if value is not None}
    if values:
        connection.execute(update(job).where(job.c.id == job_id).values(values))


def require_running(connection: Connection, job_id: int) -> None:
    """Hold a job that runs until the transaction ends; raises ScanStopped for one that was paused or has ended."""
    held = select(job.c.state).where(job.c.id == job_id).with_for_update(key_share=True)
    state = connection.execute(held).scalar()
    if state != JobState.RUNNING:
        raise ScanStopped(f"job {job_id} is {state or 'deleted'}: it takes on nothing more")


def begin_enumeration(connection: Connection, job_id: int) -> None:
    """Start counting a scan from nothing, also when an earlier one was cut short."""
    connection.execute(delete(scan_note).where(scan_note.c.job_id == job_id))
    connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(unchanged=0, skipped=0, problems=0, unmet=0, held_deletions=0, enumerated_at=None)
    )


def note_scan(connection: Connection, job_id: int, notes: Sequence[Mapping[str, Any]]) -> None:
    """Record what a scan has to say: dicts of kind, uri, line, reason and, for what died before, letter_id.

    `skipped` holds no document, `problem` could not be read, `unmet` was asked for and is not there, which is a problem
    without a document, and `note` is only said.
    """
    if not notes:
        return
    connection.execute(insert(scan_note).values(job_id=job_id), [{"letter_id": None, **note} for note in notes])
    kinds = Counter(note["kind"] for note in notes)
    connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(
            skipped=job.c.skipped + kinds["skipped"],
            problems=job.c.problems + kinds["problem"] + kinds["unmet"],
            unmet=job.c.unmet + kinds["unmet"],
        )
    )


_NOTE_KIND = case((scan_note.c.kind == "unmet", "problem"), else_=scan_note.c.kind).label("kind")


def count_notes(connection: Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    """What a job passed over, by reason: dicts of kind, reason, count and the URI of one; the most frequent first."""
    scanned = select(_NOTE_KIND, scan_note.c.reason, scan_note.c.uri).where(scan_note.c.job_id == job_id)
    empty = (
        select(literal("skipped").label("kind"), work.c.reason, document.c.uri)
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.result == literal_column(f"'{Result.SKIPPED}'"))
    )
    found = union_all(scanned, empty).subquery()
    counted = func.count().label("count")
    query = (
        select(found.c.kind, found.c.reason, counted, func.min(found.c.uri).label("uri"))
        .group_by(found.c.kind, found.c.reason)
        .order_by(counted.desc(), found.c.reason)
        .limit(limit)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def list_notes(connection: Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    """What a job passed over, with reasons: things its scan met, documents that hold nothing, and parts of others."""
    scanned = (
        select(_NOTE_KIND, scan_note.c.uri, scan_note.c.line, scan_note.c.reason)
        .where(scan_note.c.job_id == job_id)
        .order_by(scan_note.c.id)
    )
    empty = (
        select(literal("skipped").label("kind"), document.c.uri, null().label("line"), work.c.reason)
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.result == literal_column(f"'{Result.SKIPPED}'"))
        .order_by(work.c.id)
    )
    rows = list(connection.execute(scanned.limit(limit)))
    rows += connection.execute(empty.limit(limit - len(rows)))
    found = [dict(row._mapping) for row in rows]
    return found + _list_noted(connection, job_id, limit=limit - len(found))


def _list_noted(connection: Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    query = (
        select(document.c.uri, work.c.notes)
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.notes.is_not(None))
        .order_by(work.c.id)
        .limit(limit)
    )
    notes = [(row.uri, note) for row in connection.execute(query) for note in split_notes(row.notes)]
    return [{"kind": "noted", "uri": uri, "line": None, "reason": note} for uri, note in notes[:limit]]


def end_enumeration(connection: Connection, job_id: int, *, held_deletions: int) -> None:
    """The scan is through; from now on the job ends when its work does."""
    connection.execute(
        update(job).where(job.c.id == job_id).values(enumerated_at=clock(), held_deletions=held_deletions)
    )


def pause_job(connection: Connection, job_id: int) -> None:
    """Stop sending a job's work; what runs is finished."""
    move_jobs(connection, [job_id], JobState.PAUSED)
    held = move_work(State.WAITING, of=[State.PENDING, State.QUEUED], wait_reason=WaitReason.PAUSED)
    connection.execute(held.where(work.c.job_id == job_id))


def resume_job(connection: Connection, job_id: int) -> None:
    """Let a paused job go on; what waits for a rate, a budget or a circuit waits on."""
    state = lock_jobs(connection, [job_id]).get(job_id)
    if state not in (None, JobState.PAUSED):
        raise IllegalTransition(f"a job cannot go from {state} to running again: it is not paused")
    move_jobs(connection, [job_id], JobState.RUNNING)
    released = move_work(State.PENDING, of=[State.QUEUED, State.WAITING])
    kept = work.c.wait_reason.in_((WaitReason.PAUSED, WaitReason.RETRY))
    connection.execute(released.where(work.c.job_id == job_id, or_(work.c.wait_reason.is_(None), kept)))


def cancel_job(connection: Connection, job_id: int) -> None:
    """End a job: what waits is cancelled now, what runs is cancelled when its stage ends."""
    move_jobs(connection, [job_id], JobState.CANCELLED)
    ended = move_work(State.CANCELLED, of=[State.PENDING, State.QUEUED, State.WAITING], reason="the job was cancelled")
    connection.execute(ended.where(work.c.job_id == job_id))


def _is_completable() -> Any:
    running = and_(job.c.state == JobState.RUNNING, job.c.finished_at.is_(None))
    return and_(running, job.c.enumerated_at.is_not(None), _count_unfinished(job.c.id) == 0)


def _count_unfinished(job_id: Any) -> Any:
    counted = func.coalesce(func.sum(tally.c.documents), 0)
    return select(counted).where(tally.c.job_id == job_id, tally.c.state.in_(UNFINISHED)).scalar_subquery()


def find_completable(connection: Connection, *, among: Iterable[int] | None = None) -> list[int]:
    """Running jobs, all or some, whose scan and work have ended."""
    query = select(job.c.id).where(_is_completable())
    if among is not None:
        query = query.where(job.c.id.in_(list(among)))
    return list(connection.execute(query).scalars())


def count_unfinished(connection: Connection, job_id: int) -> dict[str, int]:
    """What is still to be done of a job, by what it waits for; '' is work that waits for nothing."""
    query = select(tally.c.wait_reason, func.sum(tally.c.documents).label("documents")).where(
        tally.c.job_id == job_id, tally.c.state.in_(UNFINISHED)
    )
    rows = connection.execute(query.group_by(tally.c.wait_reason))
    return {row.wait_reason: int(row.documents) for row in rows if row.documents}


def was_refused_here(connection: Connection, job_id: int, *, supervisor: str) -> bool:
    """Whether any work that waits for a key was parked by a worker of this supervisor, whose key will not change."""
    ours = select(worker.c.id).where(worker.c.supervisor == supervisor)
    query = select(work.c.id).where(
        work.c.job_id == job_id, in_state(State.WAITING), work.c.wait_reason == WaitReason.KEY, work.c.worker.in_(ours)
    )
    return connection.execute(query.limit(1)).first() is not None


def complete_jobs(connection: Connection) -> list[int]:
    """Complete every running job whose scan and work have ended; returns them."""
    found = find_completable(connection)
    if not found:
        return []
    # Looked at again once they are held: until then a replay may have opened work in them.
    ended = find_completable(connection, among=lock_jobs(connection, found))
    move_jobs(connection, ended, JobState.COMPLETED)
    return ended


def find_cause(connection: Connection, job_id: int, reason: WaitReason) -> str | None:
    """What some work of a job that waits for a reason was told; None if none does, empty if it was told nothing."""
    query = select(work.c.reason).where(work.c.job_id == job_id, in_state(State.WAITING), work.c.wait_reason == reason)
    row = connection.execute(query.limit(1)).first()
    return row.reason or "" if row else None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands: documents by end, chunks, spend; unfinished work by stage and state, waiting by reason.

    `noted` are documents that were read in part or by a guess, whatever became of them.
    """

    documents: Mapping[str, int]
    noted: int
    chunks: Mapping[str, int]
    spend: Mapping[str, float]
    active: Mapping[str, Mapping[str, int]]
    waiting: Mapping[str, int]


def measure_progress(connection: Connection, subject: Job) -> Progress:
    """A job's documents, chunks and spend; `total` grows while its sources are still being scanned."""
    return measure_each(connection, [subject])[subject.id]


def measure_each(connection: Connection, subjects: Sequence[Job]) -> dict[int, Progress]:
    """The same of many jobs, by their numbers, in two statements."""
    ids = [subject.id for subject in subjects]
    sums = (func.sum(tally.c[name]).label(name) for name in ("documents", "expected", "rejected", "embedded", "noted"))
    # The few pieces that had to be cut have an index of their own; the condition is written out for its sake.
    is_split = and_(work.c.job_id == tally.c.job_id, literal_column("chunks_split > 0"))
    split = select(func.coalesce(func.sum(work.c.chunks_split), 0)).where(is_split).scalar_subquery()
    places = (tally.c.job_id, tally.c.state, tally.c.stage, tally.c.wait_reason, tally.c.result, tally.c.deletes)
    query = select(*places, *sums, split.label("split")).where(tally.c.job_id.in_(ids)).group_by(*places)
    groups: dict[int, list[Any]] = {id_: [] for id_ in ids}
    for row in connection.execute(query):
        groups[row.job_id].append(row)
    spends = measure_spends(connection, ids)
    return {subject.id: _add_up(subject, groups[subject.id], spends[subject.id]) for subject in subjects}


def _add_up(subject: Job, groups: Sequence[Any], spend: Mapping[str, float]) -> Progress:
    chunks = {name: sum(int(getattr(g, name)) for g in groups) for name in ("expected", "rejected", "embedded")}
    indexed = sum(int(g.expected - g.rejected) for g in groups if g.result == Result.INDEXED)
    return Progress(
        documents=_count_documents(subject, groups),
        noted=sum(int(g.noted) for g in groups),
        chunks={
            "expected": chunks["expected"],
            "indexed": indexed,
            **chunks,
            "split": int(groups[0].split) if groups else 0,
        },
        spend=spend,
        active=_count_active(groups),
        waiting=_count_waiting(groups),
    )


def add_up_tallies(connection: Connection) -> int:
    """Replace the changes that triggers recorded on Postgres by their sums; returns how many rows that saves."""
    if connection.dialect.name == "sqlite":
        return 0
    place = ("job_id", "stage", "state", "wait_reason", "result", "deletes")
    sums = ("documents", "expected", "rejected", "embedded", "noted")
    taken = (
        select(tally.c.id).order_by(tally.c.id).limit(TALLIES_AT_ONCE).with_for_update(skip_locked=True).cte("taken")
    )
    gone = delete(tally).where(tally.c.id.in_(select(taken.c.id))).returning(*(tally.c[n] for n in place + sums)).cte()
    added = [func.sum(gone.c[name]) for name in sums]
    summed = select(*(gone.c[n] for n in place), *added).group_by(*(gone.c[n] for n in place))
    kept = summed.having(or_(*(total != 0 for total in added)))
    made = insert(tally).from_select([*place, *sums], kept).returning(tally.c.id).cte("made")
    counts = [select(func.count()).select_from(c).scalar_subquery() for c in (gone, made)]
    return int(connection.execute(select(counts[0] - counts[1])).scalar_one())


def forget_receipts(connection: Connection, *, older_than_seconds: float) -> int:
    """Remove receipts of sessions that ended long ago; returns how many."""
    query = delete(receipt).where(receipt.c.written_at < clock() - older_than_seconds)
    return connection.execute(query).rowcount


def _count_documents(subject: Job, groups: Sequence[Any]) -> dict[str, int]:
    def count(**wanted: Any) -> int:
        return sum(
            int(g.documents) for g in groups if not g.deletes and all(getattr(g, k) == v for k, v in wanted.items())
        )

    passed_over = subject.skipped + subject.problems - subject.unmet
    # A removal is no document of the job, unless it died: then somebody has to look at it, and it counts as one.
    dead_removals = sum(int(g.documents) for g in groups if g.deletes and g.state == State.DEAD)
    return {
        "total": count() + dead_removals + subject.unchanged + passed_over,
        "completed": count(state=State.COMPLETED) - count(result=Result.SKIPPED),
        "unchanged": subject.unchanged,
        "skipped": passed_over + count(result=Result.SKIPPED),
        "deleted": sum(int(g.documents) for g in groups if g.result == Result.DELETED),
        "dead": count(state=State.DEAD) + dead_removals,
        "cancelled": count(state=State.CANCELLED),
    }


def _count_active(groups: Sequence[Any]) -> dict[str, dict[str, int]]:
    active: dict[str, dict[str, int]] = {}
    for group in groups:
        if group.state not in FINAL and group.documents:
            stage = active.setdefault(group.stage, {})
            stage[group.state] = stage.get(group.state, 0) + int(group.documents)
    return active


def _count_waiting(groups: Sequence[Any]) -> dict[str, int]:
    waiting: dict[str, int] = {}
    for group in groups:
        if group.state == State.WAITING and group.documents:
            waiting[group.wait_reason] = waiting.get(group.wait_reason, 0) + int(group.documents)
    return waiting


# Seconds over which a job's rate is measured.
RATE_SECONDS = 60.0


def measure_rate(connection: Connection, subject: Job) -> float:
    """Documents a second that a job brought to their end over the last minute, or since it began if that is less."""
    now = read_clock(connection)
    seconds = max(1.0, min(RATE_SECONDS, now - subject.created_at))
    query = select(func.count()).where(work.c.job_id == subject.id, work.c.finished_at > now - seconds)
    return float(connection.execute(query).scalar_one() / seconds)


def list_waiting(connection: Connection, subject: Job) -> list[dict[str, Any]]:
    """What a job's unfinished work waits for, by stage and reason: how many, the next one's seconds, a late error."""
    why = _read_circumstances(connection, subject)
    order = stages.names()
    groups: dict[tuple[str, str], int] = {}
    for row in connection.execute(
        select(tally.c.stage, tally.c.state, tally.c.wait_reason, func.sum(tally.c.documents).label("documents"))
        .where(tally.c.job_id == subject.id, tally.c.state.in_(UNFINISHED))
        .group_by(tally.c.stage, tally.c.state, tally.c.wait_reason)
    ):
        key = (row.stage, why.name(row))
        groups[key] = groups.get(key, 0) + int(row.documents)
    due = {key: _find_next(connection, subject.id, *key) for key, count in groups.items() if count}
    errors = _find_errors(connection, subject.id, why)
    return [
        {
            "stage": str(key[0]),
            "reason": key[1],
            "documents": count,
            "next_in_seconds": due.get(key),
            "last_error": errors.get(key),
        }
        for key, count in sorted(groups.items(), key=lambda group: (order.index(group[0][0]), group[0][1]))
        if count
    ]


def list_waiting_documents(connection: Connection, job_id: int, *, limit: int, after: int = 0) -> list[dict[str, Any]]:
    """A job's unfinished documents one by one, in the order in which they were submitted, each with its reason."""
    why = _read_circumstances(connection, get_job(connection, job_id))
    due = case((work.c.state == State.RUNNING, work.c.lease_until), else_=work.c.available_at)
    query = (
        select(
            work.c.id.label("work"),
            document.c.uri,
            work.c.stage,
            work.c.state,
            work.c.wait_reason,
            (due - clock()).label("due_in_seconds"),
            work.c.attempt,
            work.c.crashes,
            work.c.worker,
            work.c.reason.label("last_error"),
        )
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.state.in_(UNFINISHED), work.c.id > after)
        .order_by(work.c.id)
        .limit(limit)
    )
    return [_describe_waiting(row, why) for row in connection.execute(query)]


def _describe_waiting(row: Any, why: "Circumstances") -> dict[str, Any]:
    found = dict(row._mapping)
    del found["wait_reason"]
    if not _is_still_true(row):
        found["last_error"] = None
    if row.state != State.RUNNING:
        found["worker"] = None
    return found | {"reason": why.name(row)}


# What work waits for whose queue was scaled to 0.
SCALED = "scaled"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides, beside its own row, what a piece of work waits for."""

    is_paused: bool
    is_scanned: bool
    paused_queues: frozenset[str]
    scaled_queues: frozenset[str]
    """Those that somebody scaled to 0."""

    def name(self, row: Any) -> str:
        """Its own reason, a worker's lease, a pause or scale of its queue, the scan of its sources, or a queue."""
        if row.state == State.RUNNING:
            return "lease"
        # A tally's place has '' for none.
        if row.wait_reason:
            return str(row.wait_reason)
        if self.is_paused or row.stage in self.paused_queues:
            return WaitReason.PAUSED
        if row.stage in self.scaled_queues:
            return SCALED
        return "scanning" if row.state == State.PENDING and not self.is_scanned else "queue"


def _read_circumstances(connection: Connection, subject: Job) -> Circumstances:
    wanted = read_pools(connection).values()
    return Circumstances(
        is_paused=subject.state == JobState.PAUSED,
        is_scanned=subject.enumerated_at is not None,
        paused_queues=frozenset(found.queue for found in wanted if found.paused),
        scaled_queues=frozenset(found.queue for found in wanted if found.desired == 0),
    )


def _find_next(connection: Connection, job_id: int, stage: str, reason: str) -> float | None:
    """Seconds until the first work that waits for `reason` is due."""
    if reason not in list(WaitReason):
        return None
    query = select(func.min(work.c.available_at) - clock()).where(
        work.c.job_id == job_id, in_state(State.WAITING), work.c.stage == stage, work.c.wait_reason == reason
    )
    return connection.execute(query).scalar()


def _find_errors(connection: Connection, job_id: int, why: Circumstances) -> dict[tuple[str, str], str]:
    """One message for each (stage, reason) among the youngest unfinished work whose last failure is not mended."""
    latest = (
        select(work.c.stage, work.c.state, work.c.wait_reason, work.c.attempt, work.c.crashes, work.c.reason)
        .where(work.c.job_id == job_id, work.c.reason.is_not(None), work.c.finished_at.is_(None))
        .order_by(work.c.id.desc())
        .limit(ERRORS_LOOKED_AT)
    )
    rows = connection.execute(latest)
    return {(row.stage, why.name(row)): row.reason for row in rows if _is_still_true(row)}


def _is_still_true(row: Any) -> bool:
    """Whether the message of unfinished work is about what holds it now.

    What waits was told why. What is sent again, or runs again, after a failure or a crash has not got over it yet; what
    a budget or a circuit let go on has.
    """
    if row.state == State.WAITING:
        return True
    before = row.attempt - 1 if row.state == State.RUNNING else row.attempt
    return bool(before > 0 or row.crashes > 0)
