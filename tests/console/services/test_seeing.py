"""A search reads which documents readers see once, and again as soon as anything of the collection has changed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from embedmill.console.services import seeing
from embedmill.console.services.seeing import Sight
from embedmill.shared.db import documents
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import document
from embedmill.shared.editions import Edition, Seen
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Tracker]:
    place_migrated(tmp_path / "tracking.db")
    database = open_database(f"sqlite:///{tmp_path / 'tracking.db'}")
    yield Tracker(database)
    database.close()


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The documents of each look at their rows."""
    asked: list[list[str]] = []
    find = documents.find_active_editions

    def noted(connection: Connection, ids: Sequence[str]) -> dict[str, Edition]:
        asked.append(list(ids))
        return find(connection, ids)

    monkeypatch.setattr(documents, "find_active_editions", noted)
    return asked


def index(tracker: Tracker, name: str, said: str) -> str:
    job_id = tracker.create_job(said)
    tracker.submit([name], text=said, job=job_id)
    tracker.index(tracker.claim(tracker.queue(job=job_id)))
    return next(str(row["id"]) for row in tracker.rows(document) if row["uri"] == name)


def sight(tracker: Tracker, seen: dict[int, Seen]) -> Sight:
    return Sight(tracker.database, tracker.collection.id, seen)


def test_what_is_known_is_not_looked_up_again_by_any_search(tracker: Tracker, looked_up: list[list[str]]) -> None:
    known: dict[int, Seen] = {}
    one, two = index(tracker, "file:///a", "one"), index(tracker, "file:///b", "two")
    first = sight(tracker, known).find_editions({one})
    assert sight(tracker, known).find_editions({one, two, "none"})[one] == first[one]
    assert set(sight(tracker, known).find_editions({one, two, "none"})) == {one, two}
    assert [sorted(some) for some in looked_up] == [[one], sorted([two, "none"]), ["none"]]


def test_a_switch_and_a_removal_act_on_the_very_next_look(tracker: Tracker) -> None:
    known: dict[int, Seen] = {}
    one = index(tracker, "file:///a", "one")
    before = sight(tracker, known).find_editions({one})
    index(tracker, "file:///a", "one, changed")
    after = sight(tracker, known).find_editions({one})
    assert after[one] not in (None, before[one])
    tracker.switch(tracker.remove_all())
    assert sight(tracker, known).find_editions({one}) == {}


def test_rows_that_were_seen_are_forgotten_as_soon_as_anything_has_changed(tracker: Tracker) -> None:
    known: dict[int, Seen] = {}
    index(tracker, "file:///a", "one")
    sight(tracker, known).find_seen().add("row")
    assert sight(tracker, known).find_seen() == {"row"}
    index(tracker, "file:///b", "two")
    assert sight(tracker, known).find_seen() == set()


def test_who_still_looks_at_the_state_of_before_teaches_nobody_else(tracker: Tracker) -> None:
    known: dict[int, Seen] = {}
    one = index(tracker, "file:///a", "one")
    late = sight(tracker, known)
    with tracker.database.read() as reader:
        of_before = late._seen_in(reader)
        index(tracker, "file:///a", "one, changed")
        now = sight(tracker, known).find_editions({one})
        seeing._remember(of_before.editions, documents.find_active_editions(reader, [one]))
    assert sight(tracker, known).find_editions({one}) == now


def test_no_more_is_kept_than_there_is_room_for(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "MOST_KNOWN", 2)
    known: dict[int, Seen] = {}
    ids = [index(tracker, f"file:///{name}", name) for name in "abc"]
    for id_ in ids:
        assert list(sight(tracker, known).find_editions({id_})) == [id_]
    assert len(known[tracker.collection.id].editions) <= 2
