"""A circuit: opens when most calls fail, rests longer each time, lets one probe through, closes on an answer."""

import random
from typing import Any

import pytest

from embedmill.shared.flow import circuit
from embedmill.shared.flow.circuit import LONGEST_REST_SECONDS, PROBE_SECONDS, CircuitPolicy

POLICY = CircuitPolicy(failures=3, first_rest_seconds=10.0)


class Watched:
    """A circuit with a clock of its own."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self.now = 1_800_000_000.0

    def ask(self) -> float:
        changed, seconds = circuit.ask(self.value, self.now)
        self.value = self.value if changed is None else changed
        return seconds

    def fail(self, times: int = 1, **told: Any) -> float:
        rest = 0.0
        for _ in range(times):
            self.value, rest = circuit.fail(self.value, self.now, POLICY, **told)
        return rest

    def succeed(self, answered: int = 1) -> bool:
        changed, closed = circuit.succeed(self.value, self.now, answered=answered)
        self.value = self.value if changed is None else changed
        return closed

    @property
    def state(self) -> str:
        return circuit.state_of(self.value, self.now)


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    watched = Watched()
    assert watched.fail(2) == 0
    watched.succeed()
    assert watched.fail() == 0
    assert watched.state == "closed"
    assert watched.fail() == 10.0
    assert watched.state == "open"


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_who_stumbles_is_not_down(share: float) -> None:
    watched, chance = Watched(), random.Random(3)
    watched.succeed()
    watched.fail(1, answered=4)
    for _ in range(2000):
        if chance.random() < share:
            watched.fail()
        else:
            watched.succeed()
        assert watched.state == "closed"


def test_who_stumbled_for_long_and_goes_down_then_is_noticed() -> None:
    watched = Watched()
    for _ in range(100):
        watched.fail()
        watched.succeed(3)
    assert watched.state == "closed"
    watched.fail(20)
    assert watched.state == "open"


def test_failures_are_forgotten_after_many_answers() -> None:
    watched = Watched()
    watched.fail(2)
    watched.succeed(19)
    watched.succeed(19)
    assert watched.value == {}


def test_a_provider_that_says_for_how_long_is_left_alone_for_so_long() -> None:
    watched = Watched()
    assert watched.fail(2, asked_seconds=7200.0) == 0, "one of many servers may say so"
    assert watched.fail(asked_seconds=7200.0) == 7200.0
    assert watched.ask() == 7200.0
    watched.now -= 86_400
    assert watched.ask() == 7200.0, "a clock that was put back makes it no longer"


def test_what_an_older_release_wrote_is_understood() -> None:
    watched = Watched()
    watched.value = {"failures": 2}
    assert watched.fail() == 10.0
    watched.value = {"failures": 3, "opened": 1, "open_until": watched.now + 5}
    assert watched.ask() == 5.0


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
