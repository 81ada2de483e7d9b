"""Where jobs stand: their documents, chunks and spend, added up from tallies that triggers keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
)

from embedmill.shared import stages
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.jobs import UNFINISHED, Job
from embedmill.shared.db.schema import job, tally, work
from embedmill.shared.db.spending import measure_spends
from embedmill.shared.db.transitions import no_job
from embedmill.shared.states import FINAL, JobState, Result, State

TALLIES_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class WorkLeft:
    """A job's state, whether its sources were read, and what is left to do by what it waits for; '' is for nothing."""

    state: JobState
    is_read: bool
    waiting: Mapping[str, int]


def measure_left(connection: Connection, job_id: int) -> WorkLeft:
    """What is left to do of a job; raises NotFound."""
    of_job = and_(tally.c.job_id == job.c.id, tally.c.state.in_(UNFINISHED))
    rows = connection.execute(
        select(job.c.state, job.c.enumerated_at, tally.c.wait_reason, func.sum(tally.c.documents).label("documents"))
        .join_from(job, tally, of_job, isouter=True)
        .where(job.c.id == job_id)
        .group_by(job.c.state, job.c.enumerated_at, tally.c.wait_reason)
    ).all()
    if not rows:
        raise no_job(job_id)
    waiting = {row.wait_reason: int(row.documents) for row in rows if row.documents}
    return WorkLeft(JobState(rows[0].state), rows[0].enumerated_at is not None, waiting)


def is_more_coming(connection: Connection, job_id: int, stage: str) -> bool:
    """Whether work of a job is about to reach a stage, or has and is not in anybody's hands there."""
    before = stages.names()[: stages.place(stage)]
    on_its_way = and_(tally.c.stage.in_(before), tally.c.state.in_((State.PENDING, State.QUEUED, State.RUNNING)))
    is_there = and_(tally.c.stage == stage, tally.c.state.in_((State.PENDING, State.QUEUED)))
    count = func.coalesce(func.sum(tally.c.documents), 0)
    query = select(count).where(tally.c.job_id == job_id, or_(on_its_way, is_there))
    unread = select(job.c.id).where(job.c.id == job_id, job.c.enumerated_at.is_(None))
    return connection.execute(query).scalar_one() > 0 or connection.execute(unread).first() is not None


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
    return {subject.id: add_up(subject, groups[subject.id], spends[subject.id]) for subject in subjects}


NO_SPEND: Mapping[str, float] = {"usd": 0.0, "tokens_in": 0, "tokens_out": 0}


def add_up(subject: Job, groups: Sequence[Any], spend: Mapping[str, float]) -> Progress:
    """A job's progress from its documents in groups of one state, stage, reason, result and kind."""
    chunks = {name: sum(int(getattr(g, name)) for g in groups) for name in ("expected", "rejected", "embedded")}
    indexed = sum(int(g.expected - g.rejected) for g in groups if g.result == Result.INDEXED)
    return Progress(
        documents=_count_documents(subject, groups) | _count_rewritten(subject),
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
        "completed": count(state=State.COMPLETED) - count(result=Result.SKIPPED) - count(result=Result.UNCHANGED),
        "unchanged": subject.unchanged + count(result=Result.UNCHANGED),
        "skipped": passed_over + count(result=Result.SKIPPED),
        "deleted": sum(int(g.documents) for g in groups if g.result == Result.DELETED),
        "dead": count(state=State.DEAD) + dead_removals,
        "cancelled": count(state=State.CANCELLED),
    }


def _count_rewritten(subject: Job) -> dict[str, int]:
    rewriting = subject.rewriting
    return {} if rewriting is None else {"total": rewriting.of, "completed": rewriting.documents}


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
    """Documents a second that a job brought to their end over the last minute, or since it began or went on."""
    now = read_clock(connection)
    seconds = max(1.0, now - (subject.resumed_at or subject.created_at))
    if subject.rewriting is not None:
        return subject.rewriting.documents / seconds
    seconds = min(RATE_SECONDS, seconds)
    query = select(func.count()).where(work.c.job_id == subject.id, work.c.finished_at > now - seconds)
    return float(connection.execute(query).scalar_one() / seconds)
