"""What caches may let go: since when unfinished work has needed entries, and how much went."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, literal, select

from embedmill.shared import stages
from embedmill.shared.caches.embeddings import Size
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.schema import attempt, cache_eviction, job, work
from embedmill.shared.stages import Product
from embedmill.shared.states import FINAL, State

UNFINISHED = tuple(state for state in State if state not in FINAL)
RETURNS_SECONDS = 3600.0
"""A document that goes round and round does so within minutes."""


def measure_need(connection: Connection, product: Product) -> float:
    """For how many seconds unfinished work may have had entries that it still needs; 0 when there is none.

    They are made or looked up in one stage, and needed until the last that needs them is done.
    """
    # As the index on job, state and stage has it: most work of a large home is finished.
    open_jobs = select(job.c.id).where(job.c.finished_at.is_(None))
    waits = (work.c.job_id.in_(open_jobs), work.c.state.in_(UNFINISHED), work.c.stage.in_(stages.depending_on(product)))
    began = select(func.min(attempt.c.started_at)).join_from(attempt, work, attempt.c.work_id == work.c.id)
    runs = select(func.min(work.c.claimed_at)).where(work.c.state == State.RUNNING, *waits)
    moments = (
        connection.execute(began.where(attempt.c.stage == stages.maker(product), *waits)).scalar(),
        connection.execute(runs).scalar(),
    )
    now = read_clock(connection)
    return max((now - moment for moment in moments if moment is not None), default=0.0)


def count_returns(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How often, of late, the index stage sent unfinished work back because the cache had lost its vectors."""
    recent = attempt.c.started_at > clock() - literal(RETURNS_SECONDS)
    query = (
        select(attempt.c.work_id, func.count())
        .where(attempt.c.work_id.in_(ids), attempt.c.stage == stages.last(), attempt.c.outcome == "ok", recent)
        .group_by(attempt.c.work_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def record_evictions(connection: Connection, gone: Mapping[str, Size]) -> None:
    """Add to what caches let go."""
    query = insert_or(connection, cache_eviction).values(evicted_at=clock())
    query = query.on_conflict_do_update(
        index_elements=[cache_eviction.c.kind],
        set_={
            "entries": cache_eviction.c.entries + query.excluded.entries,
            "bytes": cache_eviction.c.bytes + query.excluded.bytes,
            "evicted_at": query.excluded.evicted_at,
        },
    )
    rows = [{"kind": kind, "entries": size.entries, "bytes": size.bytes} for kind, size in sorted(gone.items())]
    if rows:
        connection.execute(query, rows)


def list_evictions(connection: Connection) -> dict[str, Size]:
    """What caches let go since the beginning, by kind."""
    return {row.kind: Size(row.entries, row.bytes) for row in connection.execute(select(cache_eviction))}
