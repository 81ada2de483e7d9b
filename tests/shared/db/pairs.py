"""Two operations on one job, the first held just before one of its statements or its commit while the second comes."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select, text

from embedmill.shared.db import bulk_waits, jobs, leases, queueing, rescues, settlement
from embedmill.shared.db.clock import clock
from embedmill.shared.db.dead_letters import discard_letters
from embedmill.shared.db.engine import Database
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.replays import replay_letters
from embedmill.shared.db.schema import dead_letter, document, tally
from embedmill.shared.db.schema import work as work_table
from embedmill.shared.errors import IllegalTransition, UnreadableDocument
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park, Return
from embedmill.shared.states import FINAL, JobState, Result, State, WaitReason
from tests.shared.db.tracker import RETRY, Tracker
from tests.waiting import wait_until

COMMIT = -1
DEADLINE_SECONDS = 60.0


class HeldDatabase(Database):
    """A database whose next transaction stops once, before a statement by its number or before its commit."""

    def hold(self, at: int) -> None:
        """Prepare for one operation."""
        self.at, self.seen, self.reached, self.gate = at, 0, Event(), Event()

    def _stop(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.gate.wait(DEADLINE_SECONDS)

    def _count(self, _session: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        # Nobody comes between the statements of a transaction of SQLite; between two transactions they do.
        divides = statement.startswith("BEGIN") if self.is_sqlite else "receipt" not in statement
        if divides and self.__dict__.get("at", COMMIT) != COMMIT:
            if self.seen == self.at:
                self._stop()
            self.seen += 1

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is held before it commits, if that was asked for."""
        with super().write() as connection:
            yield connection
            if self.__dict__.get("at", 0) == COMMIT:
                self._stop()


@dataclass
class Case:
    """A job in the middle of its life."""

    job: int
    queued: list[int]
    claim: Lease
    letters: list[int]


def make_case(tracker: Tracker, places: Sequence[str], *, state: JobState, scanned: bool = True) -> Case:
    """A job with one piece of work in each of the places, and a state."""

    def fill(connection: Connection) -> Case:
        job = jobs.create_job(
            connection, collection_id=tracker.collection.id, identity=uuid4().hex, sources=[], options={}
        )
        ids = {number: _add(connection, tracker, job, place, number) for number, place in enumerate(places)}
        by_place: dict[str, list[int]] = {}
        for number, place in enumerate(places):
            by_place.setdefault(place, []).append(ids[number])
        held = leases.claim(connection, "chunk", by_place.get("claimed", []), worker="w", lease_seconds=600.0)
        letters = [_bury(connection, job, id_) for id_ in by_place.get("dead", [])]
        if scanned:
            jobs.end_enumeration(connection, job, held_deletions=0)
        match state:
            case JobState.PAUSED:
                jobs.pause_job(connection, job)
            case JobState.COMPLETED:
                assert job in jobs.complete_jobs(connection)
            case JobState.CANCELLED:
                jobs.cancel_job(connection, job)
        return Case(job, by_place.get("queued", []), held, letters)

    return tracker.database.transact(fill)


_PLACES: dict[str, dict[str, Any]] = {
    "pending": {"state": State.PENDING},
    "queued": {"state": State.QUEUED, "dispatched_at": clock()},
    "claimed": {"state": State.QUEUED, "dispatched_at": clock()},
    "due": {"state": State.WAITING, "wait_reason": WaitReason.RETRY, "available_at": clock() - 1, "attempt": 1},
    "bulk": {"state": State.WAITING, "wait_reason": WaitReason.BULK, "stage": "embed"},
    "dead": {"state": State.DEAD, "finished_at": clock(), "attempt": 1},
    "done": {"state": State.COMPLETED, "result": Result.INDEXED, "finished_at": clock(), "stage": "index"},
}


def _add(connection: Connection, tracker: Tracker, job: int, place: str, number: int) -> int:
    id_ = f"{job:016d}{number:016d}"
    document_row = {"id": id_, "collection_id": tracker.collection.id, "uri": f"file:///{job}/{number}"}
    owners = {name: tracker.source if name == "source_id" else job for name in OWNERS}
    connection.execute(insert(document).values(**document_row, **owners, generation=1, updated_at=clock()))
    row = {"stage": "chunk", "version": "v", "content_hash": "", "settings_hash": "", "origin": {}, "size": 1}
    values = row | {"job_id": job, "document_id": id_, "generation": 1, "max_attempts": 3, "created_at": clock()}
    key = connection.execute(insert(work_table).values(values | _PLACES[place])).inserted_primary_key
    assert key is not None
    return int(key[0])


# Columns by which a document once knew its source.
OWNERS = tuple(name for name in ("source_id", "seen_job") if name in document.c)


def _bury(connection: Connection, job: int, id_: int) -> int:
    values = {"work_id": id_, "job_id": job, "stage": "chunk", "error_class": "UnreadableDocument", "error": "torn"}
    values |= {"hint": "", "fingerprint": "f", "attempts": 1, "crashes": 0, "code_version": "0", "created_at": clock()}
    key = connection.execute(insert(dead_letter).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


Operation = Callable[[Database, Case], object]


def _in_one(body: Callable[[Connection, Case], object]) -> Operation:
    return lambda database, case: database.transact(lambda connection: body(connection, case))


def _settle(outcome: Callable[[], Outcome]) -> Operation:
    def settle(connection: Connection, case: Case) -> None:
        settlement.settle(connection, case.claim, {i.id: outcome() for i in case.claim.items}, retry=RETRY)

    return _in_one(settle)


def _dispatch(database: Database, case: Case) -> None:
    if case.job in [found.id for found in database.query(queueing.list_dispatchable)]:
        database.transact(lambda connection: queueing.queue_ready(connection, case.job, limit=10))


OPERATIONS: dict[str, Operation] = {
    "replay": lambda database, case: replay_letters(database, LetterFilter(job=case.job), by="a test"),
    "replay slowly": lambda database, case: replay_letters(database, LetterFilter(job=case.job), by="a test", rate=0.1),
    "discard": lambda database, case: discard_letters(database, LetterFilter(job=case.job), reason="known"),
    "pause": _in_one(lambda c, case: jobs.pause_job(c, case.job)),
    "resume": _in_one(lambda c, case: jobs.resume_job(c, case.job)),
    "cancel": _in_one(lambda c, case: jobs.cancel_job(c, case.job)),
    "complete": _in_one(lambda c, case: jobs.complete_jobs(c)),
    "end the scan": _in_one(lambda c, case: jobs.end_enumeration(c, case.job, held_deletions=0)),
    "dispatch": _dispatch,
    "claim": _in_one(lambda c, case: leases.claim(c, "chunk", case.queued, worker="v", lease_seconds=600.0)),
    "advance": _settle(lambda: Advance("embed")),
    "finish": _settle(lambda: Complete(Result.INDEXED)),
    "die": _settle(lambda: Fail(UnreadableDocument("torn"))),
    "try later": _settle(lambda: Fail(RuntimeError("odd"))),
    "park": _settle(lambda: Park("bulk", None)),
    "give back": _settle(Return),
    "rescue": _in_one(lambda c, case: rescues.rescue(c, case.claim.token)),
    "take back": _in_one(lambda c, case: queueing.put_back(c, "chunk", case.queued)),
    "release": _in_one(lambda c, case: bulk_waits.wake_answered(c)),
}


@dataclass
class Run:
    """What two operations came to."""

    refused: list[str] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)
    was_reached: bool = False


def run_pair(held: HeldDatabase, other: Database, case: Case, names: tuple[str, str], *, at: int = COMMIT) -> Run:
    """The first operation is held where `at` says; the second runs to its end, or until it waits for the first."""
    done = Run()

    def carry_out(name: str, database: Database, ended: Event) -> None:
        try:
            OPERATIONS[name](database, case)
        except IllegalTransition as error:
            done.refused.append(f"{name}: {error}")
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            done.failed.append(error)
        finally:
            ended.set()

    held.hold(at)
    ends = Event(), Event()
    first = Thread(target=carry_out, args=(names[0], held, ends[0]))
    second = Thread(target=carry_out, args=(names[1], other, ends[1]))
    first.start()
    wait_until(lambda: held.reached.is_set() or ends[0].is_set(), f"{names[0]} is held or over", every=0.0005)
    done.was_reached = held.reached.is_set()
    second.start()
    # On SQLite whoever comes second waits for the whole transaction before its own begins.
    if not held.is_sqlite:
        wait_until(lambda: ends[1].is_set() or _waits(other), f"{names[1]} is over or waits", every=0.0005)
    held.gate.set()
    for thread in (first, second):
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive(), f"{names}: somebody waits for ever"
    return done


def _waits(database: Database) -> bool:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database._writer.connect() as connection:
        return bool(connection.execute(query).scalar())


def find_faults(tracker: Tracker, case: Case) -> list[str]:
    """What is not as it must be, whatever came first."""

    def look(connection: Connection) -> tuple[dict[int, State], list[Any]]:
        works = connection.execute(select(work_table).where(work_table.c.job_id == case.job)).all()
        letters = select(dead_letter).where(dead_letter.c.job_id == case.job).order_by(dead_letter.c.id)
        return {row.id: State(row.state) for row in works}, list(connection.execute(letters).all())

    return [*find_faults_of_job(tracker, case.job), *_faults_of_letters(*tracker.database.query(look))]


def find_faults_of_job(tracker: Tracker, job_id: int) -> list[str]:
    """What is wrong with a job's work and its counts."""

    def look(connection: Connection) -> tuple[list[Any], list[Any]]:
        works = connection.execute(select(work_table).where(work_table.c.job_id == job_id)).all()
        counted = connection.execute(select(tally).where(tally.c.job_id == job_id)).all()
        return list(works), list(counted)

    works, counted = tracker.database.query(look)
    states = {row.id: State(row.state) for row in works}
    return [*_faults_of_job(tracker.get_job(job_id), states), *_faults_of_counts(tracker, job_id, works, counted)]


def _faults_of_job(job: jobs.Job, states: dict[int, State]) -> Iterator[str]:
    open_ = {state for state in states.values() if state not in FINAL}
    if job.state in (JobState.COMPLETED, JobState.FAILED) and open_:
        yield f"a job that is {job.state} has work that is {open_}"
    if job.state is JobState.CANCELLED and open_ - {State.RUNNING}:
        yield f"a cancelled job has work that is {open_}"


def _faults_of_letters(states: dict[int, State], letters: Sequence[Any]) -> Iterator[str]:
    last = {letter.work_id: letter for letter in letters}
    unresolved = Counter(letter.work_id for letter in letters if letter.resolved_at is None)
    for id_, state in states.items():
        if unresolved[id_] != (state is State.DEAD):
            yield f"work that is {state} has {unresolved[id_]} open letters"
        resolution = last[id_].resolution if id_ in last else None
        if resolution == "discarded" and state is not State.CANCELLED:
            yield f"work whose letter was discarded is {state}"


def _faults_of_counts(tracker: Tracker, job_id: int, works: Sequence[Any], counted: Sequence[Any]) -> Iterator[str]:
    tallies: Counter[str] = Counter()
    for row in counted:
        tallies[row.state] += row.documents
    rows = Counter(row.state for row in works)
    if +tallies != rows:
        yield f"counted {dict(+tallies)}, there are {dict(rows)}"
    documents = tracker.progress(job_id).documents
    ended = sum(documents[name] for name in ("completed", "unchanged", "skipped", "dead", "cancelled"))
    # A removal is no document of the job until it dies.
    active = sum(1 for row in works if State(row.state) not in FINAL and not row.deletes)
    if ended + active != documents["total"]:
        yield f"counts do not add up: {documents}, {active} under way"
