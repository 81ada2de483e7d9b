"""An erasure: nothing of a document is left on the disk, its neighbours are as they were, and a kill is taken up."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, update

from embedmill.console.services.backups import make_backup
from embedmill.console.services.restoring import restore_backup
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.shared.caches.file import FileCache
from embedmill.shared.db import erasures
from embedmill.shared.db.engine import Database
from embedmill.shared.db.leftovers import DELAYS
from embedmill.shared.db.schema import document, erasure, query_record, usage, work
from embedmill.shared.db.withdrawing import LOST_SECONDS
from embedmill.shared.erasing import ASKED
from embedmill.shared.errors import NotYetErased, StorageFailed
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.settings import Settings
from embedmill.workers.chores.sweeper import sweep
from embedmill.workers.erasing import eraser
from embedmill.workers.rewriting import alone
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker
from tests.workers.erasing.conftest import Home, fill, opened
from tests.workers.erasing.searching import find_bytes, vectors
from tests.workers.working import submit_sources


def erase(runtime: WorkerRuntime, filled: Home) -> None:
    eraser.carry_out(runtime, eraser.begin(runtime, [filled.document], cause=ASKED))


def test_all_that_tells_of_the_document_is_there_before(filled: Home) -> None:
    found = {name for _, name in find_bytes(filled.path, filled.needles)}
    # The texts of versions that were replaced are removed with them, and their rows' texts an hour later.
    assert found == filled.needles.keys()


def test_nothing_of_the_document_is_left_on_the_disk(runtime: WorkerRuntime, filled: Home) -> None:
    erase(runtime, filled)
    assert find_bytes(filled.path, filled.needles) == []


def test_neighbours_keep_their_vectors_and_texts(runtime: WorkerRuntime, filled: Home) -> None:
    before = {id: vector for id, vector in vectors(filled.path).items() if not id.startswith(filled.document)}
    erase(runtime, filled)
    assert vectors(filled.path) == before
    tracker = Tracker.__new__(Tracker)
    tracker.database = runtime.database
    refs = [row["chunks_ref"] for row in tracker.rows(document)]
    found = runtime.blobs.get_pack(refs)
    assert len(found) == len(before)
    assert all(isinstance(data, bytes) and b"grinds corn" in data for data in found.values())


def test_the_ledger_and_records_of_queries_keep_their_numbers(runtime: WorkerRuntime, filled: Home) -> None:
    erase(runtime, filled)
    with runtime.database.read() as connection:
        planted = connection.execute(usage.select().where(usage.c.model == "planted")).mappings().one()
        asked = connection.execute(query_record.select()).mappings().one()
    assert planted["documents"] == ["erased", "other"]
    assert asked["shown"] == ["erased", "other/c2"]


class Died(BaseException):
    """The process was killed at this moment."""


MOMENTS: tuple[tuple[type, str], ...] = (
    (Database, "transact"),
    (FolderBlobStore, "put"),
    (FolderBlobStore, "delete"),
    (FileCache, "forget_many"),
    (EmbeddedVectorStore, "delete_stale"),
    (EmbeddedVectorStore, "expunge"),
)
"""Whatever changes something outside of this process."""


class Killer:
    """Ends a process before or after one of the moments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = self._moment = 0
        for owner, name in MOMENTS:
            self._watch(monkeypatch, owner, name)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            self._pass()
            result = original(*arguments, **options)
            self._pass()
            return result

        monkeypatch.setattr(owner, name, watched)

    def _pass(self) -> None:
        self._moment += 1
        if self._moment == self.at:
            raise Died

    def kill(self, at: int, run: Callable[[], object]) -> bool:
        """Run, and die at a moment; whether there are so many."""
        self.at, self._moment = at, 0
        try:
            run()
        except Died:
            return True
        finally:
            self.at = 0
        return False


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=[pytest.mark.chaos, pytest.mark.timeout(900)])])
def test_an_erasure_that_is_killed_at_any_moment_is_taken_up(
    filled: Home, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(filled.path, kept)
    neighbours = {id for id in vectors(filled.path) if not id.startswith(filled.document)}
    killer = Killer(monkeypatch)
    # Whoever is killed lets nothing go: the next process finds its lease.
    for at in count(1, every):
        shutil.rmtree(filled.path)
        shutil.copytree(kept, filled.path)
        with opened(settings) as runtime:
            if not killer.kill(at, lambda: erase(runtime, filled)):
                break
        with opened(settings) as runtime:
            if not runtime.database.query(erasures.list_erasures, limit=1):
                erase(runtime, filled)
            eraser.take_up(runtime)
            (done,) = runtime.database.query(erasures.list_erasures, limit=2)
            assert (done.state, done.documents) == ("done", 1)
        assert find_bytes(filled.path, filled.needles) == [], f"killed at moment {at}"
        assert vectors(filled.path).keys() == neighbours
    assert at > 2 * len(eraser.STEPS)


def test_what_is_in_a_workers_hands_is_waited_for(runtime: WorkerRuntime, filled: Home, tmp_path: Path) -> None:
    tracker = Tracker.__new__(Tracker)
    tracker.database, tracker.collection = runtime.database, runtime.collection(1)
    (tmp_path / "rows.jsonl").write_text('{"id": "Quillfeather", "text": "A third edition."}\n')
    submit_sources(runtime, tracker, [JsonlSource(bytes(tmp_path / "rows.jsonl"))])
    claim = tracker.claim(tracker.queue())
    assert len(claim.items) == 1
    id = eraser.begin(runtime, [filled.document], cause=ASKED)
    with pytest.raises(NotYetErased, match="in workers' hands"):
        eraser.carry_out(runtime, id)
    with runtime.database.write() as connection:
        lost = work.c.lease_until - 3600 - LOST_SECONDS
        connection.execute(update(work).where(work.c.lease.is_not(None)).values(lease_until=lost))
    eraser.carry_out(runtime, id)
    assert find_bytes(filled.path, filled.needles) == []


def test_nobody_else_writes_stored_objects_anew_meanwhile(
    runtime: WorkerRuntime, filled: Home, settings: Settings
) -> None:
    id = eraser.begin(runtime, [filled.document], cause=ASKED)
    with opened(settings) as other, alone(other, NotYetErased("unused")):
        with pytest.raises(NotYetErased, match="another process writes"):
            eraser.carry_out(runtime, id)
        assert eraser.take_up(runtime) == 0
    assert eraser.take_up(runtime) == 1


def test_a_log_that_somebody_reads_is_waited_for(runtime: WorkerRuntime, filled: Home, settings: Settings) -> None:
    id = eraser.begin(runtime, [filled.document], cause=ASKED)
    with opened(settings) as other, other.database.read() as reading:
        reading.execute(document.select()).all()
        with pytest.raises(StorageFailed, match="being read"):
            eraser.carry_out(runtime, id)
    assert runtime.database.query(erasures.get_erasure, id).step == "files"
    eraser.carry_out(runtime, id)
    assert find_bytes(filled.path, filled.needles) == []


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits half a minute for a file that the same process reads."""
    monkeypatch.setattr("embedmill.shared.db.wiping.BUSY_TIMEOUT_MS", 10)


def test_rows_that_a_frozen_worker_writes_when_all_is_done_are_swept(runtime: WorkerRuntime, filled: Home) -> None:
    store = runtime.store(runtime.collection(1))
    (late,) = store.fetch_documents("v1-000", [filled.document], with_vectors=True).values()
    erase(runtime, filled)
    store.upsert("v1-000", [late])
    with runtime.database.write() as connection:
        connection.execute(update(erasure).values(finished_at=erasure.c.finished_at - DELAYS[0]))
    sweep(runtime)
    assert store.find_editions("v1-000", [filled.document]) == []
    assert store.count("v1-000") == 5


def test_ids_are_forgotten_when_nobody_can_write_late_any_more(runtime: WorkerRuntime, filled: Home) -> None:
    erase(runtime, filled)
    assert runtime.database.transact(erasures.forget_watched, older_than_seconds=3600.0) == 0
    assert runtime.database.transact(erasures.forget_watched, older_than_seconds=-1.0) == 1
    assert runtime.database.query(erasures.list_watched, since=0.0, until=1e12, delays=DELAYS) == []


def test_an_encrypted_collection_is_erased_and_backed_up_like_any_other(settings: Settings, tmp_path: Path) -> None:
    place_migrated(settings.home_path / "tracking.db")
    with opened(settings) as runtime:
        home = fill(runtime, tmp_path, encrypt=True)
        make_backup(runtime, tmp_path / "backup")
        erase(runtime, home)
        assert find_bytes(home.path, home.needles) == []
        rows = list(runtime.store(runtime.collection(1)).list_rows("v1-000"))
        refs = [row["chunks_ref"] for row in _rows_of(runtime, document)]
        assert len(rows) == len(refs) == 5
        assert all(isinstance(data, bytes) and b"grinds corn" in data for data in runtime.blobs.get_pack(refs).values())
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    done = restore_backup(elsewhere, tmp_path / "backup")
    assert (done.documents, done.erased, done.repaired) == (5, 1, 0)
    with opened(elsewhere) as runtime:
        assert [row.text for row in runtime.store(runtime.collection(1)).list_rows("v1-000")] == [r.text for r in rows]


def _rows_of(runtime: WorkerRuntime, table: Table) -> list[dict[str, Any]]:
    tracker = Tracker.__new__(Tracker)
    tracker.database = runtime.database
    return tracker.rows(table)
