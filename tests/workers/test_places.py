"""Two installations that share a store without meaning to: neither reads, deletes or repairs the other's rows."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from embedmill.console.services.comparing import compare
from embedmill.console.services.verifying import _Mender
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.e2e.stores import STORES, Place, running_place
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker
from tests.workers.test_freezes import Scene

NUMBERS = count(1)


@pytest.fixture(scope="module", params=[STORES[0], STORES[2], pytest.param(STORES[1], marks=pytest.mark.chaos)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with running_place(request.param) as place:
        yield place


@pytest.fixture
def other(place: Place, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerRuntime]:
    """Another database on the same store; the embedded one is in the same home."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    place_migrated(tmp_path / "other.db")
    chosen = {"vector_url": place.url, "database_url": f"sqlite:///{tmp_path / 'other.db'}"}
    opened = WorkerRuntime(settings.model_copy(update=chosen), process_id="other")
    yield opened
    opened.close()


def test_two_homes_on_one_store_are_kept_apart(
    runtime: WorkerRuntime, other: WorkerRuntime, place: Place, tmp_path: Path
) -> None:
    runtime.settings = runtime.settings.model_copy(update={"vector_url": place.url})
    first = Scene(runtime, Tracker(runtime.database), tmp_path / "first")
    second = Scene(other, Tracker(other.database), tmp_path / "second")
    for scene in (first, second):
        scene.require_agreement()
    second.tracker.remove_all()
    collection = other.collection(1)
    _Mender(other, collection).mend_all()
    assert compare(runtime, runtime.collection(1)).ok
    assert compare(runtime, runtime.collection(1)).vectors == 2
    for scene in (first, second):
        scene.other.close()
