"""What the simulated embedding endpoints share: answers that go wrong as ordered, tokens, and limits on inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.tokenizer import count_many
from embedmill.simulators.base import Call
from embedmill.simulators.vectors import vectors_of

Vectors = list[NDArray[np.float32] | None]


@dataclass(frozen=True, slots=True)
class CountedTexts:
    """Texts with their tokens."""

    texts: Sequence[str]
    tokens: Sequence[int]

    @property
    def total(self) -> int:
        """Tokens of all texts."""
        return sum(self.tokens)

    @property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return max(self.tokens, default=0)


def counted(texts: Sequence[str]) -> CountedTexts:
    """The texts with their tokens by cl100k, which is OpenAI's own count and stands in for the others'."""
    return CountedTexts(texts, count_many(texts))


def answered(call: Call, texts: Sequence[str], *, dimensions: int, kind: str = "") -> Vectors:
    """One vector a text; a fault spoils the text that it matches, or the first."""
    vectors: Vectors = list(vectors_of(texts, dimensions=dimensions, kind=kind))
    fault = call.fault("dimensions", "nan", "null")
    if fault is None:
        return vectors
    place = next((place for place, text in enumerate(texts) if fault.match and fault.match in text), 0)
    match fault.kind:
        case "dimensions":
            vectors[place] = np.zeros(dimensions + 1, dtype=np.float32)
        case "nan":
            vectors[place] = np.full(dimensions, np.nan, dtype=np.float32)
        case _:
            vectors[place] = None
    return vectors


def as_lists(vectors: Vectors) -> list[list[float] | None]:
    """Vectors as JSON takes them."""
    return [None if vector is None else vector.tolist() for vector in vectors]
