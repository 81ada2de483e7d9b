"""What every source promises. A module that tests one brings the fixture `shelf`, and imports `runtime` and `tracker`.

A shelf is what stands behind a source: things can be put there and taken away, and it can be away itself. What a kind
of source cannot do is skipped with the reason that its shelf gives.
"""

import logging
import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import ClassVar

import psutil
import pytest

from embedmill.console.services.jobs import JobReport, describe_job
from embedmill.console.services.previewing import preview
from embedmill.producers import scanning
from embedmill.producers.scanning import BATCH_ITEMS, SourceScan
from embedmill.producers.sources.base import FileItem, HeldItem, ReadContext, RowItem, Source
from embedmill.producers.sources.open import source_from_spec
from embedmill.producers.submission import Submitter, called, ensure_collection
from embedmill.shared import stages
from embedmill.shared.addresses import document_id
from embedmill.shared.db import jobs
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.documents import Generations, switch_versions
from embedmill.shared.db.leases import WorkItem
from embedmill.shared.db.queueing import queue_ready
from embedmill.shared.db.schema import document
from embedmill.shared.outcomes import Advance, Complete, Outcome
from embedmill.shared.paging import batched
from embedmill.shared.states import Result
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from tests.corpus import text_of
from tests.logs import captured_logs
from tests.producers.worked import conclude
from tests.shared.db.tracker import Tracker
from tests.workers.working import embed_by_hash

NAMES = tuple(f"n{number:02}.txt" for number in range(6))
MANY = 3_000
MOST_BYTES = 1_750 * 1024
"""That much more than at its beginning may a reading of many things hold at a time."""


class Shelf(ABC):
    """What stands behind a source; `odd` are names that it must take as they are, `secrets` what nothing may keep."""

    odd: ClassVar[Sequence[str]] = ()
    secrets: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def put(self, name: str, text: str) -> None:
        """A document by that name, in the place of what was there."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """No document by that name."""

    @abstractmethod
    def open(self) -> Source:
        """The source of all that stands here."""

    @abstractmethod
    def uri(self, name: str) -> str:
        """What a document is called in the index."""

    @abstractmethod
    def away(self) -> AbstractContextManager[None]:
        """All of it is away for a time."""

    def spoiled(self, name: str) -> AbstractContextManager[None]:
        """One document cannot be read for a time."""
        pytest.skip("nothing keeps a single document from being read here")

    def count_reads(self) -> int:
        """How often the content of a document was read since this was last asked."""
        pytest.skip("whoever lists these reads them")

    def many(self, count: int) -> Source:
        """A source of many small documents."""
        pytest.skip("its memory is measured elsewhere")


class Desk:
    """Reads sources into an index and does all the work that comes of it, in this process."""

    def __init__(self, runtime: WorkerRuntime, tracker: Tracker) -> None:
        self.runtime = runtime
        self.tracker = tracker
        embed_by_hash(runtime, tracker)
        tracker.collection = runtime.database.query(lambda c: get_collection(c, tracker.collection.name))

    def scan(self, *sources: Source, allow_deletes: bool = False, limit: int | None = None) -> int:
        """One submission of sources; returns its job."""
        submitter, collection = Submitter(self.runtime), ensure_collection(self.runtime, "default")
        sources = tuple(called(self.runtime.database, collection.id, sources))
        submitted = submitter.open(sources, collection, options={}, limit=limit)
        submitter.enumerate(submitted, sources, collection, allow_deletes=allow_deletes, limit=limit)
        return submitted.job_id

    def ingest(self, *sources: Source, allow_deletes: bool = False, limit: int | None = None) -> JobReport:
        """The same with all work done."""
        return self.work(self.scan(*sources, allow_deletes=allow_deletes, limit=limit))

    def work(self, job: int) -> JobReport:
        """All work of a job that there is to do now."""
        while ready := self.runtime.database.transact(queue_ready, job, limit=1000):
            for stage in sorted({one.stage for one in ready}):
                self._work([one.id for one in ready if one.stage == stage], stage)
        self.runtime.database.transact(jobs.complete_jobs)
        return describe_job(self.runtime, job)

    def _work(self, ids: Sequence[int], stage: str) -> None:
        """Documents are read and cut by the real stage; for those that follow stands what they write."""
        if stage == stages.first():
            lease = self.tracker.claim(ids, stage)
            outcomes = chunk(self.runtime, lease)
            last = {id_: _to_the_last(outcome) for id_, outcome in outcomes.items()}
            self.tracker.settle(lease, last)
            ids = [id_ for id_, outcome in last.items() if isinstance(outcome, Advance)]
        lease = self.tracker.claim(ids, stages.last())
        found = self.runtime.database.transact(switch_versions, lease.token, [item.id for item in lease.items])
        self.tracker.settle(lease, {item.id: _conclude(item, found[item.document_id]) for item in lease.items})

    def indexed(self) -> dict[str, str]:
        """The text of each document that readers see, by URI."""
        rows = [row for row in self.tracker.rows(document) if row["active_version"]]
        return {row["uri"]: self._text(row["chunks_ref"]) for row in rows}

    def _text(self, reference: str) -> str:
        from embedmill.workers.stored import read_stored

        chunk_set, _, _ = read_stored(reference, None, self.runtime.blobs.get_pack([reference]))
        return chunk_set.text


@pytest.fixture
def desk(runtime: WorkerRuntime, tracker: Tracker) -> Desk:
    return Desk(runtime, tracker)


def _to_the_last(outcome: Outcome) -> Outcome:
    return replace(outcome, stage=stages.last()) if isinstance(outcome, Advance) else outcome


def _conclude(item: WorkItem, standing: Generations) -> Outcome:
    """Also of what holds no text."""
    outcome = conclude(item, standing)
    is_empty = outcome == Complete(Result.INDEXED) and not item.chunks_expected
    return Complete(Result.SKIPPED, item.reason) if is_empty else outcome


class Killed(BaseException):
    """The process ended."""


class SourceContract:
    """Listing, change, departure, resuming, faults, odd names, samples, memory, and nothing read twice."""

    def fill(self, shelf: Shelf, names: Sequence[str] = NAMES) -> dict[str, str]:
        """Documents on the shelf; returns what the index has to hold of them."""
        texts = {name: text_of(number) for number, name in enumerate(names)}
        for name, text in texts.items():
            shelf.put(name, text)
        return {shelf.uri(name): text for name, text in texts.items()}

    def require(self, desk: Desk, expected: Mapping[str, str]) -> None:
        """The index holds these documents, each with a part of its text, and no others."""
        found = desk.indexed()
        assert sorted(found) == sorted(expected), found.keys() ^ expected.keys()
        for uri, text in expected.items():
            assert text.split(".")[0] in found[uri], uri

    def test_what_it_holds_is_indexed_and_not_read_again_unless_it_changes(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        report = desk.ingest(shelf.open())
        self.require(desk, expected)
        assert (report.documents.completed, report.problems) == (len(NAMES), 0)
        report = desk.ingest(shelf.open())
        assert (report.documents.unchanged, report.documents.completed) == (len(NAMES), 0)
        self.require(desk, expected)
        shelf.count_reads()
        desk.ingest(shelf.open())
        assert shelf.count_reads() == 0

    def test_what_changed_is_read_again_and_nothing_else(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        desk.ingest(shelf.open())
        shelf.put(NAMES[3], text_of(40))
        report = desk.ingest(shelf.open())
        assert (report.documents.completed, report.documents.unchanged) == (1, len(NAMES) - 1)
        self.require(desk, expected | {shelf.uri(NAMES[3]): text_of(40)})

    def test_what_left_it_leaves_what_came_comes_and_what_comes_back_is_there_again(
        self, desk: Desk, shelf: Shelf
    ) -> None:
        expected = self.fill(shelf)
        desk.ingest(shelf.open())
        shelf.remove(NAMES[5])
        shelf.put("new.txt", text_of(50))
        report = desk.ingest(shelf.open())
        assert report.documents.deleted == 1
        expected[shelf.uri("new.txt")] = text_of(50)
        left = expected.pop(shelf.uri(NAMES[5]))
        self.require(desk, expected)
        shelf.put(NAMES[5], left)
        desk.ingest(shelf.open())
        self.require(desk, expected | {shelf.uri(NAMES[5]): left})

    def test_a_source_that_is_emptied_is_asked_about(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        desk.ingest(shelf.open())
        for name in NAMES[1:]:
            shelf.remove(name)
        report = desk.ingest(shelf.open())
        assert report.held_deletions == len(NAMES) - 1
        self.require(desk, expected)
        desk.ingest(shelf.open(), allow_deletes=True)
        self.require(desk, {shelf.uri(NAMES[0]): expected[shelf.uri(NAMES[0])]})

    def test_a_source_that_is_away_loses_nothing_and_says_so(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        desk.ingest(shelf.open())
        with shelf.away():
            report = desk.ingest(shelf.open(), allow_deletes=True)
        assert report.problems
        self.require(desk, expected)
        desk.ingest(shelf.open())
        self.require(desk, expected)

    def test_one_that_cannot_be_read_is_named_and_the_rest_goes_on(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        with shelf.spoiled(NAMES[4]):
            report = desk.ingest(shelf.open())
        assert report.documents.dead + report.problems == 1
        rest = {uri: text for uri, text in expected.items() if uri != shelf.uri(NAMES[4])}
        self.require(desk, rest)

    def test_one_that_cannot_be_read_any_more_stays(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        desk.ingest(shelf.open())
        with shelf.spoiled(NAMES[4]):
            desk.ingest(shelf.open(), allow_deletes=True)
        self.require(desk, expected)

    @pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.chaos), 3])
    def test_a_reading_that_was_killed_is_taken_up(
        self, desk: Desk, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, after: int
    ) -> None:
        expected = self.fill(shelf)
        desk.ingest(shelf.open())
        shelf.put(NAMES[2], text_of(60))
        shelf.put("new.txt", text_of(61))
        with monkeypatch.context() as patch:
            patch.setattr(scanning, "BATCH_ITEMS", 2)
            patch.setattr(SourceScan, "record", killed(SourceScan.record, after))
            with pytest.raises(Killed):
                desk.scan(shelf.open())
        desk.ingest(shelf.open())
        self.require(desk, expected | {shelf.uri(NAMES[2]): text_of(60), shelf.uri("new.txt"): text_of(61)})

    def test_a_sample_is_a_part_and_nothing_leaves_for_it(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        report = desk.ingest(shelf.open(), limit=4)
        assert report.documents.completed == 4
        desk.ingest(shelf.open())
        self.require(desk, expected)
        desk.ingest(shelf.open(), limit=2, allow_deletes=True)
        self.require(desk, expected)

    def test_a_dry_run_says_what_a_reading_would_do_and_records_nothing(self, desk: Desk, shelf: Shelf) -> None:
        expected = self.fill(shelf)
        told = preview(desk.runtime, [shelf.open()], collection="default").documents
        assert (told.new, told.total) == (len(NAMES), len(NAMES))
        assert not desk.indexed()
        desk.ingest(shelf.open())
        shelf.put(NAMES[3], text_of(40))
        shelf.remove(NAMES[5])
        shelf.put("new.txt", text_of(50))
        for _ in range(2):
            told = preview(desk.runtime, [shelf.open()], collection="default").documents
            assert (told.new, told.changed, told.unchanged) == (1, 1, len(NAMES) - 2)
        self.require(desk, expected)
        assert desk.ingest(shelf.open()).documents.deleted == told.deleted

    def test_odd_names_are_names(self, desk: Desk, shelf: Shelf) -> None:
        if not shelf.odd:
            pytest.skip("its documents have no names of their own")
        expected = self.fill(shelf, shelf.odd)
        assert len(expected) == len(shelf.odd)
        report = desk.ingest(shelf.open())
        self.require(desk, expected)
        assert report.problems == 0
        assert desk.ingest(shelf.open()).documents.unchanged == len(expected)

    def test_it_is_built_again_from_its_spec(self, shelf: Shelf) -> None:
        source = shelf.open()
        again = source_from_spec(dict(source.spec))
        assert (again.identity, type(again)) == (source.identity, type(source))

    def test_what_another_source_has_too_stays(self, desk: Desk, shelf: Shelf) -> None:
        """As a claim is a row of its own, whatever kind the other is."""
        expected = self.fill(shelf)
        desk.ingest(shelf.open())
        _claim_elsewhere(desk, document_id("default", shelf.uri(NAMES[0])))
        shelf.remove(NAMES[0])
        desk.ingest(shelf.open())
        self.require(desk, expected)

    def test_its_memory_is_flat(self, shelf: Shelf) -> None:
        source, context, met = shelf.many(MANY), ReadContext(), 0
        tracemalloc.start()
        try:
            for batch in batched(source.read(context), BATCH_ITEMS):
                met += sum(isinstance(item, FileItem | RowItem | HeldItem) for item in batch)
                # As a scan makes it durable, what the source keeps is not this process's to hold.
                context.memory.settle(context.memory.take())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert met == MANY
        assert peak < MOST_BYTES

    def test_no_credential_is_kept_or_told(
        self, desk: Desk, shelf: Shelf, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """In no file, log, report, description of the source, or argument of a process that was started."""
        if not shelf.secrets:
            pytest.skip("it is read without credentials")
        self.fill(shelf)
        with caplog.at_level(logging.DEBUG), captured_logs() as events:
            told: list[object] = [
                desk.ingest(shelf.open()),
                preview(desk.runtime, [shelf.open()], collection="default"),
            ]
            with shelf.away():
                told.append(desk.ingest(shelf.open()))
        source, started = shelf.open(), psutil.Process().children(recursive=True)
        told += [source, source.spec, source.identity, events, *(process.cmdline() for process in started)]
        said = "\n".join([caplog.text, *capfd.readouterr(), *map(repr, told)])
        assert not [secret for secret in shelf.secrets if secret in said]
        for file in desk.runtime.home.rglob("*"):
            data = file.read_bytes() if file.is_file() else b""
            assert not [secret for secret in shelf.secrets if secret.encode() in data], file


def killed(record: object, after: int) -> object:
    """Record so many batches, and end."""
    done = 0

    def end_after(self: SourceScan, batch: object) -> object:
        nonlocal done
        if done == after:
            raise Killed
        done += 1
        return record(self, batch)  # type: ignore[operator]

    return end_after


def _claim_elsewhere(desk: Desk, document: str) -> None:
    """A claim of another source on a document, made by a scan of it."""
    from embedmill.shared.db import claims, scans
    from embedmill.shared.db.claims import Sighting

    def claim(connection: object) -> None:
        source = scans.open_source(
            connection,  # type: ignore[arg-type]
            collection_id=desk.tracker.collection.id,
            identity="another",
            spec={"kind": "folder", "uri": "file:///another"},
        ).id
        (scan,) = scans.begin_scans(connection, desk.tracker.job, [source])  # type: ignore[arg-type]
        claims.record_claims(connection, scan, [Sighting(document, "")], newest=scan.id)  # type: ignore[arg-type]

    desk.runtime.database.transact(claim)
