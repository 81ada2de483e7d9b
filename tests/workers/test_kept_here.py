"""Whoever works where nothing of what the database names is kept, or without a broker, is refused or told."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from embedmill.console.listening import Listener, Notice
from embedmill.console.services.kept_here import require_kept_here
from embedmill.console.services.running import run_workers
from embedmill.console.services.submitting import submit
from embedmill.console.services.working import ingest
from embedmill.producers.sources.folder import FolderSource
from embedmill.shared.db.schema import job
from embedmill.shared.errors import SettingsError
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.workers.test_freezes import Scene


@pytest.fixture
def scene(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> Iterator[Scene]:
    opened = Scene(runtime, tracker, tmp_path / "documents")
    yield opened
    opened.other.close()


def test_a_second_home_on_one_database_works_on_nothing(scene: Scene, tmp_path: Path) -> None:
    docs, jobs = FolderSource(bytes(scene.folder)), len(scene.tracker.rows(job))
    settings = scene.runtime.settings
    shared = settings.model_copy(update={"database_url": settings.database})
    second = shared.model_copy(update={"home": tmp_path / "second"})
    with closing(WorkerRuntime(shared, process_id="first")) as first:
        require_kept_here(first)
    with closing(WorkerRuntime(second, process_id="second")) as opened:
        with pytest.raises(SettingsError, match=r"texts that the home .*/second does not have"):
            ingest(opened, [docs], collection="default")
        with pytest.raises(SettingsError, match=r"texts that the home .*/second does not have"):
            run_workers(opened, [], on_started=lambda _: None)
        assert len(scene.tracker.rows(job)) == jobs
        told: list[Notice] = []
        submit(opened, [docs], collection="default", listener=Listener(told.append))
        assert "workers of this home would refuse" in told[0].text
    shutil.copytree(settings.home_path / "blobs", tmp_path / "second" / "blobs")
    with (
        closing(WorkerRuntime(second, process_id="second")) as opened,
        pytest.raises(SettingsError, match=r"vectors that the home .*/second does not have"),
    ):
        require_kept_here(opened)


def test_a_folder_of_texts_whose_disk_is_away_is_not_written_into(scene: Scene, tmp_path: Path) -> None:
    home = scene.runtime.settings.home_path
    settings = scene.runtime.settings.model_copy(update={"blob_url": f"file://{tmp_path}/mount"})
    shutil.copytree(home / "blobs", tmp_path / "mount")
    with closing(WorkerRuntime(settings, process_id="there")) as opened:
        require_kept_here(opened)
    (tmp_path / "mount").rename(tmp_path / "away")
    (tmp_path / "mount").mkdir()
    with (
        closing(WorkerRuntime(settings, process_id="away")) as opened,
        pytest.raises(SettingsError, match=r"texts that file://.*/mount does not have"),
    ):
        require_kept_here(opened)


def test_a_broker_that_there_is_not_is_refused_before_anything_is_recorded(scene: Scene) -> None:
    jobs = len(scene.tracker.rows(job))
    wrong = scene.runtime.settings.model_copy(update={"broker_url": "ftp://here"})
    with (
        closing(WorkerRuntime(wrong, process_id="wrong")) as opened,
        pytest.raises(SettingsError, match="no broker 'ftp'"),
    ):
        submit(opened, [FolderSource(bytes(scene.folder))], collection="default")
    assert len(scene.tracker.rows(job)) == jobs
