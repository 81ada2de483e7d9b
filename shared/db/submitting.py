"""Submission of documents in batches: those that are new or changed get work, and those that leave a removal."""

import re
from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    and_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite

from embedmill.shared import stages
from embedmill.shared.db.bulk import among
from embedmill.shared.db.clock import clock
from embedmill.shared.db.dead_letters import find_dead_before
from embedmill.shared.db.documents import is_broken, lock_documents
from embedmill.shared.db.schema import dead_letter, document, job, work
from embedmill.shared.db.transitions import BEGUN_ANEW, begin_work
from embedmill.shared.states import State


@dataclass(frozen=True, slots=True)
class Submission:
    """One document as its source gives it: what to work on, and where the worker finds it."""

    document_id: str
    uri: str
    title: str
    content_hash: str
    settings_hash: str
    version: str
    size: int
    origin: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Submitted:
    """How many documents of a batch need work and how many are as they were; letters of those that died as before."""

    queued: int
    unchanged: int
    dead_before: Sequence[int] = ()


class TextWanted(Exception):
    """A row has to be read by a worker and its text was not stored: it looked unchanged a moment ago."""


def submit_batch(
    connection: Connection,
    submissions: Sequence[Submission],
    *,
    job_id: int,
    collection_id: int,
    max_attempts: int,
    counted: Ids[str] = frozenset(),
    passes_over_dead: bool = True,
) -> Submitted:
    """Record a batch of documents seen by a job; those that are new or changed get work, and their rows are held.

    A document is unchanged when readers see the version that is wanted last: one whose removal waits is not, nor one
    that another version is on its way for, nor one whose repair died. Repeating a batch changes nothing. `counted` are
    documents that the job has met before, which are not counted as unchanged again. What died and has not changed since
    is left as it is, unless it is not to be passed over. Raises TextWanted.
    """
    by_row = connection.dialect.name == "sqlite"
    submit = _submit_rows if by_row else _submit_together
    by_id = {s.document_id: s for s in submissions}
    versions = {id_: s.version for id_, s in by_id.items()}
    dead = find_dead_before(connection, versions, job_id=job_id) if passes_over_dead else {}
    if dead:
        lock_documents(connection, list(dead))
    done = submit(
        connection,
        [s for id_, s in by_id.items() if id_ not in dead],
        counted,
        job_id=job_id,
        collection_id=collection_id,
        max_attempts=max_attempts,
    )
    if done.unchanged:
        connection.execute(update(job).where(job.c.id == job_id).values(unchanged=job.c.unchanged + done.unchanged))
    return replace(done, dead_before=[letter for id_, letter in dead.items() if id_ not in counted])


# One statement for a batch of any size, which arrives as one JSON text. Looking up by LATERAL ... OFFSET 0 keeps the
# planner from reading whole tables for a batch whose size it cannot know. Rows are taken in the order of their ids, so
# that two submissions of the same documents do not wait for each other in a circle; they are held before they are
# judged, because a removal may be submitted or carried out at this moment.
_SUBMIT_TOGETHER = text(f"""
WITH given AS MATERIALIZED (
    SELECT * FROM ROWS FROM (json_to_recordset(CAST(:rows AS json)) AS (
        document_id text, uri text, title text, content_hash text, settings_hash text, version text, size bigint,
        origin json)) WITH ORDINALITY AS given (
        document_id, uri, title, content_hash, settings_hash, version, size, origin, position)
), held AS MATERIALIZED (
    SELECT given.*, known.id IS NOT NULL AS known, known.wanted_version, known.active_version, known.active_generation
    FROM (SELECT * FROM given ORDER BY document_id) AS given
    LEFT JOIN LATERAL (
        SELECT id, active_version, active_generation, wanted_version FROM document
        WHERE document.id = given.document_id
        OFFSET 0 FOR NO KEY UPDATE
    ) AS known ON true
), judged AS MATERIALIZED (
    SELECT held.*, done.version IS NOT NULL AS in_job,
        NOT known OR (
            (wanted_version IS DISTINCT FROM held.version OR active_version IS DISTINCT FROM held.version
                OR broken.letter IS NOT NULL)
            AND NOT coalesce(done.version = held.version AND NOT done.deletes AND wanted_version = held.version, false)
        ) AS fresh
    FROM held
    LEFT JOIN LATERAL (
        SELECT version, deletes FROM work
        WHERE work.job_id = :job_id AND work.document_id = held.document_id OFFSET 0
    ) AS done ON true
    LEFT JOIN LATERAL (
        SELECT open.id AS letter
        FROM (
            SELECT id FROM work
            WHERE work.document_id = held.document_id AND work.state = 'dead' AND NOT work.deletes
                AND work.version = held.active_version AND work.generation >= held.active_generation OFFSET 0
        ) AS dead, LATERAL (
            SELECT id FROM dead_letter WHERE dead_letter.work_id = dead.id AND dead_letter.resolved_at IS NULL OFFSET 0
        ) AS open
        LIMIT 1
    ) AS broken ON true
), seen AS (
    INSERT INTO document AS d (id, collection_id, uri, title, generation, wanted_version, updated_at)
    SELECT document_id, :collection_id, uri, title, 1, version, extract(epoch FROM statement_timestamp())::float8
    FROM judged WHERE fresh ORDER BY document_id
    ON CONFLICT (id) DO UPDATE SET generation = d.generation + 1, wanted_version = excluded.wanted_version
    RETURNING d.id, d.generation
), superseded AS (
    UPDATE dead_letter SET resolved_at = extract(epoch FROM statement_timestamp())::float8,
        resolution = 'superseded', resolution_reason = 'the document was submitted again'
    FROM judged, LATERAL (
        SELECT work.id FROM work WHERE work.document_id = judged.document_id AND work.state = 'dead' OFFSET 0
    ) AS dead
    WHERE judged.known AND judged.fresh AND dead_letter.work_id = dead.id AND dead_letter.resolved_at IS NULL
), made AS (
    INSERT INTO work (job_id, document_id, generation, deletes, stage, state, max_attempts, size, content_hash,
        settings_hash, version, origin, title, created_at)
    SELECT :job_id, document_id, seen.generation, false, :stage, 'pending', :max_attempts, size, content_hash,
        settings_hash, version, origin, title, extract(epoch FROM statement_timestamp())::float8
    FROM judged JOIN seen ON seen.id = judged.document_id WHERE fresh ORDER BY position
    ON CONFLICT (job_id, document_id) DO UPDATE SET {BEGUN_ANEW}
    RETURNING 1
)
SELECT (SELECT count(*) FROM made) AS queued,
    (SELECT count(*) FROM judged WHERE known AND NOT fresh AND NOT in_job
        AND NOT document_id = ANY(CAST(:counted AS text[]))) AS unchanged,
    (SELECT count(*) FROM judged WHERE fresh AND origin ->> 'kind' = 'row' AND origin ->> 'ref' IS NULL) AS textless
""")


# An escaped NUL, and not an escaped backslash before the characters u0000.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def _submit_together(
    connection: Connection, submissions: Sequence[Submission], counted: Ids[str], **ids: int
) -> Submitted:
    rows = orjson.dumps(submissions, option=orjson.OPT_NON_STR_KEYS).decode()
    if "\\u0000" in rows:
        # Text of Postgres cannot hold NUL, wherever in a row's metadata it stands.
        rows = _NUL.sub(r"\1", rows)
    row = connection.execute(
        _SUBMIT_TOGETHER, {"rows": rows, "counted": list(counted), "stage": stages.first(), **ids}
    ).one()
    if row.textless:
        raise TextWanted
    return Submitted(row.queued, row.unchanged)


def _submit_rows(
    connection: Connection,
    submissions: Sequence[Submission],
    counted: Ids[str],
    *,
    job_id: int,
    collection_id: int,
    max_attempts: int,
) -> Submitted:
    known = _find_known(connection, job_id, [s.document_id for s in submissions])
    changed = [s for s in submissions if _needs_work(s, known.get(s.document_id))]
    if any(s.origin["kind"] == "row" and s.origin.get("ref") is None for s in changed):
        raise TextWanted
    fresh = {s.document_id for s in changed}
    if changed:
        _want(connection, changed, collection_id=collection_id)
        _supersede_letters(connection, [id_ for id_ in fresh if id_ in known], "the document was submitted again")
        rows = [_work_row(s, known.get(s.document_id)) for s in changed]
        begin_work(connection, rows, job_id=job_id, max_attempts=max_attempts, deletes=False, stage=stages.first())
    same = [row for id_, row in known.items() if id_ not in fresh and id_ not in counted and row.done_version is None]
    return Submitted(len(changed), len(same))


def _find_known(connection: Connection, job_id: int, ids: list[str]) -> dict[str, Any]:
    in_job = and_(work.c.document_id == document.c.id, work.c.job_id == job_id)
    query = (
        select(
            document.c.id,
            document.c.generation,
            document.c.active_version,
            document.c.wanted_version,
            work.c.version.label("done_version"),
            work.c.deletes.label("done_deletes"),
            is_broken().label("is_broken"),
        )
        .join_from(document, work, in_job, isouter=True)
        .where(document.c.id.in_(ids))
    )
    return {row.id: row for row in connection.execute(query)}


def _needs_work(submission: Submission, known: Any) -> bool:
    if known is None:
        return True
    wanted = known.wanted_version == submission.version
    if wanted and known.active_version == submission.version and not known.is_broken:
        return False
    return not (wanted and known.done_version == submission.version and not known.done_deletes)


def _want(connection: Connection, submissions: Sequence[Submission], *, collection_id: int) -> None:
    values = sqlite.insert(document).values(collection_id=collection_id, generation=1, updated_at=clock())
    query = values.on_conflict_do_update(
        index_elements=[document.c.id],
        set_={"generation": document.c.generation + 1, "wanted_version": values.excluded.wanted_version},
    )
    rows = [{"id": s.document_id, "uri": s.uri, "title": s.title, "wanted_version": s.version} for s in submissions]
    connection.execute(query, rows)


def _supersede_letters(connection: Connection, ids: Sequence[str], why: str) -> None:
    """A document that is submitted again leaves its old dead letters behind: the new work speaks for it."""
    if ids:
        dead = select(work.c.id).where(among(connection, work.c.document_id, ids), work.c.state == State.DEAD)
        connection.execute(
            update(dead_letter)
            .where(dead_letter.c.work_id.in_(dead.scalar_subquery()), dead_letter.c.resolved_at.is_(None))
            .values(resolved_at=clock(), resolution="superseded", resolution_reason=why)
        )


def _work_row(submission: Submission, known: Any) -> dict[str, Any]:
    return {
        "document_id": submission.document_id,
        "generation": (known.generation if known else 0) + 1,
        "size": submission.size,
        "content_hash": submission.content_hash,
        "settings_hash": submission.settings_hash,
        "version": submission.version,
        "origin": dict(submission.origin),
        "title": submission.title,
    }


def submit_removals(connection: Connection, ids: Sequence[str], *, job_id: int, max_attempts: int) -> None:
    """Want documents gone, whose rows the caller holds; what was wanted of them before is overtaken."""
    _supersede_letters(connection, ids, "the document left its sources")
    rows = connection.execute(
        update(document)
        .where(among(connection, document.c.id, ids))
        .values(generation=document.c.generation + 1, wanted_version=None)
        .returning(document.c.id, document.c.generation)
    ).all()
    begin_work(
        connection,
        [{"document_id": row.id, "generation": row.generation} for row in rows],
        job_id=job_id,
        max_attempts=max_attempts,
        deletes=True,
        stage=stages.last(),
        size=0,
        content_hash="",
        settings_hash="",
        version="",
        origin={},
        title="",
    )
