"""What there is to be done at all, in one statement: whoever would find nothing asks nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, exists, or_, select

from embedmill.shared.db import budgets, bulk_lane, jobs, leases, ledger, queueing, samples
from embedmill.shared.db.presence import is_live
from embedmill.shared.db.schema import in_state, pool, supervisor, work
from embedmill.shared.states import State


@dataclass(frozen=True, slots=True)
class Agenda:
    """Whether there is anything for each chore."""

    ready: bool
    queued: bool
    ended: bool
    leases: bool
    samples: bool
    batches: bool
    refusals: bool
    reservations: bool


_QUEUED = select(work.c.id).where(in_state(State.QUEUED))
_QUESTIONS: dict[str, Select[int]] = {
    "ready": queueing.select_jobs_with_ready(),
    "queued": _QUEUED,
    "ended": jobs.select_completable(),
    "leases": leases.select_held(),
    "samples": samples.select_due(),
    "batches": bulk_lane.select_business(),
    "refusals": budgets.select_refused(),
    "reservations": ledger.select_reserved(),
}


def read_agenda(connection: Connection) -> Agenda:
    """What there is to be done now."""
    return Agenda(**_answer(connection, _QUESTIONS))


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Whether there is anything that others left behind, or are at, when a process begins."""

    supervisors: bool
    queued: bool
    pools: bool
    """Queues that an operator paused, or scaled to nothing."""


def read_leftovers(connection: Connection, *, silent_seconds: float) -> Leftovers:
    """What others have left, or are at."""
    questions: dict[str, Select[Any]] = {
        "supervisors": select(supervisor.c.id).where(is_live(supervisor, silent_seconds)),
        "queued": _QUEUED,
        "pools": select(pool.c.queue).where(or_(pool.c.paused, pool.c.desired == 0)),
    }
    return Leftovers(**_answer(connection, questions))


def has_work(connection: Connection) -> bool:
    """Whether there is anything for a worker."""
    questions: dict[str, Select[Any]] = {
        "ready": queueing.select_jobs_with_ready(),
        "queued": _QUEUED,
    }
    return any(_answer(connection, questions).values())


def _answer(connection: Connection, questions: Mapping[str, Select[Any]]) -> dict[str, bool]:
    found = connection.execute(select(*(exists(query).label(name) for name, query in questions.items())))
    return {name: bool(answer) for name, answer in found.mappings().one().items()}
