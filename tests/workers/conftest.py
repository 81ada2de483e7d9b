"""A worker's runtime in this process, over a home folder of its own."""

from collections.abc import Iterator

import pytest

from embedmill.shared.presence import Presence
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker


@pytest.fixture
def runtime(settings: Settings) -> Iterator[WorkerRuntime]:
    """What a worker process holds open; its presence is this process's."""
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        yield opened
        opened.close()


@pytest.fixture
def tracker(runtime: WorkerRuntime) -> Tracker:
    """The tracking database of that home."""
    return Tracker(runtime.database)
