"""What of jobs and sources somebody sees who does not read every level: that of documents which they see, alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select

from embedmill.shared.access.labels import Reach
from embedmill.shared.db.jobs import Job
from embedmill.shared.db.schema import claim, document, job, source, work
from embedmill.shared.db.sources import KnownSource
from embedmill.shared.db.tallies import NO_SPEND, Progress, add_up
from embedmill.shared.db.visibility import is_seen_in
from embedmill.shared.states import JobState

Reaches = Mapping[int, Reach]
"""By the ids of collections."""


def has_seen_work(reaches: Reaches) -> ColumnElement[bool]:
    """Whether a job worked on a document that is seen."""
    of_job = exists().where(work.c.job_id == job.c.id, work.c.document_id == document.c.id)
    return of_job.where(is_seen_in(reaches))


def measure_seen(connection: Connection, subjects: Sequence[Job], reaches: Reaches) -> list[tuple[Job, Progress]]:
    """Jobs and where they stand, by documents that are seen; nothing is told of what was passed over or spent.

    A job has ended with the last of these documents, whatever it does with others.
    """
    places = (work.c.job_id, work.c.state, work.c.stage, work.c.wait_reason, work.c.result, work.c.deletes)
    sums = (
        func.count().label("documents"),
        func.count(work.c.notes).label("noted"),
        func.max(work.c.finished_at).label("finished_at"),
        *(func.sum(work.c[f"chunks_{name}"]).label(name) for name in ("expected", "rejected", "embedded", "split")),
    )
    query = select(*places, *sums).join_from(work, document, document.c.id == work.c.document_id)
    query = query.where(work.c.job_id.in_([subject.id for subject in subjects]), is_seen_in(reaches)).group_by(*places)
    groups: dict[int, list[Any]] = {}
    for row in connection.execute(query):
        groups.setdefault(row.job_id, []).append(row)
    places_seen = _list_seen_uris(connection, reaches)
    return [
        _measure(subject, groups[subject.id], places_seen[subject.collection_id])
        for subject in subjects
        if subject.id in groups
    ]


def _measure(subject: Job, groups: Sequence[Any], uris: set[str]) -> tuple[Job, Progress]:
    ends = [group.finished_at for group in groups]
    seen = replace(
        subject,
        name=None,
        sources=[spec for spec in subject.sources if spec.get("uri") in uris],
        options={},
        unchanged=0,
        skipped=0,
        problems=0,
        unmet=0,
        held_deletions=0,
        error=None,
    )
    if None not in ends:
        seen = replace(seen, state=JobState.COMPLETED, finished_at=max(ends))
    return seen, add_up(seen, groups, NO_SPEND)


def _list_seen_uris(connection: Connection, reaches: Reaches) -> dict[int, set[str]]:
    """The URIs of sources that claim a document that is seen, by collection."""
    found: dict[int, set[str]] = {id_: set() for id_ in reaches}
    for id_, spec in connection.execute(select(source.c.collection_id, source.c.spec).where(claims_seen(reaches))):
        found[id_].add(str(spec.get("uri", "")))
    return found


def count_seen(connection: Connection, found: Sequence[KnownSource], reaches: Reaches) -> list[KnownSource]:
    """Those of some sources that claim a document that is seen, with how many, and without what else they are told."""
    query = (
        select(claim.c.source_id, func.count())
        .join_from(claim, document, document.c.id == claim.c.document_id)
        .where(claim.c.source_id.in_([known.id for known in found]), ~claim.c.leaving, is_seen_in(reaches))
        .group_by(claim.c.source_id)
    )
    counts = {row[0]: int(row[1]) for row in connection.execute(query)}
    return [
        replace(known, documents=counts[known.id], spec={"uri": known.uri, "kind": known.spec.get("kind")})
        for known in found
        if known.id in counts
    ]


def claims_seen(reaches: Reaches) -> ColumnElement[bool]:
    """Whether a source claims a document that is seen."""
    claimed = exists().where(claim.c.source_id == source.c.id, ~claim.c.leaving, claim.c.document_id == document.c.id)
    return claimed.where(is_seen_in(reaches))


def count_seen_sole(connection: Connection, source_id: int, reaches: Reaches) -> int:
    """How many documents that are seen only this source claims."""
    others = claim.alias()
    elsewhere = exists().where(
        others.c.document_id == claim.c.document_id, others.c.source_id != source_id, ~others.c.leaving
    )
    query = select(func.count()).join_from(claim, document, document.c.id == claim.c.document_id)
    query = query.where(claim.c.source_id == source_id, ~claim.c.leaving, ~elsewhere, is_seen_in(reaches))
    return int(connection.execute(query).scalar_one())
