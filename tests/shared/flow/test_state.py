"""Shared state in SQLite, Postgres and Redis: changes come one at a time, whoever makes them."""

import pytest

from embedmill.shared.errors import FlowControl
from embedmill.shared.flow.redis_state import RedisState
from embedmill.shared.spend.shared_state import DatabaseState
from tests import forked
from tests.shared.flow.counting import count, count_often, opened

PROCESSES, TIMES = 4, 15


def test_four_processes_lose_no_change(state_urls: tuple[str, str]) -> None:
    with opened(*state_urls) as first:
        assert isinstance(first, RedisState if state_urls[1] else DatabaseState)
        forked.run_at_once(count_often, [(*state_urls, TIMES)] * PROCESSES)
        assert count(first) == PROCESSES * TIMES + 1


def test_a_change_may_leave_the_value(state_urls: tuple[str, str]) -> None:
    with opened(*state_urls) as state:
        count(state)
        assert state.update("count", lambda value, _: (None, value["n"])) == 1
        assert state.update("other", lambda value, _: (None, value)) == {}
        assert count(state) == 2


def test_values_are_found_by_how_their_keys_begin(state_urls: tuple[str, str]) -> None:
    with opened(*state_urls) as state:
        for key in ("circuit:a", "circuit:b", "limit:a"):
            state.update(key, lambda _, now: ({"at": now}, None))
        found, now = state.peek_all("circuit:")
        assert found.keys() == {"circuit:a", "circuit:b"}
        assert all(value["at"] <= now for value in found.values())


def test_without_the_redis_of_the_limits_work_waits_instead_of_passing_unlimited() -> None:
    state = RedisState("redis://127.0.0.1:1/0")
    with pytest.raises(FlowControl) as caught:
        count(state)
    assert caught.value.reason == "rate"
