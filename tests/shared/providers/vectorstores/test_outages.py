"""The circuit of a store: who is down is left alone, longer every time, and who stumbles is not."""

import random

import pytest

from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.providers.vectorstores.outages import POLICY, open_circuit

AWAY = ProviderUnavailable("the service is away", may_be_billed=False)


class Moved:
    """A circuit whose clock is moved by hand."""

    def __init__(self) -> None:
        self.time = 100.0
        self.circuit = open_circuit("shard s", clock=lambda: self.time)

    def fail(self, times: int) -> FlowControl | ProviderUnavailable:
        for _ in range(times - 1):
            assert self.circuit.failed(AWAY) is AWAY
        return self.circuit.failed(AWAY)


def test_many_failures_without_an_answer_open_it() -> None:
    moved = Moved()
    refusal = moved.fail(POLICY.failures)
    assert isinstance(refusal, FlowControl) and refusal.reason == "circuit" and "doctor" in refusal.hint
    assert refusal.failure is AWAY, "the request itself failed"
    with pytest.raises(FlowControl, match="shard s does not answer and is left alone") as again:
        moved.circuit.ask()
    assert again.value.retry_after_seconds == refusal.retry_after_seconds == 1.0
    assert again.value.failure is None


@pytest.mark.parametrize("billed", [False, True])
def test_what_may_have_been_billed_is_so_whether_it_opens_or_not(*, billed: bool) -> None:
    circuit = open_circuit("shard s")
    refusal = circuit.failed(ProviderUnavailable("cut off", may_be_billed=billed), is_down=True)
    assert isinstance(refusal, FlowControl) and refusal.may_be_billed == billed


def test_pauses_double_up_to_a_limit_and_end_with_an_answer() -> None:
    moved, pauses = Moved(), []
    outcome = moved.fail(POLICY.failures)
    for _ in range(7):
        assert isinstance(outcome, FlowControl)
        pauses.append(outcome.retry_after_seconds)
        moved.time += outcome.retry_after_seconds
        moved.circuit.ask()
        moved.circuit.ask()
        assert not moved.circuit.is_closed, "as many as like may try"
        outcome = moved.circuit.failed(AWAY)
    assert pauses == [1, 2, 4, 8, 16, POLICY.longest_rest_seconds, POLICY.longest_rest_seconds]
    moved.time += POLICY.longest_rest_seconds
    moved.circuit.succeeded()
    assert moved.circuit.is_closed and moved.circuit.failed(AWAY) is AWAY


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_who_stumbles_is_not_left_alone(share: float) -> None:
    circuit, chance = Moved().circuit, random.Random(7)
    for _ in range(3000):
        if chance.random() < share:
            circuit.failed(AWAY)
        else:
            circuit.succeeded()
        circuit.ask()


def test_one_request_that_always_fails_is_not_taken_for_an_outage() -> None:
    moved = Moved()
    for _ in range(20):
        moved.circuit.succeeded()
        moved.fail(8)
        moved.circuit.ask()
