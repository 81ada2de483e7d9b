"""Replays: dead letters sent again as a tracked batch, in bounded transactions, at a rate that the database keeps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, String, bindparam, cast, func, insert, literal, select, update

from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.dead_letters import (
    CANCELLED_JOB,
    SUBMITTED_AGAIN,
    StoredLetter,
    conditions_of,
    hindrance,
    leave_dead,
    list_letters,
    lock_letters,
    outcome_of_replay,
    resolve,
)
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import dead_letter, document, job, replay, work
from embedmill.shared.db.transitions import move_jobs, move_work
from embedmill.shared.durations import format_duration
from embedmill.shared.errors import NotFound
from embedmill.shared.letters import LetterFilter, Refusal, Replay
from embedmill.shared.states import JobState, State, WaitReason

# What becomes of replayed letters; `running` are those that have not ended yet.
OUTCOMES = ("completed", "dead again", "cancelled", "running")
ALTERED = "its document was submitted again; the newer work speaks for it"
LEFT_OUT = "the rest of the filter leaves it out"


@dataclass(slots=True)
class Replayed:
    """What a replay did: letters sent again, letters left alone, and the jobs that run again."""

    id: int | None = None
    letters: list[int] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    jobs: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Step:
    """One transaction of a replay."""

    last: int
    letters: list[int]
    refused: list[Refusal]
    jobs: set[int]


def replay_letters(database: Database, wanted: LetterFilter, *, by: str, rate: float | None = None) -> Replayed:
    """Send matching dead letters back to the stage that failed, with fresh attempts; their history stays.

    `rate` is in documents a second: the database holds each back until its turn, whoever called may leave. What was
    paid for is found by its content address. A replay that was cut short is taken up by asking for the same again.
    """
    done = Replayed()

    def begin(connection: Connection) -> tuple[list[Refusal], tuple[int, int] | None]:
        batch = _open(connection, wanted, by=by, rate=rate)
        refused = refuse_named(connection, wanted, batch=batch and batch[0])
        if batch:
            # What was left alone before is met, and counted, again.
            connection.execute(update(replay).where(replay.c.id == batch[0]).values(refused=len(refused)))
        return refused, batch

    refused, found = database.transact(begin)
    done.refused += refused
    if found is None:
        return done
    done.id, newest = found
    after = 0

    def go_on(connection: Connection) -> _Step | None:
        step = _replay_some(connection, found[0], wanted, after=after, newest=newest)
        if step is None:
            connection.execute(update(replay).where(replay.c.id == found[0]).values(finished_at=clock()))
        return step

    while step := database.transact(go_on):
        after = step.last
        done.letters += step.letters
        done.refused += step.refused
        done.jobs |= step.jobs
    return done


def _open(connection: Connection, wanted: LetterFilter, *, by: str, rate: float | None) -> tuple[int, int] | None:
    """The batch to go on with, unfinished or new, and its newest letter; None when nothing matches.

    Letters that come while it runs are not in it, or what dies again would be sent again for ever.
    """
    newest = connection.execute(select(func.max(dead_letter.c.id)).where(*conditions_of(wanted))).scalar()
    if newest is None:
        return None
    query = select(replay).where(replay.c.finished_at.is_(None)).order_by(replay.c.id)
    for row in connection.execute(query):
        if row.filter == wanted.as_json() and row.rate == rate:
            return row.id, newest
    values = {"filter": wanted.as_json(), "by": by, "rate": rate, "created_at": clock()}
    key = connection.execute(insert(replay).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0]), newest


def _replay_some(
    connection: Connection, replay_id: int, wanted: LetterFilter, *, after: int, newest: int
) -> _Step | None:
    found = lock_letters(connection, wanted, after=after, newest=newest)
    if found is None:
        return None
    sent = [row for row in found.rows if row.hindrance is None]
    refused = _refuse_hindered(found.rows)
    resolve(connection, [row.id for row in sent], resolution="replayed", replay_id=replay_id)
    _send(connection, replay_id, [row.work_id for row in sent])
    jobs = {row.job_id for row in sent}
    _run_again(connection, {job_id: found.jobs[job_id] for job_id in jobs})
    counts = {"count": replay.c.count + len(sent), "refused": replay.c.refused + len(refused)}
    connection.execute(update(replay).where(replay.c.id == replay_id).values(counts))
    return _Step(found.last, [row.id for row in sent], refused, jobs)


def _refuse_hindered(rows: Iterable[Any]) -> list[Refusal]:
    return [Refusal(row.id, _say_hindrance(row)) for row in rows if row.hindrance is not None]


def _say_hindrance(row: Any) -> str:
    if row.hindrance == CANCELLED_JOB:
        return f"its job {row.job_id} was cancelled; ingest the source again"
    return ALTERED if row.hindrance == SUBMITTED_AGAIN else f"its work is {row.hindrance}"


def find_refusals(connection: Connection, wanted: LetterFilter) -> tuple[list[Refusal], list[Refusal]]:
    """What a replay would leave alone: letters that were named and are not open, and open ones that match."""
    query = (
        select(dead_letter.c.id, dead_letter.c.job_id, hindrance().label("hindrance"))
        .join_from(dead_letter, work)
        .join(job, job.c.id == dead_letter.c.job_id)
        .join(document, document.c.id == work.c.document_id)
        .where(*conditions_of(wanted), hindrance().is_not(None))
        .order_by(dead_letter.c.id)
    )
    return refuse_named(connection, wanted), _refuse_hindered(connection.execute(query))


def refuse_named(connection: Connection, wanted: LetterFilter, *, batch: int | None = None) -> list[Refusal]:
    """Letters that were asked for by number and are not open, or left out by the rest of the filter.

    Those that an unfinished `batch` has sent already are its own.
    """
    ids = list(dict.fromkeys(wanted.ids or ()))
    if not ids:
        return []
    letters = list_letters(connection, LetterFilter(ids=ids, resolved=True), limit=len(ids))
    matching = set(connection.execute(select(dead_letter.c.id).where(*conditions_of(wanted))).scalars())
    reasons = dict.fromkeys(ids, "there is no such dead letter")
    now = read_clock(connection)
    reasons |= {letter.id: _how_resolved(letter, now) if letter.resolution else LEFT_OUT for letter in letters}
    own = {letter.id for letter in letters if batch is not None and letter.replay_id == batch}
    return [Refusal(id_, reason) for id_, reason in reasons.items() if id_ not in matching | own]


def _how_resolved(letter: StoredLetter, now: float) -> str:
    match letter.resolution:
        case "replayed":
            ago = format_duration(max(now - (letter.resolved_at or now), 0.0))
            return f"it was replayed already, {ago} ago by replay {letter.replay_id}: {_what_became(letter)}"
        case "superseded":
            return ALTERED
    return f"it was discarded: {letter.resolution_reason}"


def _what_became(letter: StoredLetter) -> str:
    """The end of a replayed letter, or where its work is."""
    if letter.outcome == "running":
        where = f"{letter.work_state} at {letter.work_stage}"
        return f"running, {where} in job {letter.job_id}: embedmill jobs show {letter.job_id}"
    return f"{letter.outcome} as letter {letter.next_letter}" if letter.next_letter else str(letter.outcome)


_FRESH: dict[str, Any] = {"attempt": 0, "crashes": 0, "failing_since": None, "reason": None}


def _send(connection: Connection, replay_id: int, works: Sequence[int]) -> None:
    batch = connection.execute(select(replay.c.rate, replay.c.next_at).where(replay.c.id == replay_id)).one()
    if batch.rate is None:
        leave_dead(connection, works, State.PENDING, **_FRESH, available_at=None, paced_seconds=None)
    elif works:
        _send_paced(connection, replay_id, works, rate=batch.rate, next_at=batch.next_at)


def _send_paced(
    connection: Connection, replay_id: int, works: Sequence[int], *, rate: float, next_at: float | None
) -> None:
    """Give each piece of work its turn, one after another from the end of the queue of this batch."""
    now = read_clock(connection)
    first = max(now, next_at or now)
    turns = [first + n / rate for n in range(len(works) + 1)]
    query = move_work(
        State.WAITING,
        of=[State.DEAD],
        **_FRESH,
        wait_reason=WaitReason.RATE,
        available_at=bindparam("turn"),
        paced_seconds=bindparam("delay"),
    )
    rows = [{"row": id_, "turn": turn, "delay": turn - now} for id_, turn in zip(works, turns, strict=False)]
    connection.execute(query.where(work.c.id == bindparam("row")), rows)
    connection.execute(update(replay).where(replay.c.id == replay_id).values(next_at=turns[-1]))


def _run_again(connection: Connection, states: Mapping[int, JobState]) -> None:
    ended = [job_id for job_id, state in states.items() if state in (JobState.COMPLETED, JobState.FAILED)]
    # A submission of the same sources may be open by now: a job that runs again is no longer taken up by one.
    identity = literal("replayed ") + cast(job.c.id, String(20))
    connection.execute(update(job).where(job.c.id.in_(ended)).values(identity=identity))
    move_jobs(connection, ended, JobState.RUNNING)


def list_replays(connection: Connection, *, limit: int = 100) -> list[Replay]:
    """Replays, newest first, each with what became of its letters."""
    return _with_outcomes(connection, connection.execute(select(replay).order_by(replay.c.id.desc()).limit(limit)))


def get_replay(connection: Connection, replay_id: int) -> Replay:
    """One replay with what became of its letters; raises NotFound."""
    found = _with_outcomes(connection, connection.execute(select(replay).where(replay.c.id == replay_id)))
    if not found:
        raise NotFound(f"no replay {replay_id}", hint="embedmill dlq replays")
    return found[0]


def _with_outcomes(connection: Connection, rows: Iterable[Any]) -> list[Replay]:
    replays = list(rows)
    outcome = outcome_of_replay().label("outcome")
    letters = (
        select(dead_letter.c.replay_id, outcome)
        .join_from(dead_letter, work)
        .where(dead_letter.c.replay_id.in_([row.id for row in replays]))
        .subquery()
    )
    query = select(letters, func.count().label("n")).group_by(letters.c.replay_id, letters.c.outcome)
    counts = {(row.replay_id, row.outcome): row.n for row in connection.execute(query)}
    return [
        Replay(**row._mapping, outcomes={name: counts.get((row.id, name), 0) for name in OUTCOMES}) for row in replays
    ]
