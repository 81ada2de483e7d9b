"""Owns who may have written rows too late: what attempts at the index stage tell that did not succeed.

Such a worker may be frozen and go on, or be dead while its last request is still on its way. So its documents are
looked at again some time after the attempt ended, and again after its worker was found to have ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, text

from embedmill.shared import stages
from embedmill.shared.db.schema import attempt, document, in_state, work, worker
from embedmill.shared.stages import Resource
from embedmill.shared.states import State

DELAYS = (15.0, 60.0, 300.0, 1800.0, 3 * 3600.0, 24 * 3600.0, 3 * 86400.0, 10 * 86400.0, 30 * 86400.0)
"""Seconds after which a document is looked at again; whoever comes later than that is found by `verify`."""

ANY = -1
"""Every generation."""

# Word for word as in the index on these rows.
UNSURE = text("attempt.outcome <> 'ok'")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A document that may have rows of `generation`, which readers do not see and nobody will switch to."""

    collection_id: int
    document_id: str
    generation: int


def find_leftovers(connection: Connection, *, since: float, until: float) -> list[Leftover]:
    """Documents whose time to be looked at came after `since` and up to `until`, by the database's clock."""
    queries = [_ended(since - delay, until - delay) for delay in DELAYS]
    if ended := _workers_ended_within(connection, since, until):
        queries.append(_leftovers().where(attempt.c.worker.in_(ended)))
    rows = [row for query in queries for row in connection.execute(query)]
    found = {Leftover(row.collection_id, row.id, row.generation) for row in rows}
    return sorted(found, key=lambda entry: (entry.collection_id, entry.document_id, entry.generation))


def _leftovers() -> Select[tuple[int, str, int]]:
    left_behind = document.c.active_generation > work.c.generation
    given_up = and_(in_state(State.CANCELLED), document.c.active_generation < work.c.generation)
    return (
        select(document.c.collection_id, document.c.id, work.c.generation)
        .select_from(attempt)
        .join(work, work.c.id == attempt.c.work_id)
        .join(document, document.c.id == work.c.document_id)
        .where(attempt.c.stage.in_(stages.using(Resource.STORE)), UNSURE, or_(left_behind, given_up))
    )


def _ended(since: float, until: float) -> Select[tuple[int, str, int]]:
    return _leftovers().where(attempt.c.ended_at > since, attempt.c.ended_at <= until)


def _workers_ended_within(connection: Connection, since: float, until: float) -> Sequence[str]:
    times: list[ColumnElement[bool]] = [
        and_(worker.c.stopped_at > since - delay, worker.c.stopped_at <= until - delay) for delay in DELAYS
    ]
    return connection.execute(select(worker.c.id).where(or_(*times))).scalars().all()
