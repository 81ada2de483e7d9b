"""What there is to be done at all, in one statement: a chore that would find nothing asks nothing."""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, exists, select

from embedmill.shared.db import budgets, bulk_lane, jobs, leases, ledger, queueing, samples


@dataclass(frozen=True, slots=True)
class Agenda:
    """Whether there is anything for each chore."""

    ready: bool
    ended: bool
    leases: bool
    samples: bool
    batches: bool
    refusals: bool
    reservations: bool


_QUESTIONS: dict[str, Select[int]] = {
    "ready": queueing.select_jobs_with_ready(),
    "ended": jobs.select_completable(),
    "leases": leases.select_held(),
    "samples": samples.select_due(),
    "batches": bulk_lane.select_business(),
    "refusals": budgets.select_refused(),
    "reservations": ledger.select_reserved(),
}


def read_agenda(connection: Connection) -> Agenda:
    """What there is to be done now."""
    found = connection.execute(select(*(exists(query).label(name) for name, query in _QUESTIONS.items())))
    return Agenda(**{name: bool(answer) for name, answer in found.mappings().one().items()})
