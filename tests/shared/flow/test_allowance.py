"""An allowance: never more than the limit, hardly less, all dimensions or none, fair between jobs."""

import heapq
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedmill.shared.flow import token_buckets
from embedmill.shared.flow.token_buckets import BURST_SECONDS, Wait

LIMITS = {"requests": 600, "tokens": 60_000}
START = 1_800_000_000.0


class Bucket:
    """An allowance with a clock of its own."""

    def __init__(self, **limits: int) -> None:
        self.value: dict[str, Any] = {}
        self.limits = limits or LIMITS
        self.now = START

    def take(self, *, job: str = "1", patience: float = 0.0, **amounts: int) -> Wait | None:
        self.value, wait = token_buckets.take(self.value, self.now, amounts, self.limits, job=job, patience=patience)
        return wait

    def level(self, dimension: str) -> float:
        return float(token_buckets.learn(self.value, self.now, {}, self.limits)["levels"][dimension])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40_000), st.floats(0, 20)), min_size=1, max_size=60))
def test_calls_never_take_more_than_the_limit_and_one_burst_and_one_call(calls: list[tuple[int, float]]) -> None:
    bucket = Bucket(tokens=60_000)
    taken, largest = 0, 0
    for amount, pause in calls:
        bucket.now += pause
        if bucket.take(tokens=amount) is None:
            taken, largest = taken + amount, max(largest, amount)
    passed = bucket.now - START
    assert taken <= (passed + BURST_SECONDS) * 1000 + largest


@settings(deadline=None)
@given(st.integers(1, 200_000), st.integers(1, 200_000))
def test_after_the_wait_that_was_told_the_call_goes_through(first: int, second: int) -> None:
    bucket = Bucket(tokens=60_000)
    assert bucket.take(tokens=first) is None
    wait = bucket.take(tokens=second)
    if wait is not None:
        bucket.now += wait.seconds - 0.01
        assert bucket.take(tokens=second) is not None
        bucket.now += 0.011
        assert bucket.take(tokens=second) is None


def test_a_hungry_fleet_uses_the_whole_limit_over_five_minutes() -> None:
    bucket, chance = Bucket(tokens=60_000), random.Random(1)
    used = 0
    while bucket.now < START + 300:
        amount = chance.randint(500, 12_000)
        wait = bucket.take(tokens=amount)
        if wait is None:
            used += amount
        else:
            bucket.now += wait.seconds
    assert 0.99 <= used / 300_000 <= 1.07


def test_a_call_that_lacks_one_dimension_takes_nothing_of_the_other() -> None:
    bucket = Bucket()
    assert bucket.take(requests=1, tokens=60_000) is None
    before = bucket.level("requests")
    assert bucket.take(requests=1, tokens=1) is not None
    assert bucket.level("requests") == before


def test_what_is_not_limited_costs_nothing() -> None:
    bucket = Bucket(tokens=60_000)
    assert all(bucket.take(requests=1, output=10**9) is None for _ in range(1000))


def test_what_was_not_used_is_given_back() -> None:
    bucket = Bucket(tokens=60_000)
    assert bucket.take(tokens=8_000) is None
    bucket.value = token_buckets.correct(bucket.value, bucket.now, {"tokens": 5_000}, bucket.limits)
    assert bucket.level("tokens") == 5_000


def test_a_provider_that_says_less_is_left_is_believed() -> None:
    bucket = Bucket(tokens=60_000)
    bucket.value = token_buckets.learn(bucket.value, bucket.now, {"tokens": 100}, bucket.limits)
    wait = bucket.take(tokens=1_100)
    assert wait is not None and wait.seconds == pytest.approx(1.0, abs=0.01)


def test_nobody_asks_before_retry_after() -> None:
    bucket = Bucket()
    bucket.value = token_buckets.refuse(bucket.value, bucket.now, 30.0, bucket.limits)
    for passed in (0.0, 29.9):
        bucket.now = START + passed
        wait = bucket.take(tokens=1)
        assert wait is not None and wait.seconds == pytest.approx(30.0 - passed)
    bucket.now = START + 30
    assert bucket.take(tokens=1) is None


def test_a_short_retry_after_does_not_end_a_longer_one() -> None:
    bucket = Bucket()
    for seconds in (30.0, 1.0):
        bucket.value = token_buckets.refuse(bucket.value, bucket.now, seconds, bucket.limits)
    bucket.now += 29
    assert bucket.take(tokens=1) is not None


def test_those_who_are_sent_away_are_told_different_times_that_follow_the_limit() -> None:
    bucket = Bucket(tokens=60_000)
    assert bucket.take(tokens=8_000) is None
    promises = [wait.promise for _ in range(5) if (wait := bucket.take(tokens=5_000)) is not None]
    gaps = [later - earlier for earlier, later in pairwise(promises)]
    assert len(promises) == 5
    assert gaps == pytest.approx([5.0] * 4)


def test_a_clock_that_is_put_back_holds_nobody_up() -> None:
    bucket = Bucket()
    bucket.value = token_buckets.refuse(bucket.value, bucket.now + 1e6, 10.0, bucket.limits)
    wait = bucket.take(tokens=1)
    assert wait == Wait(10.0, 10.0)


def test_a_small_job_gets_its_turn_beside_a_large_one() -> None:
    bucket = Bucket(tokens=60_000)
    got = {"large": 0, "small": 0}
    due = {"large": START, "small": START + 60}
    while bucket.now < START + 240:
        job = min(due, key=lambda name: due[name])
        bucket.now = max(bucket.now, due[job])
        wait = bucket.take(job=job, patience=2.0, tokens=4_000)
        if wait is None:
            got[job] += 4_000
        due[job] = bucket.now + (0.01 if wait is None else wait.seconds if wait.seconds <= 2 else wait.promise)
    assert sum(got.values()) >= 0.95 * 240_000
    assert got["small"] > 0.4 * 180_000


@pytest.mark.parametrize(
    ("answers", "least", "most"),
    [
        ([], 1.0, 1.0),
        ([(8_000, 8_000)], 1.0, 1.0),
        ([(8_000, 6_000)], 1.0, 1.0),
        ([(8_000, 9_600)], 1.25, 1.27),
        ([(8_000, 9_600)] + [(240_000, 288_000)] * 3, 1.22, 1.23),
    ],
    ids=["none", "alike", "fewer", "more, at first", "more, for long"],
)
def test_a_full_request_is_as_large_as_the_provider_counts_it(
    answers: list[tuple[int, int]], least: float, most: float
) -> None:
    value: dict[str, Any] = {}
    for planned, used in answers:
        value = token_buckets.observe(value, {"tokens": planned}, {"tokens": used})
    assert least <= token_buckets.headroom(value, START, {}).counted <= most


BATCHES = (34_000, 37_000, 33_000, 30_000, 28_000, 35_000, 39_000, 40_000) * 2


@pytest.mark.parametrize("workers", [2, 8])
@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.15, 1.3, 2.0])
def test_parked_batches_use_the_whole_limit_also_where_the_provider_counts_otherwise(
    ratio: float, workers: int
) -> None:
    """Whoever is sent away comes back at the turn that was promised; a provider counts `ratio` times our tokens."""
    bucket, tpm = Bucket(tokens=120_000), 120_000
    waiting = [(START, number, tokens) for number, tokens in enumerate(BATCHES)]
    free, sent = [START] * workers, list[tuple[float, int]]()
    while waiting:
        due, number, tokens = heapq.heappop(waiting)
        worker = min(range(workers), key=free.__getitem__)
        bucket.now = max(due, free[worker]) + 0.3
        planned = {"tokens": round(tokens / ratio)}
        wait = bucket.take(patience=2.0, tokens=planned["tokens"])
        if wait is not None and wait.seconds <= 2.0:
            bucket.now += wait.seconds
            wait = bucket.take(patience=0.0, tokens=planned["tokens"])
        if wait is None:
            sent.append((bucket.now, tokens))
            difference = {"tokens": planned["tokens"] - tokens}
            bucket.value = token_buckets.correct(bucket.value, bucket.now, difference, bucket.limits)
            bucket.value = token_buckets.observe(bucket.value, planned, {"tokens": tokens})
        else:
            heapq.heappush(waiting, (bucket.now + wait.promise, number, tokens))
        free[worker] = bucket.now
    passed = sent[-1][0] - START
    assert sum(tokens for _, tokens in sent[:-1]) / (tpm * passed / 60) >= 0.95
    assert max(later - earlier for (earlier, _), (later, _) in pairwise(sent)) <= 40_000 / 2000 + 2
