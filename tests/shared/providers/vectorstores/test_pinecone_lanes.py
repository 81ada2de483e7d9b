"""Lanes: how many requests a shard gets at once."""

import threading
from contextlib import ExitStack

import pytest

from shared.errors import FlowControl
from shared.providers.vectorstores.pinecone_lanes import HALVED_SECONDS, MOST, Lane


def test_successes_widen_a_lane_slowly_and_a_refusal_halves_it() -> None:
    now = 100.0
    lane = Lane("s", patience_seconds=1, clock=lambda: now)
    before = lane.limit
    for _ in range(before):
        lane.succeeded()
    assert lane.limit in (before, before + 1)
    for _ in range(1000):
        lane.succeeded()
    assert lane.limit == MOST
    for _ in range(10):
        lane.refused()
    assert lane.limit == MOST / 2, "those that were under way together are refused together"
    for _ in range(10):
        now += HALVED_SECONDS
        lane.refused()
    assert lane.limit == 1


def test_no_more_than_the_limit_are_under_way_and_nobody_waits_for_ever() -> None:
    lane = Lane("s", patience_seconds=0.05)
    with ExitStack() as taken:
        for _ in range(lane.limit):
            taken.enter_context(lane.turn())
        with pytest.raises(FlowControl, match="no turn"), lane.turn():
            pass
    with lane.turn():
        pass


def test_whoever_waits_for_a_dead_shard_does_not_ask_it_again() -> None:
    lane = Lane("s", patience_seconds=5)
    outcome: list[str] = []

    def wait() -> None:
        try:
            with lane.turn():
                outcome.append("asked")
        except FlowControl as refusal:
            outcome.append(refusal.reason)

    with ExitStack() as taken:
        for _ in range(lane.limit):
            taken.enter_context(lane.turn())
        waiting = threading.Thread(target=wait)
        waiting.start()
        lane.circuit.unanswered("no answer", since=lane.circuit.now)
    waiting.join()
    assert outcome == ["circuit"]


def test_a_shard_that_was_down_is_tried_by_one_at_a_time() -> None:
    now = 100.0
    lane = Lane("s", patience_seconds=1, clock=lambda: now)
    lane.circuit.unanswered("no answer", since=now)
    now += 1.0
    assert lane.limit == 1
    lane.succeeded()
    assert lane.limit > 1
