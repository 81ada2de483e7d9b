"""A home folder whose collection is validated by a simulated Claude."""

from collections.abc import Iterator

import pytest

from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.schema import index_version
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker

MODEL = "anthropic/claude-opus-4-7"


@pytest.fixture(scope="session")
def vendor() -> Iterator[SimulatorServer[AnthropicSimulator]]:
    with running(AnthropicSimulator()) as server:
        yield server


@pytest.fixture
def simulated(vendor: SimulatorServer[AnthropicSimulator], monkeypatch: pytest.MonkeyPatch) -> AnthropicSimulator:
    """The vendor as new, with the SDK pointed at it."""
    simulator = vendor.simulator
    simulator.faults.clear()
    simulator.bill.clear()
    simulator.exchanges.clear()
    simulator.writer.clear()
    simulator.clock.advance(3600)
    for variable, value in vendor.environment.items():
        monkeypatch.setenv(variable, value)
    return simulator


@pytest.fixture
def gated(runtime: WorkerRuntime, tracker: Tracker, simulated: AnthropicSimulator) -> Tracker:
    """The tracker's collection under the `gate` policy."""
    return _validated(runtime, tracker, "gate")


@pytest.fixture
def audited(runtime: WorkerRuntime, tracker: Tracker, simulated: AnthropicSimulator) -> Tracker:
    """The tracker's collection under the `audit` policy."""
    return _validated(runtime, tracker, "audit")


def _validated(runtime: WorkerRuntime, tracker: Tracker, policy: str) -> Tracker:
    embedder = runtime.embedder("hash")
    tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)
    settings = {"embedding": "hash", "validator": MODEL, "policy": policy}
    with runtime.database.write() as connection:
        update_settings(connection, 1, settings)
    runtime.forget_collections()
    return tracker
