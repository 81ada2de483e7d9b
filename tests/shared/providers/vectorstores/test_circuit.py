"""The circuit: a service that does not answer is left alone, longer every time."""

import pytest

from shared.errors import FlowControl
from shared.providers.vectorstores.circuit import LONGEST_PAUSE_SECONDS, Circuit


def test_pauses_double_up_to_a_limit_and_end_with_an_answer() -> None:
    now = 0.0
    circuit = Circuit("shard s", clock=lambda: now)
    circuit.check()
    pauses = []
    for _ in range(7):
        refusal = circuit.opened("no answer")
        assert "doctor" in refusal.hint
        pauses.append(refusal.retry_after_seconds)
        with pytest.raises(FlowControl, match="shard s") as again:
            circuit.check()
        assert (again.value.reason, again.value.retry_after_seconds) == ("circuit", refusal.retry_after_seconds)
        now += refusal.retry_after_seconds
        circuit.check()
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    circuit.closed()
    assert circuit.opened("no answer").retry_after_seconds == 1
