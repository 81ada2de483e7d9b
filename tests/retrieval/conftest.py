"""An empty embedded store, and a tracker that knows no document yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.retrieval.search import Searcher
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.rows import DIMENSIONS
from tests.retrieval.orchard import AngleEmbedder, Tracker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedVectorStore]:
    opened = EmbeddedVectorStore(tmp_path, dimensions=DIMENSIONS)
    yield opened
    opened.close()


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


@pytest.fixture
def searcher(store: EmbeddedVectorStore, tracker: Tracker) -> Searcher:
    return Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker)
