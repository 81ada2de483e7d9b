"""What is asked of embedders: the vectors of texts, which are told by their positions among those given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.asking.question import LiveQuestion, Reading, Request
from embedmill.shared.errors import BadVector
from embedmill.shared.providers.embeddings.calls import Answer, Call, Keep
from embedmill.shared.providers.embeddings.calls import Request as Announced

OPERATION = "embed"

Vector = NDArray[np.float32]


@dataclass(slots=True)
class VectorQuestion(LiveQuestion[int, Vector, Answer]):
    """The texts of one `embed_many`; `name` is the provider, `tokens` are those of each text."""

    name: str
    model: str
    tokens: Sequence[int]
    vectors: Vector
    request_vectors: Callable[[Sequence[int]], Answer]
    keep_vectors: Keep
    calls: list[Call] = field(default_factory=list)

    def send(self, request: Request[int]) -> Answer:
        return self.request_vectors(request.items)

    def announce(self, request: Request[int]) -> Announced:
        tokens = sum(self.tokens[position] for position in request.items)
        return Announced(self.name, self.model, OPERATION, request.items, tokens)

    def account(self, request: Request[int], answer: Answer, seconds: float) -> Call:
        call = Call(
            self.name,
            self.model,
            OPERATION,
            request.items,
            answer.tokens_in,
            answer.request_id,
            seconds,
            answer.limits,
        )
        self.calls.append(call)
        return call

    def read(self, request: Request[int], answer: Answer) -> Reading[int, Vector]:
        usable: list[bool] = np.asarray(np.isfinite(answer.vectors).all(axis=1)).tolist()
        rows = list(zip(request.items, answer.vectors, usable, strict=True))
        spoiled = BadVector(f"{self.name} returned an unusable vector")
        errors = {position: spoiled for position, _, fine in rows if not fine}
        return Reading({position: vector for position, vector, fine in rows if fine}, errors=errors)

    def keep(self, found: Mapping[int, Vector]) -> None:
        self.keep_vectors(found)
        for position, vector in found.items():
            self.vectors[position] = vector
