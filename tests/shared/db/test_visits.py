"""Turns at hosts, on both engines: whoever asks, they are a pause apart."""

import gc

import pytest

from embedmill.shared.db import source_memory, visits
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import visited_host
from tests.shared.db.tracker import Tracker


def test_turns_of_all_who_ask_are_a_pause_apart_and_hosts_have_each_their_own(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        waits = [visits.take_turn(connection, "a.example:443", 10.0) for _ in range(3)]
        assert waits == [pytest.approx(0.0, abs=2), pytest.approx(10.0, abs=2), pytest.approx(20.0, abs=2)]
        assert visits.take_turn(connection, "b.example:443", 10.0) == pytest.approx(0.0, abs=2)


def test_a_host_that_rests_is_asked_by_nobody_and_a_shorter_rest_ends_no_longer_one(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        visits.rest(connection, "a.example:443", 100.0)
        visits.rest(connection, "a.example:443", 1.0)
        assert visits.take_turn(connection, "a.example:443", 1.0) == pytest.approx(100.0, abs=2)
        connection.execute(visited_host.update().values(due_at=clock() + 100_000))
        assert visits.take_turn(connection, "a.example:443", 1.0) == pytest.approx(0.0, abs=2)


def test_hosts_that_may_be_asked_anyway_are_forgotten(tracker: Tracker) -> None:
    with tracker.database.write() as connection:
        visits.rest(connection, "a.example:443", -5.0)
        visits.rest(connection, "b.example:443", 100.0)
        visits.forget_hosts(connection)
    assert [row["place"] for row in tracker.rows(visited_host)] == ["b.example:443"]


def test_what_a_crawl_asks_for_each_page_leaves_nothing_to_the_garbage_collector(tracker: Tracker) -> None:
    def ask() -> None:
        assert not source_memory.find_memory(connection, 1, ["page/https://a.example/"])
        visits.take_turn(connection, "a.example:443", 0.1)
        visits.rest(connection, "a.example:443", 1.0)

    with tracker.database.write() as connection:
        ask()
        gc.collect()
        for _ in range(20):
            ask()
        assert gc.collect() < 20
