"""Backups: whole under writers, checked file by file; a restore brings everything back but what was erased since."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedmill.console.cli.backups import _print_verified
from embedmill.console.services import restoring
from embedmill.console.services.auditing import anchor_records, verify_records
from embedmill.console.services.backups import BLOBS, MANIFEST, LostObjects, make_backup, verify_backup
from embedmill.console.services.receipts import verify_receipt
from embedmill.console.services.restoring import restore_backup
from embedmill.console.services.verifying import verify
from embedmill.shared.audit.trail import AuditEntry
from embedmill.shared.db import erasures, leases, rescues
from embedmill.shared.db.schema import document, work
from embedmill.shared.erasing import ASKED
from embedmill.shared.errors import HomeInUse, UsageError
from embedmill.shared.privacy.keys import KEY_FILE
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.settings import Settings
from embedmill.workers.erasing import eraser, receipts
from embedmill.workers.runtime import WorkerRuntime
from tests.services import postgres
from tests.services.needed import require
from tests.shared.db.tracker import Tracker
from tests.workers.erasing.conftest import NAME, Home, fill, opened, place_filled
from tests.workers.erasing.searching import find_bytes, vectors


@pytest.fixture
def filled(settings: Settings) -> Home:
    return place_filled(settings)


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Settings:
    """Another home, in which there is nothing."""
    return settings.model_copy(update={"home": tmp_path / "elsewhere"})


def back_up(settings: Settings, folder: Path) -> Path:
    with opened(settings) as runtime:
        made = make_backup(runtime, folder)
    assert (made.objects, made.shards, made.missing) == (2, 1, [])
    return folder


def erase(settings: Settings, document: str) -> Path:
    with opened(settings) as runtime:
        receipt = eraser.carry_out(runtime, eraser.begin(runtime, [document], cause=ASKED))
        return runtime.home / receipts.FOLDER / f"{receipt['erasure']}.json"


LEFT = document.insert().values(id="left", collection_id=1, uri="file:///left", generation=2, updated_at=0)
"""A document that was deleted: its row stays, and nobody sees it."""


def count(runtime: WorkerRuntime) -> tuple[int, int]:
    with runtime.database.read() as connection:
        return len(connection.execute(document.select()).all()), len(connection.execute(work.select()).all())


def test_a_restored_home_has_every_document_with_its_vectors_and_an_audit_with_its_anchors(
    filled: Home, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    with opened(settings) as runtime:
        runtime.trail.write("", runtime.principal, AuditEntry("documents.list", "done"))
        assert anchor_records(runtime).anchor
        runtime.database.transact(lambda connection: connection.execute(LEFT))
    folder = back_up(settings, tmp_path / "backup")
    assert verify_backup(folder).ok
    done = restore_backup(elsewhere, folder)
    assert (done.documents, done.erased, done.repaired, done.aside) == (6, 0, 0, None)
    assert vectors(elsewhere.home_path) == vectors(filled.path)
    with opened(elsewhere) as runtime, opened(settings) as before:
        assert count(before)[0] == 7
        assert count(runtime) == count(before)
        assert runtime.keys.key_id == before.keys.key_id
        found = verify_records(runtime)
        assert (found.ok, found.anchors) == (True, 1)


def test_objects_that_were_lost_before_are_told_by_the_backup_and_what_is_left_is_restored(
    filled: Home, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (file for file in (filled.path / BLOBS).rglob("*") if file.is_file()):
        file.unlink()
    with opened(settings) as runtime:
        made = make_backup(runtime, tmp_path / "backup")
        (found,) = verify(runtime).collections
    assert (made.objects, made.lost.objects, made.lost.documents) == (0, 2, 6)
    assert f"{NAME}" in " ".join(made.lost.examples)
    assert (found.ok, found.missing, found.lost_texts) == (False, 0, 6)
    assert found.examples["lost"] == made.lost.examples
    checked = verify_backup(tmp_path / "backup")
    assert (checked.ok, checked.faults, checked.lost) == (False, [], LostObjects(2, 6))
    _print_verified(checked)
    assert "with the text of 6 documents" in capsys.readouterr().err
    restoring._require_whole(tmp_path / "backup")


def test_what_was_erased_since_is_erased_again_and_its_receipt_holds(
    filled: Home, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    folder = back_up(settings, tmp_path / "backup")
    receipt = erase(settings, filled.document)
    assert (folder / receipts.FOLDER / receipt.name).exists(), "it lies in the backup, too"
    assert verify_backup(folder).ok
    done = restore_backup(elsewhere, folder)
    assert (done.documents, done.erased) == (5, 1)
    assert find_bytes(elsewhere.home_path, filled.needles) == []
    with opened(elsewhere) as runtime:
        assert verify_receipt(runtime, str(receipt)).ok
        causes = [e.cause for e in runtime.database.query(erasures.list_erasures, limit=9)]
        assert causes == ["restore"]


def test_receipts_that_are_kept_elsewhere_are_heeded(
    filled: Home, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    folder = back_up(settings, tmp_path / "backup")
    kept = tmp_path / "kept"
    shutil.copytree(folder, tmp_path / "moved")
    shutil.rmtree(folder)
    receipt = erase(settings, filled.document)
    kept.mkdir()
    shutil.copy(receipt, kept)
    (kept / "another.json").write_text("[]")
    assert restore_backup(elsewhere, tmp_path / "moved", receipt_folders=[kept]).erased == 1


def test_a_home_that_is_replaced_is_put_aside_and_its_tombstones_hold(
    filled: Home, settings: Settings, tmp_path: Path
) -> None:
    folder = back_up(settings, tmp_path / "backup")
    receipt = erase(settings, filled.document)
    shutil.rmtree(folder / receipts.FOLDER)
    (folder / receipts.FOLDER).mkdir()
    receipt.unlink()
    with pytest.raises(HomeInUse, match="holds an installation"):
        restore_backup(settings, folder)
    with opened(settings), pytest.raises(HomeInUse, match="processes work"):
        restore_backup(settings, folder, replace=True)
    done = restore_backup(settings, folder, replace=True)
    assert done.erased == 1
    assert done.aside is not None
    assert (done.aside / "tracking.db").exists()


@pytest.mark.parametrize("name", ["tracking.db", "cache.db", KEY_FILE, MANIFEST])
def test_a_backup_that_was_changed_is_not_restored(
    filled: Home, settings: Settings, elsewhere: Settings, tmp_path: Path, name: str
) -> None:
    folder = back_up(settings, tmp_path / "backup")
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b'"version": 1', b'"version": 0') + b" ")
    if name != MANIFEST:
        assert verify_backup(folder).faults == [f"{name} was changed"]
    else:
        assert verify_backup(folder).faults == [f"{MANIFEST} was changed"]
    with pytest.raises(UsageError, match="not whole"):
        restore_backup(elsewhere, folder)
    path.unlink()
    if name != MANIFEST:
        assert verify_backup(folder).faults == [f"{name} is not there"]


def test_objects_that_are_replaced_while_they_are_copied_are_copied_as_they_are_then(
    filled: Home, settings: Settings, elsewhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(settings) as runtime:
        get, struck = FolderBlobStore.get, list[str]()

        def get_while_an_erasure_runs(store: FolderBlobStore, object_: str) -> bytes:
            if not struck:
                struck.append(object_)
                erase(settings, filled.document)
            return get(store, object_)

        monkeypatch.setattr(FolderBlobStore, "get", get_while_an_erasure_runs)
        make_backup(runtime, tmp_path / "backup")
    monkeypatch.undo()
    assert find_bytes(tmp_path / "backup", filled.needles) == []
    assert restore_backup(elsewhere, tmp_path / "backup").documents == 5


@contextmanager
def database() -> Iterator[str]:
    with postgres.running_database() as server:
        yield server.url


def tracker_of(runtime: WorkerRuntime) -> Tracker:
    tracker = Tracker.__new__(Tracker)
    tracker.database, tracker.collection = runtime.database, runtime.collection(1)
    return tracker


def hold(runtime: WorkerRuntime, uri: str) -> None:
    """Have a worker work on a document."""
    tracker = tracker_of(runtime)
    tracker.job = tracker.create_job("in hand")
    tracker.take([uri])


def release(runtime: WorkerRuntime) -> None:
    for lease in runtime.database.query(leases.find_leases):
        runtime.database.transact(rescues.rescue_silent, lease.token)


def test_a_deployment_on_postgres_is_restored_into_an_empty_database(settings: Settings, tmp_path: Path) -> None:
    require(postgres.why_not())
    with database() as old, database() as new:
        here = settings.model_copy(update={"database_url": old, "home": tmp_path / "here"})
        there = settings.model_copy(update={"database_url": new, "home": tmp_path / "there"})
        with opened(here) as runtime:
            home = fill(runtime, tmp_path)
            hold(runtime, "file:///in-hand")
            make_backup(runtime, tmp_path / "backup")
            before = count(runtime)
            release(runtime)
        receipt = erase(here, home.document)
        with pytest.raises(UsageError, match="is of postgresql"):
            restore_backup(settings, tmp_path / "backup")
        done = restore_backup(there, tmp_path / "backup")
        assert (done.documents, done.erased) == (5, 1)
        with opened(there) as runtime:
            assert count(runtime) == (before[0] - 1, before[1] - 1)
            assert verify_receipt(runtime, str(receipt)).ok
            # What a worker had in hand waits for nobody, and whoever is refused a restore finds nothing in the way.
            assert runtime.database.query(leases.find_leases) == []
            # Numbers go on where they were.
            assert tracker_of(runtime).create_job("later") == 4
        with pytest.raises(HomeInUse, match="has tables"):
            restore_backup(there.model_copy(update={"home": tmp_path / "third"}), tmp_path / "backup")
        assert not (tmp_path / "third").exists()
