"""The vectors of the simulated embedding models: a pure function of model size, input type and text."""

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"\w+")
QUERY_WEIGHT = 0.25
"""How far a query's vector is from a document's of the same text, for models that tell them apart."""


def vectors_of(texts: Sequence[str], *, dimensions: int, kind: str = "") -> NDArray[np.float32]:
    """Unit vectors, float32 of shape (len(texts), dimensions): near where words are shared; `kind` shifts them all."""
    words = [WORD.findall(text.lower()) or [f"\0{text}"] for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(found) for found in words])
    hashes = np.array([_hash(word) for found in words for word in found], dtype=np.int64)
    cells = rows * dimensions + hashes % dimensions
    counts = np.bincount(cells, minlength=len(texts) * dimensions).reshape(len(texts), dimensions)
    vectors = _unit(np.sqrt(counts, dtype=np.float32))
    if kind:
        vectors[:, _hash(f"\0{kind}") % dimensions] += QUERY_WEIGHT
        vectors = _unit(vectors)
    return vectors


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    scaled: NDArray[np.float32] = vectors / lengths[:, None]
    return scaled


@lru_cache(maxsize=1 << 16)
def _hash(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))
