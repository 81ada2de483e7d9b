"""A home folder whose collection is embedded by a simulated OpenAI, with a worker and a scheduler in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.db import jobs
from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.schema import index_version
from embedmill.shared.ledger import Lane
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.workers.bulk.killing import Killer
from tests.workers.bulk.line import Line
from tests.workers.validation.conftest import MODEL as JUDGE
from tests.workers.validation.conftest import simulated, vendor

__all__ = ["simulated", "vendor"]

MODEL = "openai/text-embedding-3-small@64"


@pytest.fixture
def home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder, with a batch lane that does not wait."""
    for name, value in {"GATHER": "0", "POLL": "0.001", "LOST": "0"}.items():
        monkeypatch.setenv(f"EMBEDMILL_BULK_{name}_SECONDS", value)
    return home


@pytest.fixture(scope="session")
def embeddings() -> Iterator[SimulatorServer[OpenAISimulator]]:
    with running(OpenAISimulator()) as server:
        yield server


@pytest.fixture
def openai(embeddings: SimulatorServer[OpenAISimulator], monkeypatch: pytest.MonkeyPatch) -> OpenAISimulator:
    """The vendor as new, with the SDK pointed at it."""
    simulator = embeddings.simulator
    for part in (simulator.faults, simulator.bill, simulator.exchanges):
        part.clear()
    simulator.forget_batches()
    for variable, value in embeddings.environment.items():
        monkeypatch.setenv(variable, value)
    return simulator


@pytest.fixture
def line(runtime: WorkerRuntime, tracker: Tracker, openai: OpenAISimulator) -> Iterator[Line[OpenAISimulator]]:
    """Documents are embedded by OpenAI, in the batch lane."""
    embedder = runtime.embedder(MODEL)
    with opened(runtime, tracker, openai, embedding=MODEL, model=embedder.model, size=embedder.dimensions) as line:
        yield line


@pytest.fixture
def judged(
    runtime: WorkerRuntime, tracker: Tracker, simulated: AnthropicSimulator
) -> Iterator[Line[AnthropicSimulator]]:
    """Documents are judged by Claude, in the batch lane, and embedded here."""
    embedder = runtime.embedder("hash")
    chosen = {"embedding": "hash", "validator": JUDGE, "policy": "gate"}
    runtime.settings = runtime.settings.model_copy(update={"terms_sample": 0.0})
    with opened(runtime, tracker, simulated, model=embedder.model, size=embedder.dimensions, **chosen) as line:
        yield line


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    """To kill this process with, as far as its code can tell."""
    return Killer(monkeypatch)


class opened:  # noqa: N801 - reads as the context manager that it is
    """A line in a collection with some settings; its job is in the batch lane."""

    def __init__(self, runtime: WorkerRuntime, tracker: Tracker, simulator: object, **chosen: object) -> None:
        tracker.write(1, index_version, model=chosen.pop("model"), dimensions=chosen.pop("size"))
        with runtime.database.write() as connection:
            update_settings(connection, 1, chosen)
            jobs.update_job(connection, tracker.job, lane=Lane.BULK)
        runtime.forget_collections()
        self._line: Line = Line(runtime, tracker, simulator)  # type: ignore[type-arg]

    def __enter__(self) -> Line:  # type: ignore[type-arg]
        return self._line

    def __exit__(self, *error: object) -> None:
        self._line.close()
