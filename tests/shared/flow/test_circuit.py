"""A circuit: opens after failures in a row, rests longer each time, lets one probe through, closes on an answer."""

from typing import Any

from shared.flow import circuit
from shared.flow.circuit import LONGEST_REST_SECONDS, PROBE_SECONDS, Policy

POLICY = Policy(failures=3, first_rest_seconds=10.0)


class Watched:
    """A circuit with a clock of its own."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self.now = 1_800_000_000.0

    def ask(self) -> float:
        changed, seconds = circuit.ask(self.value, self.now)
        self.value = self.value if changed is None else changed
        return seconds

    def fail(self, times: int = 1) -> float:
        rest = 0.0
        for _ in range(times):
            self.value, rest = circuit.fail(self.value, self.now, POLICY)
        return rest

    def succeed(self) -> bool:
        changed, closed = circuit.succeed(self.value, self.now)
        self.value = self.value if changed is None else changed
        return closed

    @property
    def state(self) -> str:
        return circuit.state_of(self.value, self.now)


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    watched = Watched()
    assert watched.fail(2) == 0
    watched.succeed()
    assert watched.fail(2) == 0
    assert watched.state == "closed"
    assert watched.fail() == 10.0
    assert watched.state == "open"


def test_while_it_is_open_everybody_is_told_how_long() -> None:
    watched = Watched()
    watched.fail(3)
    watched.now += 4
    assert watched.ask() == 6.0
    assert watched.fail() == 6.0, "a call that was out already does not make the rest longer"


def test_after_its_rest_one_worker_probes_and_the_others_wait_for_it() -> None:
    watched = Watched()
    watched.fail(3)
    watched.now += 10
    assert watched.state == "half-open"
    assert [watched.ask() for _ in range(3)] == [0.0, PROBE_SECONDS, PROBE_SECONDS]


def test_a_probe_whose_worker_died_is_sent_again() -> None:
    watched = Watched()
    watched.fail(3)
    watched.now += 10
    watched.ask()
    watched.now += PROBE_SECONDS
    assert watched.ask() == 0.0


def test_a_probe_that_fails_doubles_the_rest_up_to_the_longest() -> None:
    watched, rests = Watched(), []
    rests.append(watched.fail(3))
    for _ in range(6):
        watched.now += rests[-1]
        assert watched.ask() == 0.0
        rests.append(watched.fail())
    assert rests == [10, 20, 40, 80, 160, LONGEST_REST_SECONDS, LONGEST_REST_SECONDS]


def test_a_probe_that_is_answered_closes_it() -> None:
    watched = Watched()
    watched.fail(3)
    watched.now += 10
    watched.ask()
    assert watched.succeed()
    assert watched.state == "closed" and watched.value == {}
    assert not watched.succeed()


def test_an_answer_to_a_call_from_before_does_not_close_an_open_one() -> None:
    watched = Watched()
    watched.fail(3)
    assert not watched.succeed()
    assert watched.state == "open"
