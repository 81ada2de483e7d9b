"""Whoever works where nothing of what the database names is kept is told, and who submits to no broker is refused."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from embedmill.console.listening import Listener, Notice
from embedmill.console.services.kept_here import tell_kept_elsewhere
from embedmill.console.services.submitting import submit
from embedmill.producers.sources.folder import FolderSource
from embedmill.shared.db.schema import job
from embedmill.shared.errors import SettingsError
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.workers.test_freezes import Scene


@pytest.fixture
def scene(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> Iterator[Scene]:
    opened = Scene(runtime, tracker, tmp_path / "documents")
    yield opened
    opened.other.close()


def told_in(settings: Settings) -> list[str]:
    told: list[Notice] = []
    with closing(WorkerRuntime(settings, process_id="asked")) as opened:
        tell_kept_elsewhere(opened, Listener(told.append))
    return [notice.text for notice in told]


def test_a_second_home_on_one_database_is_warned_of(scene: Scene, tmp_path: Path) -> None:
    settings = scene.runtime.settings
    shared = settings.model_copy(update={"database_url": settings.database})
    second = shared.model_copy(update={"home": tmp_path / "second"})
    assert told_in(shared) == []
    (told,) = told_in(second)
    assert f"texts that the home {tmp_path}/second does not have. Work from the home" in told
    notices: list[Notice] = []
    with closing(WorkerRuntime(second, process_id="second")) as opened:
        submit(opened, [FolderSource(bytes(scene.folder))], collection="default", listener=Listener(notices.append))
    assert told in [notice.text for notice in notices]
    shutil.copytree(settings.home_path / "blobs", tmp_path / "second" / "blobs")
    assert f"vectors that the home {tmp_path}/second does not have" in told_in(second)[0]


def test_a_folder_of_texts_whose_disk_is_away_is_warned_of(scene: Scene, tmp_path: Path) -> None:
    home = scene.runtime.settings.home_path
    settings = scene.runtime.settings.model_copy(update={"blob_url": f"file://{tmp_path}/mount"})
    shutil.copytree(home / "blobs", tmp_path / "mount")
    assert told_in(settings) == []
    (tmp_path / "mount").rename(tmp_path / "away")
    (tmp_path / "mount").mkdir()
    assert f"texts that file://{tmp_path}/mount does not have" in told_in(settings)[0]


def test_a_broker_that_there_is_not_is_refused_before_anything_is_recorded(scene: Scene) -> None:
    jobs = len(scene.tracker.rows(job))
    wrong = scene.runtime.settings.model_copy(update={"broker_url": "ftp://here"})
    with (
        closing(WorkerRuntime(wrong, process_id="wrong")) as opened,
        pytest.raises(SettingsError, match="no broker 'ftp'"),
    ):
        submit(opened, [FolderSource(bytes(scene.folder))], collection="default")
    assert len(scene.tracker.rows(job)) == jobs
