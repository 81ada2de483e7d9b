"""Random walks of scans that overlap, are taken over and come back, beside workers, zombies, operators and letters."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection

from embedmill.shared.db import jobs, scans
from embedmill.shared.db.dead_letters import discard_letters
from embedmill.shared.db.engine import Database
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.replays import replay_letters
from embedmill.shared.db.scans import Scan
from embedmill.shared.db.schema import claim as claim_table
from embedmill.shared.db.schema import dead_letter, document
from embedmill.shared.errors import IllegalTransition, ScanStopped, UnreadableDocument
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Complete, Fail, Outcome, Return
from embedmill.shared.states import JobState, Result, State
from tests.migrated import place_migrated
from tests.services import postgres
from tests.shared.db.conftest import empty
from tests.shared.db.pairs import find_faults_of_job
from tests.shared.db.tracker import Tracker

URIS = [f"file:///{n}" for n in range(3)]
SOURCES = ("folder", "other folder")
ENDS: dict[str, Callable[[], Outcome]] = {
    "index": lambda: Complete(Result.INDEXED),
    "die": lambda: Fail(UnreadableDocument("torn")),
    "give back": Return,
}
uris = st.sets(st.sampled_from(URIS))


class ScanMachine(RuleBasedStateMachine):
    """Two sources with the same documents, one job a source at a time, and all that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._database = self.open()
        self.tracker = Tracker(self._database)
        self.reading: list[Scan] = []
        self.gone: list[Scan] = []
        self.held: list[Lease] = []
        self.lost: list[Lease] = []

    def open(self) -> Database:
        """An empty database."""
        path = Path(self._folder.name) / "tracking.db"
        place_migrated(path)
        return open_database(f"sqlite:///{path}")

    def teardown(self) -> None:
        self._database.close()
        self._folder.cleanup()

    def jobs(self) -> list[jobs.Job]:
        return self._database.query(jobs.list_jobs)

    @rule(name=st.sampled_from(SOURCES))
    def begin(self, name: str) -> None:
        """Read a source for its open job or a new one; whoever read it for that job before is a zombie from now on."""

        def take_up(connection: Connection) -> Scan | None:
            id_ = self.tracker.collection.id
            found = jobs.open_job(connection, collection_id=id_, identity=name, sources=[], options={})
            if found.state is JobState.PAUSED:
                return None
            jobs.begin_enumeration(connection, found.id)
            source = scans.open_source(connection, collection_id=id_, identity=name, spec={"kind": "folder"}).id
            return scans.begin_scans(connection, found.id, [source])[0]

        scan = self._database.transact(take_up)
        if scan is not None:
            self.gone += [s for s in self.reading if s.job_id == scan.job_id]
            self.reading = [s for s in self.reading if s.job_id != scan.job_id] + [scan]

    @precondition(lambda self: self.reading)
    @rule(data=st.data(), met=uris, text=st.sampled_from(["one", "two"]))
    def meet(self, data: st.DataObject, met: set[str], text: str) -> None:
        scan = data.draw(st.sampled_from(self.reading))
        before = self.everything()
        try:
            self.tracker.meet(scan, sorted(met), text=text)
        except ScanStopped:
            assert self.tracker.get_job(scan.job_id).state is not JobState.RUNNING
            assert self.everything() == before

    @precondition(lambda self: self.reading)
    @rule(data=st.data())
    def end_reading(self, data: st.DataObject) -> None:
        scan = data.draw(st.sampled_from(self.reading))
        try:
            self.tracker.depart(scan)
        except ScanStopped:
            return
        self.tracker.end_scan(scan.job_id)
        with self._database.write() as connection:
            scans.complete_scans(connection, scan.job_id)
        self.reading.remove(scan)
        self.gone.append(scan)

    @precondition(lambda self: self.gone)
    @rule(data=st.data(), met=uris)
    def wake_a_zombie_scan(self, data: st.DataObject, met: set[str]) -> None:
        scan = data.draw(st.sampled_from(self.gone))
        before = self.everything()
        with pytest.raises(ScanStopped):
            self.tracker.meet(scan, sorted(met), text="of a zombie")
        with pytest.raises(ScanStopped):
            self.tracker.depart(scan)
        assert self.everything() == before

    @rule()
    def take_work(self) -> None:
        for job in self.jobs():
            if job.state is JobState.RUNNING:
                self.tracker.queue(job=job.id)
        ids = [int(str(row["id"])) for row in self.tracker.rows()]
        for stage in ("chunk", "index") if ids else ():
            claim = self.tracker.claim(ids, stage)
            self.held += [claim] if claim.items else []

    @precondition(lambda self: self.held)
    @rule(data=st.data(), end=st.sampled_from(sorted(ENDS)))
    def end_work(self, data: st.DataObject, end: str) -> None:
        claim = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        if end == "index":
            self.tracker.switch(claim)
        removed: Outcome = Complete(Result.DELETED)
        outcomes = {i.id: removed if i.deletes and end == "index" else ENDS[end]() for i in claim.items}
        self.tracker.settle(claim, outcomes)
        self.lost.append(claim)

    @precondition(lambda self: self.held)
    @rule()
    def lose_work(self) -> None:
        claim = self.held.pop()
        self.tracker.rescue_silent(claim)
        self.lost.append(claim)

    @precondition(lambda self: self.lost)
    @rule(data=st.data(), end=st.sampled_from(sorted(ENDS)))
    def wake_a_zombie_worker(self, data: st.DataObject, end: str) -> None:
        claim = data.draw(st.sampled_from(self.lost))
        before = self.everything()
        self.tracker.switch(claim)
        self.tracker.settle(claim, ENDS[end]())
        assert self.everything() == before

    @rule(data=st.data(), function=st.sampled_from(["pause_job", "resume_job", "resume_job", "cancel_job"]))
    def operate(self, data: st.DataObject, function: str) -> None:
        if found := self.jobs():
            with suppress(IllegalTransition):
                self.tracker.control(function, data.draw(st.sampled_from(found)).id)

    @rule()
    def complete(self) -> None:
        self.tracker.complete_jobs()

    @rule()
    def replay(self) -> None:
        replay_letters(self._database, LetterFilter(), by="a test")

    @rule(sure=st.booleans())
    def discard(self, sure: bool) -> None:  # noqa: FBT001 - drawn
        if sure:
            discard_letters(self._database, LetterFilter(), reason="known")

    def everything(self) -> list[object]:
        return [self.tracker.rows(table) for table in (document, dead_letter, claim_table)] + [self.tracker.rows()]

    @invariant()
    def every_job_is_whole(self) -> None:
        for job in self.jobs():
            assert find_faults_of_job(self.tracker, job.id) == []

    @invariant()
    def letters_that_are_open_are_of_dead_work_one_each(self) -> None:
        states = {row["id"]: row["state"] for row in self.tracker.rows()}
        open_ = [row["work_id"] for row in self.tracker.rows(dead_letter) if row["resolved_at"] is None]
        assert len(open_) == len(set(open_))
        assert {states[id_] for id_ in open_} <= {State.DEAD}

    @invariant()
    def what_a_source_claims_is_not_on_its_way_out(self) -> None:
        claimed = {row["document_id"] for row in self.tracker.rows(claim_table) if not row["leaving"]}
        newest = {row["id"]: row["generation"] for row in self.tracker.rows(document)}
        for row in self.tracker.rows():
            if row["deletes"] and row["generation"] == newest[row["document_id"]]:
                assert row["document_id"] not in claimed


ScanMachine.TestCase.settings = settings(
    max_examples=3, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestScans = ScanMachine.TestCase


class ScansAtLength(ScanMachine):
    """The same for minutes."""


ScansAtLength.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
TestScansAtLength = pytest.mark.chaos(pytest.mark.timeout(1800)(ScansAtLength.TestCase))


class ScansOnPostgres(ScanMachine):
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
        ScansOnPostgres.url = request.getfixturevalue("postgres_server").url


ScansOnPostgres.TestCase.settings = settings(
    max_examples=2, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestScansOnPostgres = pytest.mark.skipif(postgres.why_not() is not None, reason="no Postgres")(ScansOnPostgres.TestCase)
