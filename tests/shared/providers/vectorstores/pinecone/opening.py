"""A Pinecone store of an index at the simulator, and what that was asked."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.vectorstores.base import CountWords
from embedmill.shared.providers.vectorstores.persistence import Persistence
from embedmill.shared.providers.vectorstores.pinecone.store import PineconeVectorStore
from embedmill.shared.providers.vectorstores.places import Owner
from embedmill.simulators.pinecone import PineconeSimulator
from tests.contracts.rows import DIMENSIONS
from tests.waiting import wait_until

T = TypeVar("T")
INDEX = "mill"
TRIES = Persistence().tries
URL = f"pinecone://{INDEX}?timeout=3&fresh=10"


def open_pinecone(
    folder: Path,
    url: str = URL,
    *,
    dimensions: int = DIMENSIONS,
    owner: Owner | None = None,
    count_words: CountWords | None = None,
    home: Path | None = None,
) -> PineconeVectorStore:
    store = PineconeVectorStore(
        url,
        collection_key="c1",
        dimensions=dimensions,
        spills=lambda: FolderBlobStore(folder / "spilled"),
        meter=FreeMeter(),
        home=home,
        owner=owner,
        count_words=count_words,
    )
    store._asking.client.persistence = Persistence(sleep=lambda _: None)
    return store


def paths(simulator: PineconeSimulator) -> list[str]:
    return [exchange.path.removeprefix(f"/i/{INDEX}") for exchange in simulator.exchanges]


def upserts(simulator: PineconeSimulator) -> int:
    """How many were answered; the simulator notes a request a moment after its answer has left."""
    wait_until(lambda: "/vectors/upsert" in paths(simulator), "an upsert was answered")
    return paths(simulator).count("/vectors/upsert")


LATE_SECONDS = 60.0


def asked_until_late(ask: Callable[[], T], simulator: PineconeSimulator) -> T:
    """The answer about what can be read only after these seconds, which pass once it was asked for in vain."""
    asked = len(simulator.exchanges)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask)
        wait_until(lambda: len(simulator.exchanges) > asked + 2, "it was asked again and again")
        assert not answer.done()
        simulator.clock.advance(LATE_SECONDS)
        return answer.result()
