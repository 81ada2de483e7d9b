"""Takes documents that are erased away from their readers, their sources and the queue."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, func, literal, or_, select, update

from embedmill.shared.db.bulk import among
from embedmill.shared.db.clock import clock
from embedmill.shared.db.documents import lock_documents
from embedmill.shared.db.references import find_references
from embedmill.shared.db.schema import claim, document, work
from embedmill.shared.states import State

LOST_SECONDS = 5.0
"""A lease that ended so long ago is nobody's: what its worker may still write is swept away later."""


def hide(connection: Connection, ids: Sequence[str]) -> None:
    """Have readers see nothing of documents any more, and no source claim them; what is under way will not be seen."""
    lock_documents(connection, ids)
    connection.execute(delete(claim).where(among(connection, claim.c.document_id, ids)))
    next_one = document.c.generation + 1
    gone: dict[str, Any] = {"active_version": None, "wanted_version": None}
    connection.execute(
        update(document)
        .where(among(connection, document.c.id, ids))
        .values(generation=next_one, active_generation=next_one, updated_at=clock(), **gone)
    )


def gather(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the rows of documents refer to, by document: stored objects, and jobs."""
    references = find_references(connection, ids)
    jobs: defaultdict[str, set[int]] = defaultdict(set)
    for row in connection.execute(select(work.c.document_id, work.c.job_id).where(_of(connection, ids))):
        jobs[row.document_id].add(row.job_id)
    return {id: {"refs": sorted(references[id]), "jobs": sorted(jobs[id])} for id in ids}


def merged(known: Mapping[str, Any] | None, found: Mapping[str, Any]) -> dict[str, Any]:
    """What was known before and what is found now."""
    return {name: sorted({*(known or {}).get(name, ()), *found[name]}) for name in found}


def take_work(connection: Connection, ids: Sequence[str]) -> int:
    """Delete the work of documents that nobody has in hand; returns how much is left in somebody's."""
    lost = and_(work.c.state == State.RUNNING, work.c.lease_until < clock() - literal(LOST_SECONDS))
    connection.execute(delete(work).where(_of(connection, ids), or_(work.c.state != State.RUNNING, lost)))
    left = select(func.count()).select_from(work).where(_of(connection, ids))
    return int(connection.execute(left).scalar_one())


def find_oldest_lease(connection: Connection) -> float | None:
    """Since when the longest batch is in hand; None while there is none."""
    query = select(func.min(work.c.claimed_at)).where(work.c.lease.is_not(None))
    found: float | None = connection.execute(query).scalar()
    return found


def _of(connection: Connection, ids: Sequence[str]) -> Any:
    return among(connection, work.c.document_id, ids)
