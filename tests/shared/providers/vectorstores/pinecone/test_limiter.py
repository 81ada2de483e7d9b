"""The limiter: how many requests a shard gets at once."""

import threading
from contextlib import ExitStack
from dataclasses import replace

import pytest

from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.providers.vectorstores.pinecone.client import PineconeClient, parse_address
from embedmill.shared.providers.vectorstores.pinecone.limiter import HALVED_SECONDS, MOST, ShardLimiter
from tests.waiting import wait_until


def test_successes_widen_the_limit_slowly_and_a_refusal_halves_it() -> None:
    now = 100.0
    limiter = ShardLimiter("s", patience_seconds=1, clock=lambda: now)
    before = limiter.limit
    for _ in range(before):
        limiter.succeeded()
    assert limiter.limit in (before, before + 1)
    for _ in range(1000):
        limiter.succeeded()
    assert limiter.limit == MOST
    for _ in range(10):
        limiter.refused()
    assert limiter.limit == MOST / 2, "those that were under way together are refused together"
    for _ in range(10):
        now += HALVED_SECONDS
        limiter.refused()
    assert limiter.limit == 1


def test_no_more_than_the_limit_are_under_way_and_nobody_waits_for_ever() -> None:
    limiter = ShardLimiter("s", patience_seconds=0.05)
    with ExitStack() as taken:
        for _ in range(limiter.limit):
            taken.enter_context(limiter.turn())
        with pytest.raises(FlowControl, match="no turn"), limiter.turn():
            pass
    with limiter.turn():
        pass


def test_a_long_queue_is_waited_for_as_long_as_it_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = ShardLimiter("s", patience_seconds=1)
    frees = iter([False, False, True])

    def wait_for(*_: object) -> bool:
        limiter._ended += 1
        return next(frees)

    monkeypatch.setattr(limiter._free, "wait_for", wait_for)
    with limiter.turn():
        pass
    assert list(frees) == []


def test_waiting_for_a_turn_is_no_time_of_a_request() -> None:
    now = 100.0
    client = PineconeClient(parse_address("pinecone://i", dimensions=4), dimensions=4, clock=lambda: now)
    persistence = replace(client.persistence, sleep=lambda _: None)
    limiter = client.limiter("s")
    failures = [ProviderUnavailable("503"), ProviderUnavailable("503")]
    answers: list[str] = []

    def request() -> str:
        with limiter.turn():
            if failures:
                raise failures.pop()
            return "answer"

    asking = threading.Thread(target=lambda: answers.append(persistence.ask(request)))
    with ExitStack() as taken:
        for _ in range(limiter.limit):
            taken.enter_context(limiter.turn())
        asking.start()
        waiting = limiter._free._waiters  # type: ignore[attr-defined]
        wait_until(lambda: bool(waiting), "it waits for a turn")
        now += 3600.0
    asking.join()
    assert answers == ["answer"]


def test_whoever_waits_for_a_dead_shard_does_not_ask_it_again() -> None:
    limiter = ShardLimiter("s", patience_seconds=60)
    outcome: list[str] = []

    def wait() -> None:
        try:
            with limiter.turn():
                outcome.append("asked")
        except FlowControl as refusal:
            outcome.append(refusal.reason)

    with ExitStack() as taken:
        for _ in range(limiter.limit):
            taken.enter_context(limiter.turn())
        waiting = threading.Thread(target=wait)
        waiting.start()
        limiter.unanswered("no answer", since=limiter.now)
    waiting.join()
    assert outcome == ["circuit"]


def test_a_shard_that_was_down_is_tried_by_one_at_a_time() -> None:
    now = 100.0
    limiter = ShardLimiter("s", patience_seconds=1, clock=lambda: now)
    limiter.unanswered("no answer", since=now)
    now += 1.0
    assert limiter.limit == 1
    limiter.succeeded()
    assert limiter.limit > 1


def test_no_answer_at_all_opens_the_circuit_at_once_unless_others_had_one_meanwhile() -> None:
    now = 100.0
    limiter = ShardLimiter("s", patience_seconds=1, clock=lambda: now)
    since = limiter.now
    now += 10
    limiter.succeeded()
    assert isinstance(limiter.unanswered("no answer", since=since), ProviderUnavailable)
    since = limiter.now
    now += 10
    assert isinstance(limiter.unanswered("no answer", since=since), FlowControl)
