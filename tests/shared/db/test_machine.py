"""Random walks over everything that may happen to work, held against what must be true at every moment."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import update

from embedmill.shared import stages
from embedmill.shared.db import tallies
from embedmill.shared.db.dead_letters import discard_letters
from embedmill.shared.db.engine import Database
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.replays import replay_letters
from embedmill.shared.db.schema import attempt, dead_letter, document, tally, work
from embedmill.shared.errors import BlobMissing, UnreadableDocument
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park, Return
from embedmill.shared.states import FINAL, JobState, Result, State
from tests.migrated import place_migrated
from tests.services import postgres
from tests.shared.db.conftest import empty
from tests.shared.db.tracker import Tracker

DOCUMENTS = 6
# Longer than any wait that a walk may cause.
PASSED_SECONDS = 1000.0
NEXT = {"chunk": "validate", "validate": "embed", "embed": "index", "index": "index"}
CHANGES: dict[str, dict[str, Any]] = {
    "chunk": {"chunks_expected": 3, "chunks_rejected": 0, "notes": "page 2 holds no text"},
    "validate": {"chunks_rejected": 1},
    "embed": {"chunks_embedded": 2},
    "index": {},
}
KINDS = ("ok", "ok", "ok", "permanent", "transient", "blob", "park", "return")


def outcome(kind: str, stage: str) -> Outcome:
    match kind:
        case "ok":
            return Complete(Result.INDEXED) if stage == "index" else Advance(NEXT[stage], CHANGES[stage])
        case "permanent":
            return Fail(UnreadableDocument("torn"))
        case "transient":
            return Fail(RuntimeError("odd"))
        case "blob":
            return Fail(BlobMissing("gone"))
        case "park":
            return Park("rate", -1.0)
    return Return()


class WorkMachine(RuleBasedStateMachine):
    """One job's work under dispatchers, workers, zombies, rescuers and operators."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._database = self.open()
        self.tracker = Tracker(self._database)
        self.live: list[Lease] = []
        self.lost: list[Lease] = []
        self.epochs: Counter[int] = Counter()

    def open(self) -> Database:
        """An empty database."""
        path = Path(self._folder.name) / "tracking.db"
        place_migrated(path)
        return open_database(f"sqlite:///{path}")

    def teardown(self) -> None:
        self._database.close()
        self._folder.cleanup()

    @initialize()
    def submit(self) -> None:
        self.tracker.submit([f"file:///{n}" for n in range(DOCUMENTS)], max_attempts=2)
        self.tracker.end_scan()

    @property
    def job_state(self) -> JobState:
        return self.tracker.get_job().state

    @rule(limit=st.integers(1, DOCUMENTS))
    def dispatch(self, limit: int) -> None:
        # What the dispatcher does: only jobs that run are asked for work. Every wait is over by then, whatever the
        # clock says, so that a walk does not depend on how quickly it is walked.
        with self._database.write() as connection:
            connection.execute(update(work).values(available_at=work.c.available_at - PASSED_SECONDS))
        if self.job_state is JobState.RUNNING:
            self.tracker.queue(limit=limit)

    @rule(stage=st.sampled_from(list(stages.names())), chosen=st.sets(st.integers(1, DOCUMENTS), min_size=1))
    def deliver(self, stage: str, chosen: set[int]) -> None:
        """Any message at any time: right, duplicate, late, of another stage."""
        before = {row["id"]: row for row in self.tracker.rows()}
        claim = self.tracker.claim(sorted(chosen), stage)
        for item in claim.items:
            assert item.id in chosen
            assert (before[item.id]["state"], before[item.id]["stage"]) == (State.QUEUED, stage)
        if claim.items:
            assert self.job_state is JobState.RUNNING
            self.live.append(claim)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        claim = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        kinds = data.draw(st.lists(st.sampled_from(KINDS), min_size=len(claim.items), max_size=len(claim.items)))
        outcomes = {item.id: outcome(kind, claim.stage) for item, kind in zip(claim.items, kinds, strict=True)}
        if claim.stage == "index":
            self.tracker.switch(claim)
        sent = self.tracker.settle(claim, outcomes)
        assert {id_ for ids in sent.values() for id_ in ids} <= {item.id for item in claim.items}
        self.lost.append(claim)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def rescue(self, data: st.DataObject) -> None:
        claim = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        data.draw(st.sampled_from([self.tracker.rescue, self.tracker.rescue_silent]))(claim)
        self.lost.append(claim)

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def wake_a_zombie(self, data: st.DataObject) -> None:
        """Whoever lost its lease, or settled already, comes back and says something: nothing changes."""
        claim = data.draw(st.sampled_from(self.lost))
        kind = data.draw(st.sampled_from(KINDS))
        before = self.everything()
        assert self.tracker.settle(claim, outcome(kind, claim.stage)) == {}
        assert self.tracker.switch(claim) == {}
        assert self.tracker.rescue(claim).returned == 0
        assert self.everything() == before

    @rule(function=st.sampled_from(["pause_job", "resume_job"]))
    def hold(self, function: str) -> None:
        if self.job_state is {"pause_job": JobState.RUNNING, "resume_job": JobState.PAUSED}[function]:
            self.tracker.control(function)

    @precondition(lambda self: self.job_state in (JobState.RUNNING, JobState.PAUSED))
    @rule(sure=st.integers(0, 5))
    def cancel(self, sure: int) -> None:
        if sure == 0:
            self.tracker.control("cancel_job")

    @rule(rate=st.sampled_from([None, 0.1, 1000.0]))
    def replay(self, rate: float | None) -> None:
        replay_letters(self._database, LetterFilter(), by="a test", rate=rate)

    @rule(sure=st.integers(0, 2))
    def discard(self, sure: int) -> None:
        if sure == 0:
            discard_letters(self._database, LetterFilter(), reason="not ours")

    @rule()
    def complete(self) -> None:
        if self.tracker.complete_jobs():
            assert set(self.tracker.states()) <= FINAL

    def everything(self) -> list[object]:
        return [self.tracker.rows(table) for table in (document, attempt, dead_letter)] + [self.tracker.rows()]

    @invariant()
    def submitted_is_the_sum_of_states(self) -> None:
        counts = self.tracker.progress()
        active = sum(n for states in counts.active.values() for n in states.values())
        ended = sum(counts.documents[k] for k in ("completed", "skipped", "dead", "cancelled"))
        assert len(self.tracker.rows()) in (0, DOCUMENTS)
        assert active + ended == counts.documents["total"] == len(self.tracker.rows())

    @rule()
    def add_up(self) -> None:
        with self._database.write() as connection:
            tallies.add_up_tallies(connection)

    @invariant()
    def counts_kept_by_triggers_are_those_of_the_rows(self) -> None:
        places: Counter[tuple[object, ...]] = Counter()
        for row in self.tracker.rows(tally):
            place = [row[f] for f in ("job_id", "stage", "state", "wait_reason", "result", "deletes")]
            for name in ("documents", "expected", "rejected", "embedded", "noted"):
                places[*place, name] += row[name]
        counted: Counter[tuple[object, ...]] = Counter()
        for row in self.tracker.rows():
            place = [row["job_id"], row["stage"], row["state"], row["wait_reason"] or "", row["result"] or ""]
            for name in ("documents", "expected", "rejected", "embedded"):
                counted[*place, row["deletes"], name] += 1 if name == "documents" else row[f"chunks_{name}"]
            counted[*place, row["deletes"], "noted"] += row["notes"] is not None
        assert {k: v for k, v in places.items() if v} == {k: v for k, v in counted.items() if v}

    @invariant()
    def what_runs_is_held_by_exactly_one_claim(self) -> None:
        running = {row["id"]: row["lease"] for row in self.tracker.rows() if row["state"] == State.RUNNING}
        held = {item.id: claim.token for claim in self.live for item in claim.items}
        assert running == held
        assert sum(len(claim.items) for claim in self.live) == len(held)

    @invariant()
    def final_work_has_an_end_and_other_work_has_none(self) -> None:
        for row in self.tracker.rows():
            assert (row["state"] in FINAL) == (row["finished_at"] is not None)
            assert 0 <= row["attempt"] <= row["max_attempts"]

    @invariant()
    def every_claim_that_ended_is_one_attempt(self) -> None:
        recorded = Counter((row["work_id"], row["epoch"]) for row in self.tracker.rows(attempt))
        assert set(recorded.values()) <= {1}
        for row in self.tracker.rows():
            ended = row["epoch"] - (row["state"] == State.RUNNING)
            assert sorted(epoch for id_, epoch in recorded if id_ == row["id"]) == list(range(1, ended + 1))

    @invariant()
    def epochs_never_shrink(self) -> None:
        for row in self.tracker.rows():
            assert row["epoch"] >= self.epochs[row["id"]]
            self.epochs[row["id"]] = row["epoch"]

    @invariant()
    def every_dead_document_has_one_open_letter(self) -> None:
        letters = Counter(row["work_id"] for row in self.tracker.rows(dead_letter) if row["resolved_at"] is None)
        assert letters == Counter(row["id"] for row in self.tracker.rows() if row["state"] == State.DEAD)

    @invariant()
    def a_job_that_ended_has_no_work_that_nobody_will_do(self) -> None:
        job = self.tracker.get_job()
        if job.state is JobState.COMPLETED:
            assert set(self.tracker.states()) <= FINAL
        if job.state is JobState.CANCELLED:
            assert set(self.tracker.states()) <= FINAL | {State.RUNNING}


WorkMachine.TestCase.settings = settings(
    max_examples=5, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWork = WorkMachine.TestCase


class WorkForLong(WorkMachine):
    """The same, walked until everything has met everything."""


WorkForLong.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWorkForLong = pytest.mark.chaos(WorkForLong.TestCase)


class WorkOnPostgres(WorkMachine):
    """The same on a server, with fewer walks, because emptying it takes its time."""

    url = ""

    def open(self) -> Database:
        """The server's database, emptied."""
        empty(self.url)
        return open_database(self.url)


@pytest.fixture(scope="module", autouse=True)
def server_for_walks(request: pytest.FixtureRequest) -> None:
    """Lead the walks to the session's server."""
    if postgres.why_not() is None:
        WorkOnPostgres.url = request.getfixturevalue("postgres_server").url


WorkOnPostgres.TestCase.settings = settings(
    max_examples=3, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWorkOnPostgres = pytest.mark.skipif(postgres.why_not() is not None, reason="no Postgres")(WorkOnPostgres.TestCase)
