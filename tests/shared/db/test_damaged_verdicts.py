"""A verdict that cannot be read back is dropped, counted and made anew; on both engines."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text, update

from embedmill.shared.db import reviews
from embedmill.shared.db.reviews import Doubt
from embedmill.shared.db.schema import verdict
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.workers.validation.obtaining import Obtained, obtain_verdicts, verdict_cache
from tests.shared.db.tracker import Tracker
from tests.shared.providers.books import Books
from tests.shared.providers.models.simulated import Served, served
from tests.workers.validation.passages import passage

DAMAGED = [
    {},
    None,
    ["model", 5],
    {"source": "model"},
    {"source": "model", "score": 9},
    {"source": "model", "score": "5"},
    {"source": "model", "score": True},
    {"source": "nobody", "score": 5},
    {"source": "model", "score": 5, "cuts": [7]},
]


@pytest.fixture(scope="module")
def claude() -> Iterator[Served]:
    with served("anthropic/claude-opus-4-7") as model:
        yield model


class Judges:
    """A worker that wants verdicts on three chunks."""

    def __init__(self, tracker: Tracker, claude: Served, folder: Path) -> None:
        self.cache = VerdictCache(tracker.database)
        self.passages = [passage(n) for n in range(3)]
        self._claude = claude
        self._runtime: Any = SimpleNamespace(database=tracker.database, owner="one", run_folder=folder)

    def obtain(self) -> Obtained:
        model = self._claude.model
        self.books = Books()
        obtained = obtain_verdicts(
            self._runtime, verdict_cache(self._runtime, model), model, self.passages, meter=self.books, concurrency=1
        )
        assert obtained.opinions.keys() == {s.address for s in self.passages}
        return obtained


@pytest.fixture
def judges(tracker: Tracker, claude: Served, tmp_path: Path) -> Judges:
    made = Judges(tracker, claude, tmp_path)
    assert made.obtain().cached == 0
    return made


@pytest.mark.parametrize("body", DAMAGED, ids=str)
def test_a_damaged_verdict_is_dropped_counted_and_made_anew(judges: Judges, tracker: Tracker, body: Any) -> None:
    address = judges.passages[1].address
    with tracker.database.write() as connection:
        connection.execute(update(verdict).where(verdict.c.address == address).values(body=body))
    again = judges.obtain()
    assert (again.cached, len(judges.books.settled), judges.cache.count_damaged()) == (2, 1, 1)
    assert (judges.obtain().cached, judges.cache.count_damaged()) == (3, 1)


def test_what_is_no_json_any_more_is_damaged_too(judges: Judges, tracker: Tracker) -> None:
    if not tracker.database.is_sqlite:
        pytest.skip("Postgres lets no such text in")
    with tracker.database.write() as connection:
        connection.execute(text("UPDATE verdict SET body = substr(body, 1, 20)"))
    judges.obtain()
    assert (len(judges.books.settled), judges.cache.count_damaged()) == (1, 3)


def test_what_a_person_decided_stays_with_the_chunk(judges: Judges, tracker: Tracker) -> None:
    address = judges.passages[0].address
    document = tracker.take(["file:///a"]).items[0].document_id
    with tracker.database.write() as connection:
        reviews.submit_reviews(connection, [Doubt(tracker.collection.id, document, "c", 0, address, ("odd",))])
        connection.execute(update(verdict).where(verdict.c.address == address).values(body={}))
        [entry] = reviews.list_reviews(connection)
        reviews.resolve_review(connection, entry["id"], "rejected")
    assert entry["verdict"] is None
    assert judges.obtain().opinions[address].decision == "rejected"
    assert judges.obtain().opinions[address].decision == "rejected"


def test_of_two_that_find_a_damaged_verdict_the_later_drops_no_new_one(judges: Judges, tracker: Tracker) -> None:
    address = judges.passages[0].address
    with tracker.database.write() as connection:
        connection.execute(update(verdict).where(verdict.c.address == address).values(body={}))
    found = judges.cache.get_many([address])
    judges.obtain()
    judges.cache.drop_damaged(found)
    assert (judges.obtain().cached, judges.cache.count_damaged()) == (3, 1)
