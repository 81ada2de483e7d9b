"""Collections: the move of an index version from some shards to others."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from embedmill.shared.db import collections, leases
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.collection_changes import add_up_changes, count_changes, count_moves, note_move
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.opening import open_database
from embedmill.shared.errors import NotFound, UserError
from embedmill.shared.outcomes import Advance, Complete
from embedmill.shared.sharding import ReadingOrder
from embedmill.shared.states import Result
from tests.shared.db.tracker import Tracker

MIGRATIONS = Path(__file__).parents[3] / "shared" / "db" / "migrations"


def move(tracker: Tracker, shards: int) -> None:
    found = read(tracker)
    with tracker.database.write() as connection:
        collections.begin_move(connection, found, shards)


def end(tracker: Tracker) -> None:
    found = read(tracker)
    with tracker.database.write() as connection:
        collections.end_move(connection, found)


def read(tracker: Tracker) -> Collection:
    with tracker.database.read() as connection:
        return collections.get_collection(connection, "default")


def test_a_move_writes_to_the_new_shards_and_reads_the_old_ones_too(tracker: Tracker) -> None:
    assert (read(tracker).leaving, read(tracker).reading_shards) == ((), ("v1-000",))
    move(tracker, 3)
    found = read(tracker)
    assert (found.shards, found.leaving) == (("v1-000", "v1-001", "v1-002"), ("v1-000",))
    assert found.reading_shards == found.shards
    assert found.settings["shards"] == 3
    homes = {found.home(f"d{n}"): found.former_home(f"d{n}") for n in range(50)}
    assert homes == {"v1-000": None, "v1-001": "v1-000", "v1-002": "v1-000"}
    end(tracker)
    assert read(tracker).leaving == ()
    assert read(tracker).former_home("d1") is None
    move(tracker, 2)
    assert read(tracker).reading_shards == ("v1-002", "v1-000", "v1-001")
    with tracker.database.read() as connection:
        assert collections.get_reading_order(connection, found.id).shards == read(tracker).reading_shards
        with pytest.raises(NotFound):
            collections.get_reading_order(connection, found.id + 1)


def test_readers_are_told_of_documents_that_go_while_a_move_is_under_way(tracker: Tracker) -> None:
    id = read(tracker).id

    def look() -> tuple[int, int, ReadingOrder]:
        with tracker.database.read() as connection:
            order = collections.get_reading_order(connection, id)
            return count_moves(connection, id), count_changes(connection, id), order

    move(tracker, 3)
    before = look()
    with tracker.database.write() as connection:
        note_move(connection, id)
        add_up_changes(connection)
    after = look()
    assert (after[0], after[1]) == (before[0] + 1, before[1] + 1)
    assert after[2] == before[2]._replace(moves=after[0]) != before[2]
    end(tracker)
    assert look()[2] == ReadingOrder(("v1-000", "v1-001", "v1-002")), "nothing is compared that can move no more"


def test_a_move_is_taken_up_and_another_waits_until_it_is_finished(tracker: Tracker) -> None:
    move(tracker, 3)
    move(tracker, 3)
    assert read(tracker).leaving == ("v1-000",)
    with pytest.raises(UserError, match="not finished") as refused:
        move(tracker, 2)
    assert "--shards 3" in refused.value.hint
    end(tracker)
    move(tracker, 3)
    assert read(tracker).leaving == (), "there is nothing to move"


def test_of_two_moves_that_begin_together_the_second_is_refused(tracker: Tracker) -> None:
    before = read(tracker)
    with tracker.database.write() as connection:
        collections.begin_move(connection, before, 3)
    with tracker.database.write() as connection, pytest.raises(UserError, match="not finished"):
        collections.begin_move(connection, before, 2)
    assert read(tracker).reading_shards == ("v1-000", "v1-001", "v1-002")


def test_batches_that_began_before_a_move_are_counted_until_they_end(tracker: Tracker) -> None:
    first = tracker.take(["a", "b"])
    tracker.settle(first, Advance("index"))
    claim = tracker.claim([item.id for item in first.items], "index")
    move(tracker, 2)
    with tracker.database.read() as connection:
        began = read_clock(connection)

    def indexing() -> int:
        with tracker.database.read() as connection:
            return leases.count_indexing(connection, tracker.collection.id, claimed_until=began)

    assert indexing() == len(claim.items) == 2
    tracker.write(claim.items[0].id, lease_until=began - 60)
    assert indexing() == 1, "a lease that ran out is not waited for: nobody may be there to end it"
    tracker.settle(claim, Complete(Result.INDEXED))
    assert indexing() == 0


def test_a_database_from_before_moves_is_upgraded_with_what_it_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracking.db'}"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO collection VALUES (1, 'default', '{}', 1, 0)"))
        connection.execute(
            text(
                "INSERT INTO index_version (collection_id, number, model, dimensions, chunker, shards, created_at) "
                "VALUES (1, 1, 'hash', 8, '1/384/32', '[\"v1-000\"]', 0)"
            )
        )
        connection.commit()
    engine.dispose()
    database = open_database(url)
    with database.read() as connection:
        found = collections.get_collection(connection, "default")
    assert (found.shards, found.leaving) == (("v1-000",), ())
    database.close()
