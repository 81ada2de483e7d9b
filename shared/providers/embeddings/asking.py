"""What is asked of embedders: the vectors of texts, which are told by their positions among those given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.asking.question import LiveQuestion, ReadAnswer, Request
from embedmill.shared.errors import BadVector
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
        usable: list[bool] = np.asarray(np.isfinite(answer.vectors).all(axis=1)).tolist()
        rows = list(zip(request.items, answer.vectors, usable, strict=True))
        spoiled = BadVector(f"{self.name} returned an unusable vector")
        errors = {position: spoiled for position, _, fine in rows if not fine}
        return ReadAnswer({position: vector for position, vector, fine in rows if fine}, errors=errors)

    def keep(self, found: Mapping[int, Vector]) -> None:
        self.keep_vectors(found)
        for position, vector in found.items():
            self.vectors[position] = vector
