"""Documents: submission in batches, the switch of versions, and what readers and `verify` ask."""

import re
from collections.abc import Collection as Ids
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    union,
    update,
)
from sqlalchemy.dialects import sqlite

from embedmill.shared import stages
from embedmill.shared.db.bulk import among
from embedmill.shared.db.dead_letters import find_dead_before
from embedmill.shared.db.engine import Database, clock
from embedmill.shared.db.schema import claim, dead_letter, document, job, work
from embedmill.shared.db.transitions import BEGUN_ANEW, begin_work
from embedmill.shared.editions import Edition
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
            _is_broken().label("is_broken"),
        )
        .join_from(document, work, in_job, isouter=True)
        .where(document.c.id.in_(ids))
    )
    return {row.id: row for row in connection.execute(query)}


def _is_broken() -> ColumnElement[bool]:
    """Whether what readers see of a document died when it was made once more, and nobody has seen to that since.

    Its vectors may be gone and its stored text with them: then its source alone brings it back.
    """
    remade = work.alias("remade")
    return (
        exists()
        .where(remade.c.document_id == document.c.id, remade.c.state == State.DEAD, ~remade.c.deletes)
        .where(remade.c.version == document.c.active_version, remade.c.generation >= document.c.active_generation)
        .where(dead_letter.c.work_id == remade.c.id, dead_letter.c.resolved_at.is_(None))
    )


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


def lock_documents(connection: Connection, ids: Sequence[str]) -> None:
    """Keep others from submitting or switching documents until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        query = select(document.c.id).where(among(connection, document.c.id, ids)).order_by(document.c.id)
        connection.execute(query.with_for_update(key_share=True))


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


@dataclass(frozen=True, slots=True)
class Standing:
    """The generations of a document: the one that readers see, and the one that was submitted last."""

    active: int
    newest: int


def switch_versions(connection: Connection, token: str, ids: Ids[int]) -> dict[str, Standing]:
    """Make the versions of work held under a lease the active ones; return how their documents stand.

    One statement per batch. Work under another lease, and a document whose active generation is newer, stay as they
    are. A removal sets the active version to NULL and ends the claims that waited for it; it does nothing when the
    document was submitted again meanwhile, whatever became of that.
    """
    held = and_(work.c.lease == token, work.c.id.in_(ids))
    # A repair writes what is active once more, perhaps from chunks that had to be made anew.
    anew = and_(
        document.c.active_generation == work.c.generation, document.c.chunks_ref.is_distinct_from(work.c.chunks_ref)
    )
    source = (work.c.document_id == document.c.id) & held & (work.c.state == State.RUNNING)
    is_newest = document.c.generation == work.c.generation
    newer = and_(document.c.active_generation < work.c.generation, or_(~work.c.deletes, is_newest))
    newer = or_(newer, anew)
    version = case((work.c.deletes, None), else_=work.c.version)
    connection.execute(
        update(document)
        .where(source, newer)
        .values(
            active_generation=work.c.generation,
            active_version=version,
            # What a worker read may be newer than what the scan saw.
            wanted_version=case((is_newest, version), else_=document.c.wanted_version),
            content_hash=case((work.c.deletes, None), else_=work.c.content_hash),
            settings_hash=case((work.c.deletes, None), else_=work.c.settings_hash),
            chunks_ref=case((work.c.deletes, None), else_=work.c.chunks_ref),
            rejections_ref=case((work.c.deletes, None), else_=work.c.rejections_ref),
            chunks_expected=case((work.c.deletes, 0), else_=work.c.chunks_expected),
            chunks_rejected=case((work.c.deletes, 0), else_=work.c.chunks_rejected),
            notes=case((work.c.deletes, None), else_=work.c.notes),
            title=case((work.c.title != "", work.c.title), else_=document.c.title),
            updated_at=clock(),
        )
    )
    removed = and_(work.c.deletes, document.c.active_generation == work.c.generation).label("removed")
    query = select(document.c.id, document.c.active_generation, document.c.generation, removed).join(work, source)
    rows = connection.execute(query).all()
    if gone := [row.id for row in rows if row.removed]:
        connection.execute(delete(claim).where(claim.c.leaving, among(connection, claim.c.document_id, gone)))
    return {row.id: Standing(row.active_generation, row.generation) for row in rows}


def find_settled_versions(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The active version of each of `ids` of which no other is wanted and that no dead repair left broken."""
    query = select(document.c.id, document.c.active_version).where(
        among(connection, document.c.id, ids), document.c.active_version == document.c.wanted_version, ~_is_broken()
    )
    return {row.id: row.active_version for row in connection.execute(query)}


def find_active_versions(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The active version of each of `ids` that readers may see."""
    query = select(document.c.id, document.c.active_version).where(
        among(connection, document.c.id, ids), document.c.active_version.is_not(None)
    )
    return {row.id: row.active_version for row in connection.execute(query)}


def find_active_editions(connection: Connection, ids: Sequence[str]) -> dict[str, Edition]:
    """The edition of each of `ids` that readers may see."""
    columns = (document.c.id, document.c.active_version, document.c.active_generation)
    query = select(*columns).where(among(connection, document.c.id, ids), document.c.active_version.is_not(None))
    return {row.id: Edition(row.active_version, row.active_generation) for row in connection.execute(query)}


def count_known_documents(connection: Connection, collection_id: int, ids: Sequence[str]) -> int:
    """How many of `ids` are documents of a collection, indexed or not."""
    query = select(func.count()).where(document.c.collection_id == collection_id, among(connection, document.c.id, ids))
    return int(connection.execute(query).scalar_one())


def find_active_generations(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The generation of each of `ids` that was switched to last, be it a removal: none below will ever be seen."""
    query = select(document.c.id, document.c.active_generation).where(among(connection, document.c.id, ids))
    return {row.id: row.active_generation for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the tracker claims of one document."""

    id: str
    uri: str
    version: str
    generation: int
    indexed: int
    chunks_ref: str | None
    rejections_ref: str | None
    title: str

    @property
    def edition(self) -> Edition:
        """What readers see of it."""
        return Edition(self.version, self.generation)


def _select_tracked(collection_id: int) -> Select[Any]:
    return select(
        document.c.id,
        document.c.uri,
        document.c.active_version.label("version"),
        document.c.active_generation.label("generation"),
        (document.c.chunks_expected - document.c.chunks_rejected).label("indexed"),
        document.c.chunks_ref,
        document.c.rejections_ref,
        document.c.title,
    ).where(document.c.collection_id == collection_id, document.c.active_version.is_not(None))


def list_tracked(
    connection: Connection, collection_id: int, *, page: int = 2000, after: str = ""
) -> Iterator[list[Tracked]]:
    """Every document that readers see, in pages by id, of those `after` an id."""
    last = after
    while True:
        query = _select_tracked(collection_id).where(document.c.id > last).order_by(document.c.id).limit(page)
        rows = connection.execute(query).mappings()
        found = [Tracked(**row) for row in rows]
        if not found:
            return
        yield found
        last = found[-1].id


def walk_tracked(database: Database, collection_id: int, *, page: int = 500) -> Iterator[list[Tracked]]:
    """The same, with no transaction open while the caller is at work on a page."""
    found: list[Tracked] = []

    def read(connection: Connection) -> list[Tracked]:
        after = found[-1].id if found else ""
        return next(list_tracked(connection, collection_id, page=page, after=after), [])

    while found := database.query(read):
        yield found


def find_tracked(connection: Connection, collection_id: int, ids: Sequence[str]) -> dict[str, Tracked]:
    """What the tracker claims of those of `ids` that readers see."""
    query = _select_tracked(collection_id).where(among(connection, document.c.id, ids))
    return {row["id"]: Tracked(**row) for row in connection.execute(query).mappings()}


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Work on a document that is not over: the generations that may still be switched to, as after a replay.

    `is_indexing` says whether some of it may be writing or removing rows.
    """

    generations: frozenset[int]
    is_indexing: bool


def find_unsettled(connection: Connection, collection_id: int, ids: Sequence[str]) -> dict[str, Unsettled]:
    """What may still change the rows of documents among `ids`."""
    is_open = and_(dead_letter.c.work_id == work.c.id, dead_letter.c.resolved_at.is_(None))
    may_be_replayed = and_(work.c.state == State.DEAD, exists().where(is_open))
    indexing = and_(or_(work.c.state == State.RUNNING, work.c.stage == stages.last()), work.c.finished_at.is_(None))
    query = (
        select(work.c.document_id, work.c.generation, indexing.label("indexing"))
        .join_from(work, document)
        .where(document.c.collection_id == collection_id, among(connection, work.c.document_id, ids))
        .where(or_(work.c.finished_at.is_(None), may_be_replayed))
    )
    rows = connection.execute(query).all()
    return {
        id: Unsettled(
            frozenset(row.generation for row in rows if row.document_id == id),
            any(row.indexing for row in rows if row.document_id == id),
        )
        for id in {row.document_id for row in rows}
    }


def leave_behind(connection: Connection, generations: Mapping[str, int]) -> None:
    """See that no later submission of a document is given one of its generations up to the one named."""
    rows = [{"row": id, "reached": generation} for id, generation in generations.items()]
    if rows:
        connection.execute(
            update(document)
            .where(document.c.id == bindparam("row"), document.c.generation < bindparam("reached"))
            .values(generation=bindparam("reached")),
            rows,
        )


def list_referenced_objects(connection: Connection) -> set[str]:
    """Objects that an active version or any work that may still run or be replayed refers to."""
    head = func.substr
    active = [select(head(c, 1, 64)).where(c.is_not(None)) for c in (document.c.chunks_ref, document.c.rejections_ref)]
    kept = work.c.state.not_in((State.COMPLETED, State.CANCELLED))
    pending = [
        select(head(c, 1, 64)).where(kept, c.is_not(None))
        for c in (work.c.chunks_ref, work.c.rejections_ref, work.c.origin["ref"].as_string())
    ]
    return set(connection.execute(union(*active, *pending)).scalars())


def has_settings(connection: Connection, collection_id: int, settings_hash: str) -> bool:
    """Whether any document of a collection is indexed as these settings shaped it."""
    query = select(document.c.id).where(
        document.c.collection_id == collection_id,
        document.c.settings_hash == settings_hash,
        document.c.active_version.is_not(None),
    )
    return connection.execute(query.limit(1)).first() is not None
