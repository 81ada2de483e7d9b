"""The circuit of a store that does not answer, as one process has met it: it is left alone, longer at each try.

It is about a service that is down. One that stumbles, and fails now and then, is asked again at once (`persistence`).
"""

import time
from collections.abc import Callable

from embedmill.shared.flow.circuit import Circuit, CircuitPolicy
from embedmill.shared.flow.state import LocalState

POLICY = CircuitPolicy(
    failures=10,
    first_rest_seconds=1.0,
    longest_rest_seconds=30.0,
    share=0.95,
    remembered=4,
    probe_seconds=0.0,
    fresh_seconds=0.0,
)


def open_circuit(name: str, *, clock: Callable[[], float] = time.monotonic) -> Circuit:
    """The circuit of one service, or of one shard of it."""
    return Circuit(name, POLICY, LocalState(clock=clock))
