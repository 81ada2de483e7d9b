"""Suspects are found by halving: a killed claim costs little; what kills workers is found in it and buried alone."""

import math
from collections.abc import Callable

import pytest

from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import dead_letter
from embedmill.shared.outcomes import Complete
from embedmill.shared.states import Result, State
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker

CLAIM = 64


class Mill:
    """Works messages off, one after another, on workers that are killed by some of the documents."""

    def __init__(self, runtime: WorkerRuntime, tracker: Tracker, is_poison: Callable[[int], bool]) -> None:
        self.runtime = runtime
        self.tracker = tracker
        self.is_poison = is_poison
        self.messages = self.deaths = 0

    def begin(self) -> list[int]:
        """One claim of many documents, whose worker is killed."""
        self.tracker.submit([f"file:///{n}" for n in range(CLAIM)])
        self.tracker.end_scan()
        ids = self.tracker.queue()
        self.tracker.rescue(self.tracker.claim(ids))
        return ids

    def run(self) -> None:
        while messages := dispatch(self.runtime.database, self.runtime.settings):
            for message in messages:
                assert message.alone or not self.deaths
                self.messages += 1
                self.work(self.tracker.claim(message.work))

    def work(self, claim: Lease) -> None:
        if any(self.is_poison(item.id) for item in claim.items):
            self.deaths += 1
            self.tracker.rescue(claim)
        else:
            self.tracker.settle(claim, Complete(Result.INDEXED))


def test_a_killed_claim_without_a_poison_is_done_in_two_messages(runtime: WorkerRuntime, tracker: Tracker) -> None:
    mill = Mill(runtime, tracker, lambda _: False)
    mill.begin()
    mill.run()
    assert (mill.messages, mill.deaths) == (2, 0)
    assert {(row["state"], row["attempt"]) for row in tracker.rows()} == {(State.COMPLETED, 1)}


@pytest.mark.parametrize("places", [(0,), (41,), (63,), (5, 6), (0, 31, 63)])
def test_poison_is_found_in_a_killed_claim_and_its_neighbours_complete(
    runtime: WorkerRuntime, tracker: Tracker, places: tuple[int, ...]
) -> None:
    poison: set[int] = set()
    mill = Mill(runtime, tracker, poison.__contains__)
    ids = mill.begin()
    poison.update(ids[place] for place in places)
    mill.run()
    assert {letter["work_id"] for letter in tracker.rows(dead_letter)} == poison
    assert {letter["error_class"] for letter in tracker.rows(dead_letter)} == {"WorkerLost"}
    innocent = [row for row in tracker.rows() if row["id"] not in poison]
    assert {(row["state"], row["attempt"]) for row in innocent} == {(State.COMPLETED, 1)}, "no attempt was lost"
    halvings = int(math.log2(CLAIM))
    assert mill.deaths <= len(places) * (halvings - 1 + 3)
    assert mill.messages <= 2 * mill.deaths + 2
