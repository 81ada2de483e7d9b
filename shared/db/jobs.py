"""Jobs: creation and resumption, control, progress and completion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, delete, exists, func, insert, literal, null, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite

from shared.db.engine import clock
from shared.db.ledger import measure_job_spend
from shared.db.schema import collection, document, job, scan_note, source, work
from shared.errors import NotFound
from shared.states import FINAL, JobState, Result, State, WaitReason, require_job_transition

UNFINISHED = tuple(state for state in State if state not in FINAL)


@dataclass(frozen=True, slots=True)
class Job:
    """One submission."""

    id: int
    collection_id: int
    collection: str
    state: JobState
    sources: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    weight: int
    unchanged: int
    skipped: int
    problems: int
    held_deletions: int
    error: str | None
    created_at: float
    enumerated_at: float | None
    finished_at: float | None


def _select() -> Any:
    fields = [f for f in Job.__dataclass_fields__ if f != "collection"]
    return select(*(job.c[f] for f in fields), collection.c.name.label("collection")).join_from(job, collection)


def _row(row: Any) -> Job:
    return Job(**{**row._mapping, "state": JobState(row.state)})


def create_job(
    connection: Connection,
    *,
    collection_id: int,
    identity: str,
    sources: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> int:
    """Record a submission in state `running`."""
    key = connection.execute(
        insert(job).values(
            collection_id=collection_id,
            identity=identity,
            sources=list(sources),
            options=dict(options),
            state=JobState.RUNNING,
            created_at=clock(),
        )
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


def find_open_job(connection: Connection, *, collection_id: int, identity: str) -> Job | None:
    """The unfinished job of the same sources into the same collection, which a repeated command takes up."""
    query = _select().where(
        job.c.collection_id == collection_id, job.c.identity == identity, job.c.finished_at.is_(None)
    )
    row = connection.execute(query.order_by(job.c.id.desc())).first()
    return _row(row) if row else None


def get_job(connection: Connection, job_id: int) -> Job:
    """The job by its number; raises NotFound."""
    row = connection.execute(_select().where(job.c.id == job_id)).first()
    if row is None:
        raise NotFound(f"no job {job_id}", hint="embedmill jobs list")
    return _row(row)


def list_jobs(connection: Connection, *, limit: int = 100, only_open: bool = False) -> list[Job]:
    """Jobs, newest first."""
    query = _select().order_by(job.c.id.desc()).limit(limit)
    if only_open:
        query = query.where(job.c.finished_at.is_(None))
    return [_row(row) for row in connection.execute(query)]


def list_dispatchable(connection: Connection) -> list[tuple[int, int, bool]]:
    """(job, weight, enumerated) of every job that may run."""
    query = select(job.c.id, job.c.weight, job.c.enumerated_at).where(
        job.c.finished_at.is_(None), job.c.state == JobState.RUNNING
    )
    return [(r.id, r.weight, r.enumerated_at is not None) for r in connection.execute(query.order_by(job.c.id))]


def ensure_source(connection: Connection, *, collection_id: int, identity: str, spec: Mapping[str, Any]) -> int:
    """The number of a collection's source, recorded on first sight."""
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    query = build(source).values(collection_id=collection_id, identity=identity, spec=dict(spec))
    connection.execute(query.on_conflict_do_nothing())
    find = select(source.c.id).where(source.c.collection_id == collection_id, source.c.identity == identity)
    return int(connection.execute(find).scalar_one())


def begin_enumeration(connection: Connection, job_id: int) -> None:
    """Start counting a scan from nothing, also when an earlier one was cut short."""
    connection.execute(delete(scan_note).where(scan_note.c.job_id == job_id))
    connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(unchanged=0, skipped=0, problems=0, held_deletions=0, enumerated_at=None)
    )


def note_scan(connection: Connection, job_id: int, notes: Sequence[Mapping[str, Any]]) -> None:
    """Record things that hold no document and things that could not be read: dicts of kind, uri, line, reason."""
    if not notes:
        return
    connection.execute(insert(scan_note).values(job_id=job_id), list(notes))
    skipped = sum(1 for note in notes if note["kind"] == "skipped")
    connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(skipped=job.c.skipped + skipped, problems=job.c.problems + len(notes) - skipped)
    )


def list_notes(connection: Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    """What a job passed over, with reasons: by its scan, and documents that turned out to hold nothing."""
    scanned = select(scan_note.c.kind, scan_note.c.uri, scan_note.c.line, scan_note.c.reason).where(
        scan_note.c.job_id == job_id
    )
    empty = (
        select(literal("skipped"), document.c.uri, null(), work.c.reason)
        .join_from(work, document)
        .where(work.c.job_id == job_id, work.c.state == State.COMPLETED, work.c.result == Result.SKIPPED)
    )
    rows = connection.execute(union_all(scanned, empty).limit(limit))
    return [dict(row._mapping) for row in rows]


def end_enumeration(connection: Connection, job_id: int, *, held_deletions: int) -> None:
    """The scan is through; from now on the job ends when its work does."""
    connection.execute(
        update(job).where(job.c.id == job_id).values(enumerated_at=clock(), held_deletions=held_deletions)
    )


def set_job_state(connection: Connection, job_id: int, target: JobState, *, error: str | None = None) -> None:
    """The one writer of a job's state; raises IllegalTransition, naming both states."""
    require_job_transition(get_job(connection, job_id).state, target)
    ends = target in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
    connection.execute(
        update(job).where(job.c.id == job_id).values(state=target, finished_at=clock() if ends else None, error=error)
    )


def pause_job(connection: Connection, job_id: int) -> None:
    """Stop sending a job's work; what runs is finished."""
    set_job_state(connection, job_id, JobState.PAUSED)
    _move(connection, job_id, (State.PENDING, State.QUEUED), state=State.WAITING, wait_reason=WaitReason.PAUSED)


def resume_job(connection: Connection, job_id: int) -> None:
    """Let a paused job go on."""
    set_job_state(connection, job_id, JobState.RUNNING)
    _move(connection, job_id, (State.WAITING, State.QUEUED), state=State.PENDING, wait_reason=None, available_at=None)


def cancel_job(connection: Connection, job_id: int) -> None:
    """End a job: what waits is cancelled now, what runs is cancelled when its stage ends."""
    set_job_state(connection, job_id, JobState.CANCELLED)
    _move(
        connection,
        job_id,
        (State.PENDING, State.QUEUED, State.WAITING),
        state=State.CANCELLED,
        wait_reason=None,
        available_at=None,
        finished_at=clock(),
        reason="the job was cancelled",
    )


def _move(connection: Connection, job_id: int, starts: tuple[State, ...], **values: Any) -> None:
    connection.execute(
        update(work).where(work.c.job_id == job_id, work.c.state.in_(starts)).values(dispatched_at=None, **values)
    )


def _is_completable() -> Any:
    unfinished = exists().where(work.c.job_id == job.c.id, work.c.state.in_(UNFINISHED))
    running = and_(job.c.state == JobState.RUNNING, job.c.finished_at.is_(None))
    return and_(running, job.c.enumerated_at.is_not(None), ~unfinished)


def find_completable(connection: Connection) -> list[int]:
    """Running jobs whose scan and work have ended."""
    return list(connection.execute(select(job.c.id).where(_is_completable())).scalars())


def has_unfinished_work(connection: Connection, job_id: int) -> bool:
    """Whether anything of a job is still to be done."""
    query = select(work.c.id).where(work.c.job_id == job_id, work.c.state.in_(UNFINISHED)).limit(1)
    return connection.execute(query).first() is not None


def complete_jobs(connection: Connection) -> list[int]:
    """Complete every running job whose scan and work have ended; returns them."""
    values = {"state": JobState.COMPLETED, "finished_at": clock()}
    return list(connection.execute(update(job).where(_is_completable()).values(values).returning(job.c.id)).scalars())


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands: documents by end, chunks, spend, and work by (state, stage)."""

    documents: Mapping[str, int]
    chunks: Mapping[str, int]
    spend: Mapping[str, float]
    active: Mapping[str, Mapping[str, int]]


def measure_progress(connection: Connection, subject: Job) -> Progress:
    """Count a job's documents, chunks and spend; `total` grows while its sources are still being scanned."""
    groups = connection.execute(
        select(
            work.c.state,
            work.c.stage,
            work.c.result,
            work.c.deletes,
            func.count().label("n"),
            func.sum(work.c.chunks_expected).label("expected"),
            func.sum(work.c.chunks_rejected).label("rejected"),
            func.sum(work.c.chunks_embedded).label("embedded"),
            func.sum(
                case((work.c.result == Result.INDEXED, work.c.chunks_expected - work.c.chunks_rejected), else_=0)
            ).label("indexed"),
        )
        .where(work.c.job_id == subject.id)
        .group_by(work.c.state, work.c.stage, work.c.result, work.c.deletes)
    ).all()
    return Progress(
        documents=_count_documents(subject, groups),
        chunks={k: sum(int(getattr(g, k)) for g in groups) for k in ("expected", "indexed", "rejected", "embedded")},
        spend=measure_job_spend(connection, subject.id),
        active=_count_active(groups),
    )


def _count_documents(subject: Job, groups: Sequence[Any]) -> dict[str, int]:
    def count(**wanted: Any) -> int:
        return sum(g.n for g in groups if not g.deletes and all(getattr(g, k) == v for k, v in wanted.items()))

    passed_over = subject.skipped + subject.problems
    return {
        "total": count() + subject.unchanged + passed_over,
        "completed": count(state=State.COMPLETED) - count(result=Result.SKIPPED),
        "unchanged": subject.unchanged,
        "skipped": passed_over + count(result=Result.SKIPPED),
        "deleted": sum(g.n for g in groups if g.result == Result.DELETED),
        "dead": sum(g.n for g in groups if g.state == State.DEAD),
        "cancelled": count(state=State.CANCELLED),
    }


def _count_active(groups: Sequence[Any]) -> dict[str, dict[str, int]]:
    active: dict[str, dict[str, int]] = {}
    for group in groups:
        if group.state not in FINAL:
            stage = active.setdefault(group.stage, {})
            stage[group.state] = stage.get(group.state, 0) + group.n
    return active


def list_waiting(connection: Connection, job_id: int) -> list[dict[str, Any]]:
    """What a job's unfinished work waits for, by stage and reason."""
    reason = func.coalesce(work.c.wait_reason, case((work.c.state == State.RUNNING, "lease"), else_="queue"))
    query = (
        select(
            work.c.stage,
            reason.label("reason"),
            func.count().label("documents"),
            (func.min(work.c.available_at) - clock()).label("next_in_seconds"),
            func.max(work.c.reason).label("last_error"),
        )
        .where(work.c.job_id == job_id, work.c.state.in_(UNFINISHED))
        .group_by(work.c.stage, reason)
    )
    return [dict(row._mapping) for row in connection.execute(query)]
