"""The deletion of a collection: whole, or to be gone on with by the same command."""

import pytest

from embedmill.console.cli import collections as collections_cli
from embedmill.console.cli import session
from embedmill.shared.db import collections
from embedmill.shared.db.engine import open_database
from embedmill.shared.errors import ProviderUnavailable, UserError
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.settings import Settings
from tests.shared.db.tracker import Tracker


@pytest.fixture
def tracker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """The tracker of the home in which the command runs."""
    monkeypatch.setattr(session, "read_settings", lambda: settings)
    settings.home_path.mkdir(parents=True, exist_ok=True)
    return Tracker(open_database(settings.database))


def names(tracker: Tracker) -> list[str]:
    with tracker.database.read() as connection:
        return [found.name for found in collections.list_collections(connection)]


def test_a_collection_whose_vectors_cannot_be_dropped_stays_and_goes_with_the_next_try(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.end_scan()
    tracker.complete_jobs()
    drops: list[str] = []

    def refuse(_: EmbeddedVectorStore, shard: str) -> None:
        drops.append(shard)
        if len(drops) == 1:
            raise ProviderUnavailable("the store is away")

    monkeypatch.setattr(EmbeddedVectorStore, "drop", refuse)
    with pytest.raises(ProviderUnavailable):
        collections_cli.delete("default", yes=True)
    assert names(tracker) == ["default"]
    collections_cli.delete("default", yes=True)
    assert (names(tracker), len(drops)) == ([], 2)


def test_a_collection_that_is_worked_on_keeps_its_vectors(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedVectorStore, "drop", lambda *_: pytest.fail("its vectors are dropped"))
    with pytest.raises(UserError, match="still works on this collection"):
        collections_cli.delete("default", yes=True)
    assert names(tracker) == ["default"]
