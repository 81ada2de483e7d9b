"""Chores and workers in the database: one process does a chore, and a lease that ran out is taken over."""

from embedmill.shared.db import presence
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import chore


def take(database: Database, holder: str, seconds: float = 60.0) -> bool:
    with database.write() as connection:
        return presence.take_chore(connection, "chores", holder=holder, seconds=seconds)


def test_one_process_holds_a_chore_and_keeps_it(database: Database) -> None:
    assert take(database, "one")
    assert not take(database, "two")
    assert take(database, "one")


def test_a_chore_whose_lease_ran_out_is_taken_over(database: Database) -> None:
    take(database, "one", seconds=-1.0)
    assert take(database, "two")
    assert not take(database, "one")


def test_a_chore_that_was_freed_is_taken_at_once(database: Database) -> None:
    take(database, "one")
    with database.write() as connection:
        presence.free_chore(connection, "chores", holder="two")
    assert not take(database, "two")
    with database.write() as connection:
        presence.free_chore(connection, "chores", holder="one")
    assert take(database, "two")
    with database.write() as connection:
        presence.end_chore(connection, "chores", holder="two")
        assert presence.find_chore_holder(connection, "chores") is None
    assert take(database, "one")


def test_a_chore_leased_by_a_clock_that_was_put_back_is_taken_over(database: Database) -> None:
    take(database, "one")
    with database.write() as connection:
        connection.execute(chore.update().values(lease_until=clock() + 2 * 3600))
    assert take(database, "two")


def test_the_holder_is_known_only_while_its_lease_lasts(database: Database) -> None:
    take(database, "one")
    with database.read() as connection:
        assert presence.find_chore_holder(connection, "chores") == "one"
    take(database, "one", seconds=-1.0)
    with database.read() as connection:
        assert presence.find_chore_holder(connection, "chores") is None


def test_workers_are_listed_until_they_stop(database: Database) -> None:
    with database.write() as connection:
        presence.register_worker(connection, "w-1", host="host", pid=7, queues=["chunk"])
        presence.register_worker(connection, "w-1", host="host", pid=7, queues=["chunk"])
    with database.read() as connection:
        (found,) = presence.list_workers(connection)
    assert (found["id"], found["queues"]) == ("w-1", ["chunk"])
    assert 0 <= found["age"] < 60
    with database.write() as connection:
        presence.stop_worker(connection, "w-1")
    with database.read() as connection:
        assert presence.list_workers(connection) == []
        assert len(presence.list_workers(connection, include_stopped=True)) == 1
