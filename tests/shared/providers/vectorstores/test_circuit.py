"""The circuit of a store: who is down is left alone, longer every time, and who stumbles is not."""

import random

import pytest

from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.providers.vectorstores.circuit import POLICY, Circuit


class Moved(Circuit):
    """A circuit whose clock is moved by hand."""

    def __init__(self) -> None:
        self.time = 100.0
        super().__init__("shard s", clock=lambda: self.time)

    def fail(self, times: int) -> FlowControl | ProviderUnavailable:
        for _ in range(times - 1):
            assert isinstance(self.failed("the service is away"), ProviderUnavailable)
        return self.failed("the service is away")


def test_many_failures_without_an_answer_open_it() -> None:
    circuit = Moved()
    refusal = circuit.fail(POLICY.failures)
    assert isinstance(refusal, FlowControl) and refusal.reason == "circuit" and "doctor" in refusal.hint
    assert isinstance(refusal.failure, ProviderUnavailable), "the request itself failed"
    with pytest.raises(FlowControl, match="shard s: is left alone") as again:
        circuit.check()
    assert again.value.retry_after_seconds == refusal.retry_after_seconds == 1.0
    assert again.value.failure is None


def test_pauses_double_up_to_a_limit_and_end_with_an_answer() -> None:
    circuit, pauses = Moved(), []
    outcome = circuit.fail(POLICY.failures)
    for _ in range(7):
        assert isinstance(outcome, FlowControl)
        pauses.append(outcome.retry_after_seconds)
        circuit.time += outcome.retry_after_seconds
        circuit.check()
        assert not circuit.is_closed, "one at a time may try"
        outcome = circuit.failed("the service is away")
    assert pauses == [1, 2, 4, 8, 16, POLICY.longest_rest_seconds, POLICY.longest_rest_seconds]
    circuit.time += POLICY.longest_rest_seconds
    circuit.closed()
    assert circuit.is_closed and isinstance(circuit.failed("the service is away"), ProviderUnavailable)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_who_stumbles_is_not_left_alone(share: float) -> None:
    circuit, chance = Moved(), random.Random(7)
    for _ in range(3000):
        if chance.random() < share:
            circuit.failed("the service is away")
        else:
            circuit.closed()
        circuit.check()


def test_one_request_that_always_fails_is_not_taken_for_an_outage() -> None:
    circuit = Moved()
    for _ in range(20):
        circuit.closed()
        circuit.fail(8)
        circuit.check()


def test_no_answer_at_all_opens_it_at_once_unless_others_had_one_meanwhile() -> None:
    circuit = Moved()
    since = circuit.now
    circuit.time += 10
    circuit.closed()
    assert isinstance(circuit.unanswered("no answer", since=since), ProviderUnavailable)
    since = circuit.now
    circuit.time += 10
    assert isinstance(circuit.unanswered("no answer", since=since), FlowControl)
