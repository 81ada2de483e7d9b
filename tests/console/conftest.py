"""A runtime over a home of one's own, and the tracker that drives its database as producers and workers do."""

from collections.abc import Iterator

import pytest

from embedmill.console.services.opening import open_runtime
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    place_migrated(settings.home_path / "tracking.db")
    with open_runtime(settings) as opened:
        yield opened


@pytest.fixture
def tracker(runtime: Runtime) -> Tracker:
    return Tracker(runtime.database)
