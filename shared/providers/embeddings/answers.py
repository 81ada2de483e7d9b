"""What comes of embedding: the answer to one request, and the outcome of every text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import Tokens

Keep = Callable[[Mapping[int, NDArray[np.float32]]], None]
"""Is given the usable vectors of each answer, by position, as soon as it is here and before it is paid for."""


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """One request's result: float32 of shape (inputs, dimensions), a row of NaN where a vector could not be used."""

    vectors: NDArray[np.float32]
    tokens: Tokens | None = None
    """As the provider counted; None when it does not say, as for local models."""
    request_id: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    """The response headers that tell how much of a rate limit is left, lower-case."""


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """One outcome for each text: a row of `vectors`, or an entry in `errors` and a row of zeros."""

    vectors: NDArray[np.float32]
    errors: Mapping[int, EmbedmillError]
    answers: int
    """Requests that were answered."""


def counted(tokens: int | None) -> Tokens | None:
    """What a provider counted of the texts, as tokens."""
    return None if tokens is None else Tokens(into=tokens)
