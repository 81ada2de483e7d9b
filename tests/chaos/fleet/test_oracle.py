"""The oracle of the storms can fail: it sees a vector that is missing, a text that is stale, and a blamed innocent."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.fleet.conftest import Services, corpus_with_reference, require_as_without_faults
from tests.chaos.fleet.deployment import Fleet
from tests.command import Command

DOCUMENTS = 4


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def lose_a_vector(home: Path) -> None:
    change(next(home.glob("vectors/*/*.db")), "DELETE FROM vectors WHERE key = (SELECT min(key) FROM vectors)")


def make_a_text_stale(home: Path) -> None:
    shard = next(home.glob("vectors/*/*.db"))
    change(shard, "UPDATE vectors SET text = 'stale' WHERE key = (SELECT min(key) FROM vectors)")


def complete_one_twice(home: Path) -> None:
    change(
        home / "tracking.db",
        "INSERT INTO attempt (work_id, stage, epoch, attempt, worker, started_at, ended_at, outcome) "
        "SELECT work_id, stage, epoch + 100, attempt, worker, started_at, ended_at, outcome FROM attempt "
        "WHERE stage = 'index' AND outcome = 'ok' LIMIT 1",
    )


def keep_a_lease(home: Path) -> None:
    change(
        home / "tracking.db",
        "UPDATE work SET state = 'running', result = NULL, finished_at = NULL, lease = 'a', lease_until = 0 "
        "WHERE id = (SELECT min(id) FROM work)",
    )


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("damage", [lose_a_vector, make_a_text_stale, complete_one_twice, keep_a_lease])
def test_what_a_storm_could_leave_behind_is_found(
    services: Services, chaotic: Command, damage: Callable[[Path], None]
) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    with Fleet(chaotic, broker=services["embedded"], database=services["sqlite"]) as fleet:
        job = fleet.command.json("ingest", corpus)["job"]
        require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
        damage(fleet.command.home)
        with pytest.raises(AssertionError):
            require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
