"""What is asked of embedders: the vectors of texts, which are told by their positions among those given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.asking.question import ItemT, LiveQuestion, ReadAnswer, Request
from embedmill.shared.errors import BadVector, EmbedmillError
from embedmill.shared.ledger import Usage
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer, Keep

Vector = NDArray[np.float32]


@dataclass(slots=True)
class VectorQuestion(LiveQuestion[int, Vector, EmbeddingAnswer]):
    """The texts of one `embed_many`; `name` is the provider, `most` the most that a request with some of them takes."""

    name: str
    vectors: Vector
    most: Callable[[Sequence[int]], Usage]
    request_vectors: Callable[[Sequence[int]], EmbeddingAnswer]
    keep_vectors: Keep
    answers: int = 0

    def send(self, request: Request[int]) -> EmbeddingAnswer:
        return self.request_vectors(request.items)

    def usage(self, request: Request[int]) -> Usage:
        return self.most(request.items)

    def read(self, request: Request[int], answer: EmbeddingAnswer) -> ReadAnswer[int, Vector]:
        self.answers += 1
        return read_vectors(self.name, request, answer)

    def keep(self, found: Mapping[int, Vector]) -> None:
        self.keep_vectors(found)
        if found:
            self.vectors[list(found)] = list(found.values())


def read_vectors(name: str, request: Request[ItemT], answer: EmbeddingAnswer) -> ReadAnswer[ItemT, Vector]:
    """The vectors of a request's items, and errors in the place of those that cannot be used."""
    usable = np.asarray(np.isfinite(answer.vectors).all(axis=1))
    rows = dict(zip(request.items, answer.vectors, strict=True))
    if usable.all():
        return ReadAnswer(rows)
    spoiled = BadVector(f"{name} returned an unusable vector")
    errors: dict[ItemT, EmbedmillError] = {request.items[place]: spoiled for place in np.flatnonzero(~usable).tolist()}
    return ReadAnswer({item: row for item, row in rows.items() if item not in errors}, errors=errors)
