"""What a person waits for goes before what jobs ask for: it waits for one slot at most, however busy they are."""

import heapq
import json
import random
from math import inf
from typing import Any

import pytest

from embedmill.shared.errors import FlowControl
from embedmill.shared.flow import token_buckets
from embedmill.shared.flow.allowance import Allowance
from embedmill.shared.flow.limits import ProviderLimits
from embedmill.shared.flow.state import LocalState
from embedmill.shared.flow.token_buckets import GRACE_SECONDS, URGENT_PATIENCE_SECONDS, Wait

START = 1_800_000_000.0
PATIENCE = 2.0
MINUTES = 10


class Busy:
    """A limit that jobs use up, on a clock that is moved; what is shared goes through JSON, as between processes."""

    def __init__(self, limits: dict[str, int], job_call: dict[str, int], query: dict[str, int]) -> None:
        self.limits, self.job_call, self.query = limits, job_call, query
        self.value: dict[str, Any] = {}
        self.now = START
        self.served = 0
        self.waits: list[float] = []

    def ask(self, name: str) -> Wait | None:
        value = json.loads(json.dumps(self.value))
        if name.startswith("job"):
            self.value, wait = token_buckets.take(
                value, self.now, self.job_call, self.limits, job=name, patience=PATIENCE
            )
        else:
            self.value, wait = token_buckets.take_urgently(
                value, self.now, self.query, self.limits, caller=name, patience=URGENT_PATIENCE_SECONDS
            )
        return wait

    def run(self, *, jobs: int, queries: int) -> None:
        """Jobs always have work; queries come now and then."""
        chance = random.Random(4)
        due = [(START + n / 100, f"job {n}") for n in range(jobs)]
        asked = {f"query {n}": START + 60 + 24 * n + 12 * chance.random() for n in range(queries)}
        due += [(at, name) for name, at in asked.items()]
        heapq.heapify(due)
        while due and due[0][0] < START + 60 * MINUTES:
            self.now, name = heapq.heappop(due)
            wait = self.ask(name)
            if wait is not None:
                pause = wait.seconds if not name.startswith("job") or wait.seconds <= PATIENCE else wait.promise
                heapq.heappush(due, (self.now + pause, name))
            elif name.startswith("job"):
                self.served += 1
                heapq.heappush(due, (self.now + 0.05, name))
            else:
                self.waits.append(self.now - asked[name])


@pytest.mark.parametrize("jobs", [1, 8, 40])
@pytest.mark.parametrize(
    ("limits", "job_call", "query", "slot"),
    [
        ({"requests": 12}, {"requests": 1}, {"requests": 1}, 5.0),
        ({"requests": 600, "tokens": 60_000}, {"requests": 1, "tokens": 4_000}, {"requests": 1, "tokens": 20}, 4.0),
        ({"tokens": 60_000}, {"tokens": 9_000}, {"tokens": 50}, 9.0),
    ],
    ids=["few requests", "tokens", "large calls"],
)
def test_a_query_waits_for_one_slot_while_jobs_use_up_the_limit(
    limits: dict[str, int], job_call: dict[str, int], query: dict[str, int], slot: float, jobs: int
) -> None:
    busy = Busy(limits, job_call, query)
    busy.run(jobs=jobs, queries=20)
    assert len(busy.waits) == 20
    assert max(busy.waits) <= slot + 0.1
    used = busy.served * max(job_call[name] / limit for name, limit in limits.items() if name in job_call)
    assert used >= (0.8 if jobs > 1 else 0.5) * MINUTES, "jobs go on"


def test_a_job_waits_while_a_query_does() -> None:
    busy = Busy({"requests": 60}, {"requests": 1}, {"requests": 1})
    while busy.ask("job 1") is None:
        pass
    wait = busy.ask("query")
    assert wait is not None and wait.seconds <= 1.01
    busy.now += wait.seconds
    assert busy.ask("job 2") is not None, "there is room, and it is not for the job"
    assert busy.ask("query") is None
    busy.now += 1.0
    assert busy.ask("job 2") is None


def test_who_does_not_come_back_is_not_waited_for() -> None:
    busy = Busy({"requests": 60}, {"requests": 1}, {"requests": 1})
    while busy.ask("job 1") is None:
        pass
    assert busy.ask("query") is not None
    busy.now += 1.1 + GRACE_SECONDS
    assert busy.ask("job 1") is None


def test_queries_keep_their_order() -> None:
    busy = Busy({"requests": 60}, {"requests": 1}, {"requests": 1})
    while busy.ask("job 1") is None:
        pass
    assert busy.ask("first") is not None
    busy.now += 0.5
    assert busy.ask("second") is not None
    busy.now += 0.501
    assert busy.ask("second") is not None
    assert busy.ask("first") is None


def test_what_cannot_be_had_soon_is_done_without_and_holds_up_nobody() -> None:
    busy = Busy({"tokens": 60_000}, {"tokens": 1000}, {"tokens": 1000})
    busy.value = token_buckets.refuse(busy.value, busy.now, URGENT_PATIENCE_SECONDS + 5, busy.limits)
    wait = busy.ask("query")
    assert wait is not None and wait.seconds > URGENT_PATIENCE_SECONDS
    assert busy.value["urgent"] == {}


def test_an_allowance_sleeps_for_its_slot_and_then_takes() -> None:
    clock, slept = [START], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    state = LocalState(clock=lambda: clock[0])
    limits = ProviderLimits("pool", fixed={"requests": 60})
    allowed = Allowance("limit", "somebody/model", limits, state, sleep=sleep)
    for _ in range(8):
        allowed.await_turn({"requests": 1}, job="7")
    assert slept == []
    allowed.await_urgent_turn({"requests": 1}, seconds_left=inf)
    assert 0.9 < sum(slept) < 1.1
    state.update("limit", lambda value, now: (token_buckets.refuse(value, now, 60.0, {"requests": 60}), None))
    with pytest.raises(FlowControl, match="used up"):
        allowed.await_urgent_turn({"requests": 1}, seconds_left=inf)


def test_no_turn_is_waited_for_that_comes_too_late() -> None:
    slept: list[float] = []
    limits = ProviderLimits("pool", fixed={"requests": 12})
    allowed = Allowance("limit", "somebody/model", limits, LocalState(clock=lambda: START), sleep=slept.append)
    allowed.await_urgent_turn({"requests": 1}, seconds_left=0.0)
    with pytest.raises(FlowControl, match="used up"):
        allowed.await_urgent_turn({"requests": 1}, seconds_left=2.0)
    assert slept == []
