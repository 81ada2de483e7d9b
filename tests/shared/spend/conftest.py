"""Spenders of several processes over one tracking database."""

from collections.abc import Iterator
from typing import Any

import pytest

from embedmill.shared.db.opening import open_database
from embedmill.shared.settings import Settings
from embedmill.shared.spend.spender import Spender
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker


class Sleeper:
    """Notes for how long it was to sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def tracked(settings: Settings) -> Iterator[Tracker]:
    place_migrated(settings.home_path / "tracking.db")
    opened = open_database(settings.database)
    yield Tracker(opened)
    opened.close()


@pytest.fixture
def spenders(settings: Settings, tracked: Tracker) -> Iterator[Any]:
    made: list[Spender] = []

    def make(sleep: Any = None, **changed: Any) -> Spender:
        chosen = settings.model_copy(update=changed)
        made.append(Spender(tracked.database, chosen, owner=f"process {len(made)}", sleep=sleep or Sleeper()))
        return made[-1]

    yield make
    for spender in made:
        spender.close()
