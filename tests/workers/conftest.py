"""A worker's runtime in this process, over a home folder of its own."""

import atexit
from collections.abc import Iterator

import pytest

from embedmill.shared.presence import Presence
from embedmill.shared.settings import Settings
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.sandbox import Parser
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker

PARSER = Parser()
"""One for all tests of a process: starting its child takes as long as ten documents. It starts one when asked first."""
atexit.register(PARSER.close)


@pytest.fixture
def runtime(settings: Settings) -> Iterator[WorkerRuntime]:
    """What a worker process holds open; its presence is this process's."""
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        if ParserLimits.from_settings(settings) == ParserLimits():
            vars(opened)["parser"] = PARSER
        yield opened
        if vars(opened).get("parser") is PARSER:
            del vars(opened)["parser"]
        opened.close()


@pytest.fixture
def tracker(runtime: WorkerRuntime) -> Tracker:
    """The tracking database of that home."""
    return Tracker(runtime.database)
