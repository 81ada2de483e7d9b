"""Shared state in SQLite, Postgres and Redis: changes come one at a time, whoever makes them."""

import subprocess
import sys

import pytest

from shared.errors import FlowControl
from shared.flow.redis_state import RedisState
from shared.flow.state import DatabaseState
from tests.shared.flow.counting import count, opened

PROCESSES, TIMES = 4, 40


def test_four_processes_lose_no_change(state_urls: tuple[str, str]) -> None:
    with opened(*state_urls) as first:
        assert isinstance(first, RedisState if state_urls[1] else DatabaseState)
        command = [sys.executable, "-m", "tests.shared.flow.counting", *state_urls, str(TIMES)]
        processes = [subprocess.Popen(command) for _ in range(PROCESSES)]
        assert [process.wait(60) for process in processes] == [0] * PROCESSES
        assert count(first) == PROCESSES * TIMES + 1


def test_a_change_may_leave_the_value(state_urls: tuple[str, str]) -> None:
    with opened(*state_urls) as state:
        count(state)
        assert state.update("count", lambda value, _: (None, value["n"])) == 1
        assert state.update("other", lambda value, _: (None, value)) == {}
        assert count(state) == 2


def test_without_the_redis_of_the_limits_work_waits_instead_of_passing_unlimited() -> None:
    state = RedisState("redis://127.0.0.1:1/0")
    with pytest.raises(FlowControl) as caught:
        count(state)
    assert caught.value.reason == "rate"
