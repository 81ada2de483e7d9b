"""A random walk over a table that is read by a cursor: nothing that is there is missing, nothing old stays for good."""

from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import pytest

from embedmill.producers import scanning
from embedmill.producers.scanning import SourceScan
from tests.contracts.sources import Desk, Killed, desk, killed
from tests.corpus import text_of
from tests.producers.sources.sql.databases import Database
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]

IDS = range(1, 13)
OVERLAP = 5


@dataclass
class Walk:
    """A table with a number that grows, which some changes carry late, and what it holds."""

    database: Database
    desk: Desk
    monkeypatch: pytest.MonkeyPatch
    random: Random
    now: int = 100
    rows: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database.execute(
            "CREATE TABLE articles (id INTEGER PRIMARY KEY, body TEXT, version INTEGER, gone INTEGER)"
        )
        for id_ in IDS:
            self.write(id_)

    def change(self) -> None:
        for id_ in self.random.sample(IDS, 3):
            self.random.choice((self.write, self.write, self.mark, self.delete))(id_)

    def write(self, id_: int) -> None:
        """Sometimes with the number of a change that began earlier."""
        self.now += 1
        self.rows[id_] = text_of(self.random.randrange(40))
        number = self.now - self.random.choice((0, 0, OVERLAP - 2))
        text = self.rows[id_].replace("'", "''")
        self.database.execute(f"REPLACE INTO articles VALUES ({id_}, '{text}', {number}, 0)")

    def mark(self, id_: int) -> None:
        self.now += 1
        self.rows.pop(id_, None)
        self.database.execute(f"UPDATE articles SET gone = 1, version = {self.now} WHERE id = {id_}")

    def delete(self, id_: int) -> None:
        """What was marked before is no row that is there."""
        self.rows.pop(id_, None)
        self.database.execute(f"DELETE FROM articles WHERE id = {id_}")

    def read(self) -> None:
        compares = self.random.random() < 0.3
        source = self.database.open(cursor="version", overlap=OVERLAP, deleted="gone", compare=compares)
        if self.random.random() < 0.3:
            with self.monkeypatch.context() as patch, suppress(Killed):
                patch.setattr(SourceScan, "record", killed(SourceScan.record, self.random.randrange(4)))
                self.desk.scan(source, allow_deletes=True)
            return
        self.desk.ingest(source, allow_deletes=True)
        self.require(is_whole=compares)

    def require(self, *, is_whole: bool) -> None:
        base = self.database.open().uri
        found = self.desk.indexed()
        wanted = {f"{base}/{id_}": text for id_, text in self.rows.items()}
        assert wanted.keys() <= found.keys()
        assert all(text.split(".")[0] in found[uri] for uri, text in wanted.items())
        if is_whole:
            assert wanted.keys() == found.keys()


def walk(database: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch, *, seed: int, readings: int) -> None:
    monkeypatch.setattr(scanning, "BATCH_ITEMS", 3)
    walk = Walk(database, desk, monkeypatch, Random(seed))
    for _ in range(readings):
        walk.change()
        walk.read()
    source = database.open(cursor="version", overlap=OVERLAP, deleted="gone", compare=True)
    desk.ingest(source, allow_deletes=True)
    walk.require(is_whole=True)


def test_a_short_walk_ends_with_what_is_in_the_table(
    sqlite: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(sqlite, desk, monkeypatch, seed=1, readings=8)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(5))
def test_a_long_walk_does_too(sqlite: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    walk(sqlite, desk, monkeypatch, seed=100 + seed, readings=60)
