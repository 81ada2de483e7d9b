"""The embedding interface: two methods, and facts about the model as attributes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadVector

InputType = Literal["document", "query"]

TOKENS_PER_CHARACTER, TOKENS_PER_TEXT = 4, 8
"""No tokenizer makes more of a text: a token has at least a byte, and a few markers are added."""


class Embedder(ABC):
    """Turns texts into unit vectors.

    `name` is the address that settings use (`local`, `openai/text-embedding-3-large`); `model` with `dimensions`
    and the input type is part of every vector's content address, so a change of weights must change `model`.
    """

    name: str
    model: str
    dimensions: int
    max_inputs: int = 2048
    max_tokens_per_input: int = 1_000_000
    max_tokens_per_request: int = 10_000_000
    symmetric: bool = True
    """Whether queries and documents are embedded alike."""

    @classmethod
    def open(cls, *, cache_dir: Path) -> Self:
        """An embedder from settings alone; `cache_dir` is for files that are derived once and kept."""
        del cache_dir
        return cls()

    @abstractmethod
    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        """Return float32 of shape (len(texts), dimensions), each row of length 1 (or 0 for text without tokens)."""

    @abstractmethod
    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens that the provider would count for each text."""

    def embed_all(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        """Embed any number of texts in requests within the model's limits, in order.

        Returns float32 of shape (len(texts), dimensions); raises BadVector when a request's answer is unusable.
        """
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for request in self.requests(texts):
            answer = self.embed_batch(texts[request], input_type=input_type)
            check_vectors(answer, count=request.stop - request.start, dimensions=self.dimensions)
            vectors[request] = answer
        return vectors

    def requests(self, texts: Sequence[str]) -> Iterator[slice]:
        """Slices of `texts` that each fit one request; a text above the request's limit is alone in its own."""
        start = used = 0
        for index, tokens in enumerate(self._tokens_at_most(texts)):
            if index > start and (index - start == self.max_inputs or used + tokens > self.max_tokens_per_request):
                yield slice(start, index)
                start, used = index, 0
            used += tokens
        if start < len(texts):
            yield slice(start, len(texts))

    def _tokens_at_most(self, texts: Sequence[str]) -> list[int]:
        """Token counts, or mere bounds where those already fit one request, as counting is not free."""
        bounds = [TOKENS_PER_CHARACTER * len(text) + TOKENS_PER_TEXT for text in texts]
        return bounds if sum(bounds) <= self.max_tokens_per_request else self.count_tokens(texts)


def check_vectors(vectors: NDArray[np.float32], *, count: int, dimensions: int) -> None:
    """Raise BadVector unless `vectors` is (count, dimensions) and finite; a store keeps NaN as null otherwise."""
    if vectors.shape != (count, dimensions):
        raise BadVector(f"expected vectors of shape {(count, dimensions)}, got {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise BadVector("the embedder returned a vector that is not finite")


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row scaled to length 1; a row of zeros stays."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    lengths[lengths == 0] = 1
    scaled: NDArray[np.float32] = vectors / lengths[:, None]
    return scaled
