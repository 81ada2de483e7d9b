"""What passes between an embedder and whoever keeps its books: requests, their answers, and the meter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError

Billed = Literal["no", "unknown"]
"""Whether a request without an answer may have been charged: never for a refusal, perhaps after a time-out or a cut."""

Keep = Callable[[Mapping[int, NDArray[np.float32]]], None]
"""Is given the usable vectors of each answer, by position, as soon as it is here and before the meter is told."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's result: float32 of shape (inputs, dimensions), a row of NaN where a vector could not be used."""

    vectors: NDArray[np.float32]
    tokens_in: int | None = None
    """As the provider counted; None when it does not say, as for local models."""
    request_id: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    """The response headers that tell how much of a rate limit is left, lower-case."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request about to be sent: what a meter reserves for."""

    provider: str
    model: str
    operation: str
    inputs: tuple[int, ...]
    """The positions of its texts among those given."""
    tokens: int
    """Counted here; exact where the provider's tokenizer is known, an estimate otherwise."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was answered, and is paid for: what the ledger keeps."""

    provider: str
    model: str
    operation: str
    inputs: tuple[int, ...]
    tokens_in: int | None
    request_id: str | None
    seconds: float
    limits: Mapping[str, str] = field(default_factory=dict)


class Meter(Protocol):
    """Is asked before each request and told after it, always in the thread that called `embed_many`."""

    def on_request(self, request: Request) -> Any:
        """Reserve; the result comes back with the outcome. Raising FlowControl keeps this and later requests back."""

    def on_response(self, reservation: Any, call: Call) -> None:
        """Settle, once the answer's vectors are kept and before anything else is made of it."""

    def on_failure(self, reservation: Any, error: EmbedmillError, *, billed: Billed) -> None:
        """Release when nothing was billed; keep the reservation as spent when that is not known."""


class FreeMeter:
    """The meter of those who keep no books."""

    def on_request(self, request: Request) -> None:
        """Let it pass."""

    def on_response(self, reservation: Any, call: Call) -> None:
        """Nothing to settle."""

    def on_failure(self, reservation: Any, error: EmbedmillError, *, billed: Billed) -> None:
        """Nothing to release."""


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """One outcome for each text: a row of `vectors`, or an entry in `errors` and a row of zeros."""

    vectors: NDArray[np.float32]
    errors: Mapping[int, EmbedmillError]
    calls: tuple[Call, ...]
