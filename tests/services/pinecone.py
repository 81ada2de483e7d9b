"""Pinecone's simulator in a thread, with the variables that lead the vendor's SDK to it, and what it has billed."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from embedmill.simulators.base import Options
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer, running

LAG_SECONDS = 0.02


@contextmanager
def running_pinecone(
    options: Options | None = None, *, lag_seconds: float = LAG_SECONDS
) -> Iterator[SimulatorServer[PineconeSimulator]]:
    """A simulator without indexes."""
    with running(PineconeSimulator(options, lag_seconds=lag_seconds)) as simulator:
        yield simulator


def billed(simulator: PineconeSimulator) -> Counter[str]:
    """Thousandths of units by operation: of reads as its answers told, in whole units, of writes as it bills them."""
    found: Counter[str] = Counter()
    for line in simulator.bill.as_json()["lines"]:
        found[line["operation"]] += line.get("told_milliunits", 0) + 1000 * line.get("write_units", 0)
    return found
