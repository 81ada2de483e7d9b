"""Departures that somebody asked for: a source that is closed, documents that are deleted; each is a job of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.shared.addresses import digest
from embedmill.shared.db import claims, jobs, scans
from embedmill.shared.db.claims import Which
from embedmill.shared.db.engine import Connection
from embedmill.shared.paging import pages, walk
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import JobState


@dataclass(frozen=True, slots=True)
class DepartedJob:
    """The job that takes documents out of the index, None when none leaves, and how many it takes."""

    job_id: int | None
    documents: int


def preview_closing(runtime: Runtime, source_id: int) -> int:
    """How many documents would leave if a source claimed nothing any more; raises NotFound."""

    def count(connection: Connection) -> int:
        scans.get_source(connection, source_id)
        return claims.count_sole(connection, source_id)

    return runtime.database.query(count)


def close_source(runtime: Runtime, source_id: int) -> DepartedJob:
    """End a source's claims; what nobody else claims leaves. Raises NotFound.

    Whoever reads the source at this moment stops. Reading it again opens it. A closing that was cut short is taken up
    by asking for the same again.
    """
    database = runtime.database
    which = claims.of_source(source_id)

    def begin(connection: Connection) -> int:
        found = scans.get_source(connection, source_id)
        scans.close_source(connection, source_id)
        return _open_job(connection, found.collection_id, f"close {source_id}", [found.spec])

    def find(after: str) -> Sequence[str]:
        return database.query(lambda connection: claims.list_claimed(connection, which, after=after))

    return _depart(runtime, database.transact(begin), which, walk(find, key=str))


def delete_documents(runtime: Runtime, collection_id: int, ids: Sequence[str]) -> DepartedJob:
    """Take documents out of the index whoever claims them; a source that still has one brings it back when it is read.

    A deletion that was cut short is taken up by asking for the same again.
    """

    def begin(connection: Connection) -> int:
        spec = {"kind": "deletion", "uri": f"{len(ids)} documents"}
        return _open_job(connection, collection_id, digest("delete", *sorted(ids)), [spec])

    job_id = runtime.database.transact(begin)
    return _depart(runtime, job_id, claims.of_anybody, pages(sorted(set(ids)), claims.PAGE))


def _open_job(connection: Connection, collection_id: int, identity: str, sources: Sequence[dict[str, Any]]) -> int:
    found = jobs.open_job(
        connection, collection_id=collection_id, identity=identity, sources=sources, options={"removes": True}
    )
    if found.state is JobState.PAUSED:
        jobs.resume_job(connection, found.id)
    return found.id


def _depart(runtime: Runtime, job_id: int, which: Which, some: Iterable[Sequence[str]]) -> DepartedJob:
    gone = 0
    for ids in some:

        def end(connection: Connection, ids: Sequence[str] = ids) -> int:
            jobs.require_running(connection, job_id)
            return claims.end_claims(connection, which, ids, job_id=job_id, max_attempts=runtime.settings.max_attempts)

        gone += runtime.database.transact(end)

    def finish(connection: Connection) -> None:
        jobs.end_enumeration(connection, job_id, held_deletions=0)
        jobs.complete_jobs(connection)

    runtime.database.transact(finish)
    return DepartedJob(job_id if gone else None, gone)
