"""The gate: never more inside than there are slots, suspects alone, nobody in after it was closed, nobody forgotten."""

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from embedmill.workers.consuming.gate import Gate
from tests.waiting import wait_until


class Witness:
    """Counts who is inside at any moment."""

    def __init__(self, gate: Gate, most: int) -> None:
        self.gate = gate
        self.most = most
        self.served = 0
        self.faults: list[str] = []
        self._inside = self._suspects = 0
        self._lock = threading.Lock()

    def visit(self, *, alone: bool) -> None:
        with self.gate.entered(alone=alone) as admitted:
            assert admitted
            with self._lock:
                self._inside += 1
                self._suspects += alone
                self._look()
            threading.Event().wait(0.0005)
            with self._lock:
                self._look()
                self._inside -= 1
                self._suspects -= alone
                self.served += 1

    def _look(self) -> None:
        if self._inside > self.most:
            self.faults.append(f"{self._inside} inside")
        if self._suspects and self._inside > 1:
            self.faults.append("a suspect in company")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.booleans(), min_size=1, max_size=24),
    st.lists(st.integers(1, 6), max_size=5),
)
def test_whatever_is_asked_of_it_in_whatever_order(slots: int, visitors: list[bool], sizes: list[int]) -> None:
    witness = Witness(Gate(slots), most=max([slots, *sizes]))
    with ThreadPoolExecutor(12) as threads:
        visits = [threads.submit(witness.visit, alone=alone) for alone in visitors]
        for size in sizes:
            witness.gate.resize(size)
        for visit in visits:
            visit.result(timeout=30)
    assert (witness.faults, witness.served) == ([], len(visitors))
    assert witness.gate.inside == 0


def test_a_suspect_gets_its_turn_though_others_keep_coming() -> None:
    gate = Gate(2)
    order: list[bool] = []

    def come(*, alone: bool) -> None:
        with gate.entered(alone=alone):
            order.append(alone)

    threads = [threading.Thread(target=come, kwargs={"alone": alone}) for alone in (True, False)]
    with gate.entered(alone=False):
        threads[0].start()
        wait_until(lambda: gate._suspects_waiting, "the suspect waits")
        threads[1].start()
        threads[1].join(0.05)
        assert order == [], "who came after the suspect waits for it, though there is a slot"
    for thread in threads:
        thread.join(30)
    assert order == [True, False]


def test_closing_sends_those_away_who_wait_and_leaves_those_inside() -> None:
    gate = Gate(1)
    admitted: list[bool] = []

    def come() -> None:
        with gate.entered(alone=False) as entered:
            admitted.append(entered)

    with gate.entered(alone=False):
        threads = [threading.Thread(target=come) for _ in range(3)]
        for thread in threads:
            thread.start()
        gate.close()
        for thread in threads:
            thread.join(30)
        assert gate.inside == 1
    assert admitted == [False] * 3


def test_without_slots_nobody_enters_until_there_are_some() -> None:
    gate = Gate(0)
    entered = threading.Event()

    def come() -> None:
        with gate.entered(alone=False):
            entered.set()

    thread = threading.Thread(target=come)
    thread.start()
    assert not entered.wait(0.05)
    gate.resize(1)
    thread.join(30)
    assert entered.is_set()


def test_it_is_shut_while_a_suspect_is_alone_inside_or_waits_for_that() -> None:
    gate = Gate(16)

    def come_alone() -> None:
        with gate.entered(alone=True):
            assert gate.is_shut, "fifteen slots are free, and nobody may take one"

    with gate.entered(alone=False):
        assert not gate.is_shut
        suspect = threading.Thread(target=come_alone)
        suspect.start()
        wait_until(lambda: gate.is_shut, "nobody enters before the suspect that waits")
    suspect.join(30)
    assert not gate.is_shut
    with gate.entered(alone=True):
        assert gate.is_shut
