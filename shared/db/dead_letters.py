"""Dead letters: grouped by root cause, found by filter, shown with their history and what became of them, discarded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from embedmill.shared import stages
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import attempt, collection, dead_letter, document, job, work
from embedmill.shared.db.transitions import lock_jobs, move_work
from embedmill.shared.errors import NotFound
from embedmill.shared.letters import RESOLUTIONS, DeadAtStage, LetterAttempt, LetterFilter, RootCause, SiblingLetter
from embedmill.shared.states import JobState, State

# Letters that one transaction may change: neither a worker nor a kill has to wait for more.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter as it is kept, with how its work, its document and its job stand now.

    `outcome` is what became of a replayed one, `next_letter` that of the same work which came after it, `superseded_by`
    the job that speaks for its document since. `size` is that of its text in tokens, as the submission guessed it.
    """

    id: int
    work_id: int
    job_id: int
    stage: str
    error_class: str
    error: str
    hint: str
    fingerprint: str
    attempts: int
    crashes: int
    code_version: str
    settings_hash: str | None
    index_version: int | None
    epoch: int | None
    created_at: float
    resolved_at: float | None
    resolution: str | None
    resolution_reason: str | None
    replay_id: int | None
    chunks_expected: int
    chunks_rejected: int
    chunks_ref: str | None
    rejections_ref: str | None
    size: int
    deletes: bool
    origin: Mapping[str, Any]
    content_hash: str
    max_attempts: int
    work_state: str
    work_stage: str
    is_superseded: bool
    uri: str
    document: str
    collection: str
    collection_id: int
    job_state: str
    outcome: str | None
    next_letter: int | None
    superseded_by: int | None

    @property
    def blobs(self) -> list[str]:
        """The stored objects of its chunks."""
        return [ref for ref in (self.chunks_ref, self.rejections_ref) if ref]


@dataclass(frozen=True, slots=True)
class LetterHistory:
    """A letter with every attempt at its work, and every letter of it."""

    letter: StoredLetter
    attempts: Sequence[LetterAttempt]
    letters: Sequence[SiblingLetter]


def conditions_of(wanted: LetterFilter) -> list[ColumnElement[bool]]:
    """What a dead letter has to meet; needs no other table beside it."""
    named = select(job.c.id).join_from(job, collection).where(collection.c.name == wanted.collection)
    found = [
        condition
        for value, condition in (
            (wanted.ids, dead_letter.c.id.in_(wanted.ids or ())),
            (wanted.job, dead_letter.c.job_id == wanted.job),
            (wanted.collection, dead_letter.c.job_id.in_(named.scalar_subquery())),
            (wanted.stage, dead_letter.c.stage == wanted.stage),
            (wanted.error_class, dead_letter.c.error_class == wanted.error_class),
            (wanted.fingerprint, dead_letter.c.fingerprint == wanted.fingerprint),
            (wanted.older_than, dead_letter.c.created_at <= clock() - (wanted.older_than or 0)),
            (wanted.newer_than, dead_letter.c.created_at >= clock() - (wanted.newer_than or 0)),
        )
        if value is not None
    ]
    return found if wanted.resolved else [*found, dead_letter.c.resolved_at.is_(None)]


def outcome_of_replay() -> ColumnElement[str | None]:
    """What became of a replayed letter: `completed`, `dead again`, `cancelled` or `running`."""
    replayed = dead_letter.c.resolution == "replayed"
    return case(
        (~replayed, None),
        (_next_letter().is_not(None), "dead again"),
        (work.c.state == State.COMPLETED, "completed"),
        (work.c.state == State.CANCELLED, "cancelled"),
        (replayed, "running"),
    )


def _next_letter() -> Any:
    later = dead_letter.alias("later")
    query = select(func.min(later.c.id)).where(later.c.work_id == dead_letter.c.work_id, later.c.id > dead_letter.c.id)
    return query.scalar_subquery()


def _later_job() -> Any:
    """The job whose work speaks for a superseded letter's document since: the next one, or its own."""
    later = work.alias("later_work")
    query = select(later.c.job_id).where(
        later.c.document_id == work.c.document_id, later.c.generation > work.c.generation
    )
    return func.coalesce(query.order_by(later.c.generation).limit(1).scalar_subquery(), dead_letter.c.job_id)


def _select() -> Any:
    names = "chunks_expected chunks_rejected chunks_ref rejections_ref size deletes origin content_hash max_attempts"
    return (
        select(
            dead_letter,
            *(work.c[name] for name in names.split()),
            work.c.state.label("work_state"),
            work.c.stage.label("work_stage"),
            (work.c.generation < document.c.generation).label("is_superseded"),
            document.c.uri,
            document.c.id.label("document"),
            collection.c.name.label("collection"),
            collection.c.id.label("collection_id"),
            job.c.state.label("job_state"),
            outcome_of_replay().label("outcome"),
            case((dead_letter.c.resolution == "replayed", _next_letter())).label("next_letter"),
            case((dead_letter.c.resolution == "superseded", func.coalesce(_later_job(), job.c.id))).label(
                "superseded_by"
            ),
        )
        .join_from(dead_letter, work)
        .join(job, job.c.id == dead_letter.c.job_id)
        .join(document, document.c.id == work.c.document_id)
        .join(collection, collection.c.id == document.c.collection_id)
    )


def list_letters(
    connection: Connection, wanted: LetterFilter, *, limit: int = 100, before: int | None = None
) -> list[StoredLetter]:
    """Dead letters, newest first; the next page is `before` the last id of this one."""
    # The page is chosen first: everything else is looked up for its letters only, whatever the planner believes.
    page = select(dead_letter.c.id).where(*conditions_of(wanted)).order_by(dead_letter.c.id.desc()).limit(limit)
    if before is not None:
        page = page.where(dead_letter.c.id < before)
    chosen = page.subquery("page")
    query = _select().join(chosen, chosen.c.id == dead_letter.c.id).order_by(dead_letter.c.id.desc())
    return [StoredLetter(**row._mapping) for row in connection.execute(query)]


def count_letters(connection: Connection, wanted: LetterFilter) -> int:
    """How many dead letters match."""
    query = select(func.count()).select_from(dead_letter).where(*conditions_of(wanted))
    return connection.execute(query).scalar_one()


def group_letters(connection: Connection, wanted: LetterFilter, *, limit: int = 100) -> list[RootCause]:
    """Matching dead letters by root cause, the most frequent first, each with its newest open letter as an example."""
    count = func.count().label("count")
    is_open = dead_letter.c.resolution.is_(None)
    newest_open = func.max(case((is_open, dead_letter.c.id)))
    groups = connection.execute(
        select(
            dead_letter.c.fingerprint,
            count,
            func.count(dead_letter.c.job_id.distinct()).label("jobs"),
            func.min(dead_letter.c.created_at).label("first_seen"),
            func.max(dead_letter.c.created_at).label("last_seen"),
            func.coalesce(newest_open, func.max(dead_letter.c.id)).label("example"),
            func.count(case((is_open, 1))).label("open"),
            *(func.count(case((dead_letter.c.resolution == name, 1))).label(name) for name in RESOLUTIONS),
        )
        .where(*conditions_of(wanted))
        .group_by(dead_letter.c.fingerprint)
        .order_by(count.desc(), dead_letter.c.fingerprint)
        .limit(limit)
    ).mappings()
    found = [dict(group) for group in groups]
    examples = _find_examples(connection, [group["example"] for group in found])
    return [RootCause(**group, **examples[group["example"]]) for group in found]


def _find_examples(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    query = (
        select(
            dead_letter.c.id,
            dead_letter.c.stage,
            dead_letter.c.error_class,
            dead_letter.c.error,
            dead_letter.c.hint,
            dead_letter.c.resolution,
            dead_letter.c.resolution_reason,
            document.c.uri,
        )
        .join_from(dead_letter, work)
        .join(document, document.c.id == work.c.document_id)
        .where(dead_letter.c.id.in_(ids))
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return {row.pop("id"): row for row in rows}


def measure_work(connection: Connection, wanted: LetterFilter) -> list[DeadAtStage]:
    """Documents and the size of their text in tokens, by stage: what sending them again is about."""
    query = (
        select(
            dead_letter.c.stage,
            func.count().label("documents"),
            func.coalesce(func.sum(work.c.size), 0).label("tokens"),
        )
        .join_from(dead_letter, work)
        .where(*conditions_of(wanted))
        .group_by(dead_letter.c.stage)
    )
    found = {row.stage: DeadAtStage(row.stage, row.documents, int(row.tokens)) for row in connection.execute(query)}
    return sorted(found.values(), key=lambda each: stages.place(each.stage))


def show_letter(connection: Connection, letter_id: int) -> LetterHistory:
    """One dead letter with every attempt and every other letter of its document's work; raises NotFound."""
    rows = list_letters(connection, LetterFilter(ids=[letter_id], resolved=True), limit=1)
    if not rows:
        raise NotFound(f"no dead letter {letter_id}", hint="embedmill dlq list --resolved")
    (found,) = _with_histories(connection, rows)
    return found


def walk_letters(database: Database, wanted: LetterFilter, *, page: int = CHUNK) -> Iterator[list[LetterHistory]]:
    """Every matching dead letter as `show_letter` gives it, newest first, a page at a time.

    No transaction is open while the caller is at work on a page: a server would end it for being idle.
    """
    found: list[LetterHistory] = []

    def read(connection: Connection) -> list[LetterHistory]:
        before = found[-1].letter.id if found else None
        return _with_histories(connection, list_letters(connection, wanted, limit=page, before=before))

    while found := database.query(read):
        yield found


def _with_histories(connection: Connection, letters: Sequence[StoredLetter]) -> list[LetterHistory]:
    works = sorted({letter.work_id for letter in letters})
    attempts = _read_attempts(connection, works)
    siblings = _read_siblings(connection, works)
    return [
        LetterHistory(letter, attempts.get(letter.work_id, []), siblings.get(letter.work_id, [])) for letter in letters
    ]


def _read_attempts(connection: Connection, works: Sequence[int]) -> dict[int, list[LetterAttempt]]:
    columns = "stage epoch attempt worker started_at ended_at outcome error_class error"
    seconds = (attempt.c.ended_at - attempt.c.started_at).label("seconds")
    query = select(attempt.c.work_id, *(attempt.c[name] for name in columns.split()), seconds)
    query = query.where(attempt.c.work_id.in_(works)).order_by(attempt.c.work_id, attempt.c.epoch)
    found: dict[int, list[LetterAttempt]] = {}
    for work_id, *values in connection.execute(query):
        found.setdefault(work_id, []).append(LetterAttempt(*values))
    return found


def _read_siblings(connection: Connection, works: Sequence[int]) -> dict[int, list[SiblingLetter]]:
    columns = "id stage error_class created_at resolution replay_id"
    query = select(
        dead_letter.c.work_id, *(dead_letter.c[name] for name in columns.split()), outcome_of_replay().label("outcome")
    )
    query = query.join_from(dead_letter, work).where(dead_letter.c.work_id.in_(works)).order_by(dead_letter.c.id)
    found: dict[int, list[SiblingLetter]] = {}
    for work_id, *values in connection.execute(query):
        found.setdefault(work_id, []).append(SiblingLetter(*values))
    return found


def discard_letters(database: Database, wanted: LetterFilter, *, reason: str) -> list[int]:
    """Give matching dead letters up, for a reason, in bounded transactions; returns them."""
    discarded: list[int] = []

    def discard_some(connection: Connection) -> Locked | None:
        found = lock_letters(connection, wanted, after=after)
        if found is not None:
            resolve(connection, [row.id for row in found.rows], resolution="discarded", resolution_reason=reason)
            works = [row.work_id for row in found.rows]
            leave_dead(connection, works, State.CANCELLED, reason=f"discarded: {reason}")
        return found

    after = 0
    while found := database.transact(discard_some):
        after = found.last
        discarded += [row.id for row in found.rows]
    return discarded


CANCELLED_JOB, SUBMITTED_AGAIN = "job cancelled", "submitted again"


def hindrance() -> ColumnElement[str | None]:
    """What keeps an open letter from being sent again, beside the two above the state of its work; NULL for nothing."""
    return case(
        (job.c.state == JobState.CANCELLED, CANCELLED_JOB),
        (work.c.generation < document.c.generation, SUBMITTED_AGAIN),
        (work.c.state != State.DEAD, work.c.state),
    )


@dataclass(frozen=True, slots=True)
class Locked:
    """Some letters that nobody has resolved, by id, with what decides about sending them again; `last` was looked at.

    `jobs` has the states of their jobs, which stay as they are until this transaction ends.
    """

    last: int
    rows: Sequence[Any]
    jobs: Mapping[int, JobState]


def lock_letters(
    connection: Connection, wanted: LetterFilter, *, after: int, newest: int | None = None
) -> Locked | None:
    """The next letters of at most `CHUNK` matching ones that nobody else is at, with their jobs; None at the end."""
    chosen = (
        select(dead_letter.c.id, dead_letter.c.job_id)
        .where(*conditions_of(wanted), dead_letter.c.resolved_at.is_(None), dead_letter.c.id > after)
        .order_by(dead_letter.c.id)
        .limit(CHUNK)
    )
    if newest is not None:
        chosen = chosen.where(dead_letter.c.id <= newest)
    found = connection.execute(chosen).all()
    if not found:
        return None
    jobs = lock_jobs(connection, [row.job_id for row in found])
    query = (
        select(
            dead_letter.c.id,
            dead_letter.c.work_id,
            dead_letter.c.job_id,
            hindrance().label("hindrance"),
        )
        .join_from(dead_letter, work)
        .join(job, job.c.id == dead_letter.c.job_id)
        .join(document, document.c.id == work.c.document_id)
        .where(dead_letter.c.id.in_([row.id for row in found]), dead_letter.c.resolved_at.is_(None))
        .order_by(dead_letter.c.id)
        .with_for_update(of=dead_letter, skip_locked=True)
    )
    return Locked(found[-1].id, connection.execute(query).all(), jobs)


def resolve(connection: Connection, ids: Sequence[int], **values: Any) -> None:
    """Close letters that are open."""
    if ids:
        query = update(dead_letter).where(dead_letter.c.id.in_(ids), dead_letter.c.resolved_at.is_(None))
        connection.execute(query.values(resolved_at=clock(), **values))


def leave_dead(connection: Connection, works: Sequence[int], target: State, **values: Any) -> None:
    """Move work out of `dead`."""
    if works:
        connection.execute(move_work(target, of=[State.DEAD], **values).where(work.c.id.in_(works)))
