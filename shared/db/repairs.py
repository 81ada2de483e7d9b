"""Repairs: documents whose vectors are gone are indexed again from what is stored, without their source."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select, update

from embedmill.shared import stages
from embedmill.shared.access.labels import Labels
from embedmill.shared.addresses import digest
from embedmill.shared.db.documents import lock_documents
from embedmill.shared.db.jobs import create_job, end_enumeration
from embedmill.shared.db.schema import dead_letter, document, work
from embedmill.shared.db.transitions import begin_work
from embedmill.shared.paging import pages
from embedmill.shared.stages import Product
from embedmill.shared.states import State

PAGE = 500


@dataclass(frozen=True, slots=True)
class Unmended:
    """A document that a repair could not index again, and the dead letter that says why."""

    uri: str
    letter: int
    error: str
    hint: str


def submit_repair(connection: Connection, collection_id: int, ids: Sequence[str], *, max_attempts: int) -> int:
    """A job that embeds (from the cache) and indexes the active versions of documents again; returns it.

    It writes rows of the generation that readers see, so that it supersedes nothing that waits to be indexed.
    """
    job_id = _create_job(connection, collection_id, "repair")
    stage = stages.maker(Product.VECTORS)
    for some in pages(ids, PAGE):
        rows = _read_page(connection, some, document.c.active_generation)
        _submit(connection, job_id, rows, stage=stage, max_attempts=max_attempts)
    end_enumeration(connection, job_id, held_deletions=0)
    return job_id


def find_unmended(connection: Connection, ids: Sequence[str]) -> dict[str, Unmended]:
    """Those of documents whose repair died and left a letter that is open; by id, with the newest."""
    found: dict[str, Unmended] = {}
    for some in pages(ids, PAGE):
        query = (
            select(document.c.id.label("document"), document.c.uri, dead_letter)
            .join_from(dead_letter, work, dead_letter.c.work_id == work.c.id)
            .join(document, work.c.document_id == document.c.id)
            .where(work.c.document_id.in_(some), work.c.state == State.DEAD, dead_letter.c.resolved_at.is_(None))
            # What is submitted anew has a generation that readers do not see yet.
            .where(work.c.generation == document.c.active_generation)
            .order_by(dead_letter.c.id)
        )
        for row in connection.execute(query):
            found[row.document] = Unmended(row.uri, row.id, f"{row.error_class}: {row.error}", row.hint)
    return found


def count_indexed(connection: Connection, job_id: int) -> int:
    """How many documents a repair has indexed again."""
    query = select(func.count()).where(work.c.job_id == job_id, work.c.state == State.COMPLETED)
    return connection.execute(query).scalar_one()


def submit_revalidation(connection: Connection, collection_id: int, ids: Sequence[str], *, max_attempts: int) -> int:
    """A job that validates (from the cache), embeds and indexes what readers see of documents again; returns it.

    It makes a version of its own, because a chunk may leave a document by it and no row of a version is ever removed.
    """
    job_id = _create_job(connection, collection_id, "revalidation")
    stage = stages.maker(Product.VERDICTS)
    seen = select(document.c.id).where(document.c.id.in_(bindparam("some", expanding=True)))
    for some in pages(ids, PAGE):
        query = seen.where(document.c.active_version.is_not(None))
        page = _without_newer(connection, list(connection.execute(query, {"some": some}).scalars()))
        connection.execute(update(document).where(document.c.id.in_(page)).values(generation=document.c.generation + 1))
        rows = _read_page(connection, page, document.c.generation)
        rows = [{**row, "version": digest("revalidated", row["version"], str(job_id), length=16)} for row in rows]
        _submit(connection, job_id, rows, stage=stage, max_attempts=max_attempts)
    end_enumeration(connection, job_id, held_deletions=0)
    return job_id


def _create_job(connection: Connection, collection_id: int, kind: str) -> int:
    """A job that no other is the same as."""
    identity = f"{kind} {secrets.token_hex(8)}"
    return create_job(connection, collection_id=collection_id, identity=identity, sources=[], options={kind: True})


def _read_page(connection: Connection, ids: Sequence[str], generation: ColumnElement[int]) -> list[dict[str, Any]]:
    """What work on documents is made of, from what is stored of them."""
    last = select(func.max(work.c.id)).where(work.c.document_id.in_(ids), work.c.deletes.is_(False))
    query = (
        select(
            document.c.id.label("document_id"),
            generation.label("generation"),
            document.c.content_hash,
            document.c.source_state,
            document.c.settings_hash,
            document.c.active_version.label("version"),
            document.c.chunks_ref,
            document.c.rejections_ref,
            document.c.chunks_expected,
            document.c.chunks_rejected,
            document.c.title,
            document.c.access,
            document.c.owner,
            work.c.origin,
            work.c.size,
        )
        .join_from(document, work, work.c.document_id == document.c.id)
        .where(document.c.id.in_(ids), work.c.id.in_(last.group_by(work.c.document_id).scalar_subquery()))
    )
    return [_as_seen(dict(row)) for row in connection.execute(query).mappings()]


def _as_seen(row: dict[str, Any]) -> dict[str, Any]:
    """With the labels of what readers see: a newer submission, which died, may have come with others."""
    labels = Labels(row.pop("access"), row.pop("owner")).as_json()
    origin = {name: value for name, value in row["origin"].items() if name != "labels"}
    return {**row, "origin": origin | ({"labels": labels} if labels else {})}


def _submit(
    connection: Connection, job_id: int, rows: Sequence[Mapping[str, Any]], *, stage: str, max_attempts: int
) -> None:
    if rows:
        begin_work(connection, rows, job_id=job_id, stage=stage, max_attempts=max_attempts, deletes=False)


def _without_newer(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Documents of which nothing newer than what readers see is on its way: that speaks for itself, removals too."""
    lock_documents(connection, ids)
    newer = exists().where(
        work.c.document_id == document.c.id,
        work.c.finished_at.is_(None),
        work.c.generation > document.c.active_generation,
    )
    return list(connection.execute(select(document.c.id).where(document.c.id.in_(ids), ~newer)).scalars())
