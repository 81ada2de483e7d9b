"""Pinecone's simulator, and stores in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.providers.vectorstores.persistence import Persistence
from embedmill.shared.providers.vectorstores.pinecone.store import PineconeVectorStore
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer
from tests.contracts.rows import DIMENSIONS, StoreFactory
from tests.services.pinecone import running_pinecone
from tests.shared.providers.vectorstores.pinecone.opening import INDEX, open_pinecone


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatorServer[PineconeSimulator]]:
    with running_pinecone() as service:
        yield service


@pytest.fixture
def simulator(service: SimulatorServer[PineconeSimulator], monkeypatch: pytest.MonkeyPatch) -> PineconeSimulator:
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    service.simulator.indexes.clear()
    service.simulator.faults.clear()
    service.simulator.bill.clear()
    service.simulator.exchanges.clear()
    return service.simulator


@pytest.fixture
def store_factory(simulator: PineconeSimulator, tmp_path: Path) -> Iterator[StoreFactory]:
    opened: list[PineconeVectorStore] = []

    def open_store(*, dimensions: int) -> PineconeVectorStore:
        opened.append(open_pinecone(tmp_path, dimensions=dimensions))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(store_factory: StoreFactory) -> PineconeVectorStore:
    opened = store_factory(dimensions=DIMENSIONS)
    assert isinstance(opened, PineconeVectorStore)
    return opened


@pytest.fixture
def impatient(simulator: PineconeSimulator, tmp_path: Path) -> Iterator[PineconeVectorStore]:
    """A store that waits for an answer for less than a second, and asks once."""
    opened = open_pinecone(tmp_path, f"pinecone://{INDEX}?timeout=0.7")
    opened._asking.client.persistence = Persistence(tries=1)
    yield opened
    opened.close()
