"""Submission of documents in batches: those that are new or changed get work, and those that leave a removal."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Ids
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    exists,
    func,
    select,
    update,
)

from embedmill.shared import stages
from embedmill.shared.access.labels import Labels, labelled
from embedmill.shared.addresses import digest, version_id
from embedmill.shared.db.bulk import among, each_of, upsert_each
from embedmill.shared.db.clock import clock
from embedmill.shared.db.dead_before import find_dead_before
from embedmill.shared.db.documents import is_broken
from embedmill.shared.db.running import SUBMITTED_AGAIN
from embedmill.shared.db.schema import dead_letter, document, job, work
from embedmill.shared.db.submission import Submission
from embedmill.shared.db.tombstones import Barred
from embedmill.shared.db.transitions import begin_work
from embedmill.shared.states import State

# Made once, as each batch asks.
_done = work.alias("done")


def version_of_state(state: str, settings_hash: str) -> str:
    """The version that is wanted of a document while its content is not known."""
    return version_id(digest("state", state, length=64), settings_hash)


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """How many documents of a batch need work and how many are as they were; letters of those that died as before."""

    queued: int
    unchanged: int
    dead_before: Sequence[int] = ()


class TextWanted(Exception):
    """A row has to be read by a worker and its text was not stored: it looked unchanged a moment ago."""


class WereErased(Exception):
    """Some of the documents were erased: why each stays out, by id. Their texts may be stored with the others'."""

    def __init__(self, barred: Mapping[str, Barred]) -> None:
        super().__init__(f"{len(barred)} documents were erased")
        self.barred = barred


FindErased = Callable[[Connection, Sequence[Submission]], Mapping[str, Barred]]
"""Which of some submissions are of documents that were erased, by id."""


def find_none(_connection: Connection, _submissions: Sequence[Submission]) -> Mapping[str, Barred]:
    """Nothing was ever erased."""
    return {}


def submit_batch(
    connection: Connection,
    submissions: Sequence[Submission],
    *,
    job_id: int,
    collection_id: int,
    max_attempts: int,
    counted: Ids[str] = frozenset(),
    passes_over_dead: bool = True,
    find_erased: FindErased = find_none,
) -> SubmittedBatch:
    """Record a batch of documents seen by a job; those that are new or changed get work, and their rows are held.

    A document is unchanged when readers see the version that is wanted last: one whose removal waits is not, nor one
    that another version is on its way for, nor one whose repair died. Repeating a batch changes nothing. `counted` are
    documents that the job has met before, which are not counted as unchanged again. What died and has not changed since
    is left as it is, unless it is not to be passed over. Raises TextWanted, WereErased.
    """
    known = _hold_known(connection, job_id, [s.document_id for s in submissions])
    by_id = {s.document_id: _as_read(s, known.get(s.document_id)) for s in submissions}
    if erased := find_erased(connection, list(by_id.values())):
        raise WereErased(erased)
    tried = {id_: by_id[id_] for id_, row in known.items() if _may_be_dead(by_id[id_], row)}
    dead = find_dead_before(connection, tried) if tried and passes_over_dead else {}
    revived = _find_dead(connection, job_id, list(known)) if known and not passes_over_dead else set()
    changed = [s for id_, s in by_id.items() if id_ not in dead and _needs_work(s, known.get(id_), revived)]
    if any(s.is_held and s.origin.get("ref") is None for s in changed):
        raise TextWanted
    if changed:
        generations = _want(connection, changed, known, collection_id=collection_id)
        again = [s.document_id for s in changed if s.document_id in known and known[s.document_id].has_letters]
        _supersede_letters(connection, again, SUBMITTED_AGAIN)
        rows = [_work_row(s, generations[s.document_id]) for s in changed]
        begin_work(connection, rows, job_id=job_id, max_attempts=max_attempts, deletes=False, stage=stages.first())
    passed_over = known.keys() - dead.keys() - {s.document_id for s in changed} - set(counted)
    unchanged = sum(known[id_].done_version is None for id_ in passed_over)
    if unchanged:
        connection.execute(update(job).where(job.c.id == job_id).values(unchanged=job.c.unchanged + unchanged))
    return SubmittedBatch(len(changed), unchanged, [letter for id_, letter in dead.items() if id_ not in counted])


def _hold_known(connection: Connection, job_id: int, ids: Sequence[str]) -> dict[str, Any]:
    """What is known of documents, held in the order of their ids: two that submit the same do not wait in a circle.

    They are held before they are judged, because a removal may be submitted or carried out at this moment.
    """
    in_job = and_(_done.c.document_id == document.c.id, _done.c.job_id == job_id)
    query = select(
        document.c.id,
        document.c.generation,
        document.c.active_generation,
        document.c.active_version,
        document.c.wanted_version,
        document.c.content_hash,
        document.c.source_state,
        select(_done.c.generation).where(in_job).scalar_subquery().label("done_generation"),
        select(_done.c.source_state).where(in_job).scalar_subquery().label("done_state"),
        select(_done.c.version).where(in_job).scalar_subquery().label("done_version"),
        select(_done.c.deletes).where(in_job).scalar_subquery().label("done_deletes"),
        is_broken().label("is_broken"),
        # Of any document: asked once, and mostly there is none.
        exists(select(dead_letter.c.id).where(dead_letter.c.resolved_at.is_(None))).label("has_letters"),
    ).with_for_update(of=document, key_share=True)
    return {row.id: row for row in connection.execute(each_of(connection, query, document.c.id, sorted(ids)))}


def _as_read(submission: Submission, known: Any) -> Submission:
    """What is known by its state only, with the content that readers see of it if that was read under this state."""
    if submission.content_hash or known is None or known.source_state != submission.state:
        return submission
    known_by = labelled(submission.settings_hash, Labels.of_origin(submission.origin))
    version = version_id(known.content_hash or "", known_by)
    if not version == known.active_version == known.wanted_version:
        return submission
    return replace(submission, content_hash=known.content_hash, version=version)


def _may_be_dead(submission: Submission, known: Any) -> bool:
    """Whether other jobs may have tried what is submitted of a document in vain.

    Readers do not see what was made of it last, or it was something else before that.
    """
    if known.done_version is not None:
        return False
    return known.generation > known.active_generation or (known.generation > 1 and _needs_work(submission, known))


def _find_dead(connection: Connection, job_id: int, ids: Sequence[str]) -> set[str]:
    """Documents that died in this very job, whatever became of their letters."""
    query = select(work.c.document_id).where(work.c.job_id == job_id, among(connection, work.c.document_id, ids))
    return set(connection.execute(query.where(work.c.state.in_((State.DEAD, State.CANCELLED)))).scalars())


def _needs_work(submission: Submission, known: Any, revived: Ids[str] = ()) -> bool:
    if known is None:
        return True
    wanted = known.wanted_version == submission.version
    if wanted and known.active_version == submission.version and not known.is_broken:
        return False
    is_done = _is_done(submission, known) and not known.done_deletes and known.id not in revived
    return not (wanted and is_done)


def _is_done(submission: Submission, known: Any) -> bool:
    """Whether the job has work that makes just this of a document; by its state, until its content was read."""
    if submission.content_hash:
        return bool(known.done_version == submission.version)
    return bool(known.done_generation == known.generation and known.done_state == submission.state)


def _want(
    connection: Connection, submissions: Sequence[Submission], known: Mapping[str, Any], *, collection_id: int
) -> dict[str, int]:
    """Want these versions of documents, of which those that are known are held; returns the generation of each."""
    rows = [
        {"id": s.document_id, "uri": s.uri, "title": s.title, "wanted_version": s.version}
        for s in sorted(submissions, key=lambda s: s.document_id)
    ]
    generations = {
        s.document_id: known[s.document_id].generation + 1 if s.document_id in known else 1 for s in submissions
    }
    # On a server, another may have submitted the same for the first time at this moment.
    may_race = connection.dialect.name != "sqlite" and not generations.keys() <= known.keys()
    wanted = upsert_each(
        connection,
        document,
        rows,
        keys=("id",),
        kept=("collection_id", "uri", "title", "updated_at"),
        anew={"generation": document.c.generation + 1},
        returning=(document.c.id, document.c.generation) if may_race else (),
        collection_id=collection_id,
        generation=1,
        updated_at=clock(),
    )
    return generations | {row.id: row.generation for row in wanted}


def _supersede_letters(connection: Connection, ids: Sequence[str], why: str) -> None:
    """A document that is submitted again leaves its old dead letters behind: the new work speaks for it."""
    if ids:
        dead = select(work.c.id).where(among(connection, work.c.document_id, ids), work.c.state == State.DEAD)
        connection.execute(
            update(dead_letter)
            .where(dead_letter.c.work_id.in_(dead.scalar_subquery()), dead_letter.c.resolved_at.is_(None))
            .values(resolved_at=clock(), resolution="superseded", resolution_reason=why)
        )


def _work_row(submission: Submission, generation: int) -> dict[str, Any]:
    return {
        "document_id": submission.document_id,
        "generation": generation,
        "size": submission.size,
        "content_hash": submission.content_hash,
        "source_state": submission.state or None,
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
        source_state=None,
        settings_hash="",
        version="",
        origin={},
        title="",
    )


def count_kept(connection: Connection, ids: Sequence[str], *, job_id: int) -> None:
    """Documents that are as they were, without having been read, are unchanged, unless the job has work for them."""
    done = exists().where(work.c.document_id == document.c.id, work.c.job_id == job_id)
    query = select(func.count()).where(among(connection, document.c.id, ids), ~done)
    count = connection.execute(query).scalar_one()
    connection.execute(update(job).where(job.c.id == job_id).values(unchanged=job.c.unchanged + count))
