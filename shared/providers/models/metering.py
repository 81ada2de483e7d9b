"""What passes between a model and whoever keeps its books: each call announced before and accounted for after.

The meter has the three methods of the embedders' meter, so that one ledger can stand behind both.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from shared.errors import EmbedmillError, ProviderUnavailable
from shared.providers.models.base import Answer, Model, Prompt, Usage

Billed = Literal["no", "unknown"]
"""Whether a call without an answer may have been charged: never for a refusal, perhaps after a time-out or a cut."""

CHARACTERS_PER_TOKEN = 3
"""An estimate that errs upwards for prose: a reservation may be too large, and is settled to the truth."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A call about to be made: what a meter reserves for. `tokens_in` is estimated, `tokens_out` is the most."""

    provider: str
    model: str
    operation: str
    tokens_in: int
    tokens_out: int
    inputs: int = 1
    """Chunks, or documents, that it is about."""
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """What a call is made for; `operation` names it in logs, `inputs` counts its chunks."""

    operation: str
    inputs: int = 1
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call that was answered, and is paid for: what the ledger keeps."""

    provider: str
    model: str
    operation: str
    usage: Usage
    request_id: str
    seconds: float
    limits: Mapping[str, str] = field(default_factory=dict)
    """The response headers that tell how much of a rate limit is left, lower-case."""


class Meter(Protocol):
    """Is asked before each call and told after it, in the thread that makes the call."""

    def on_request(self, request: ModelRequest) -> Any:
        """Reserve; the result comes back with the outcome. Raises FlowControl to keep the call back."""

    def on_response(self, reservation: Any, call: ModelCall) -> None:
        """Settle, as soon as the answer is here and before anything is made of it."""

    def on_failure(self, reservation: Any, error: EmbedmillError, *, billed: Billed) -> EmbedmillError:
        """Release when nothing was billed, keep the reservation as spent when that is not known; returns what to raise.

        That is the error itself, or FlowControl when the meter knows that the provider is better left alone.
        """


class FreeMeter:
    """The meter of those who keep no books."""

    def on_request(self, request: ModelRequest) -> None:
        """Let it pass."""

    def on_response(self, reservation: Any, call: ModelCall) -> None:
        """Nothing to settle."""

    def on_failure(self, reservation: Any, error: EmbedmillError, *, billed: Billed) -> EmbedmillError:
        """Nothing to release."""
        return error


def ask(model: Model, prompt: Prompt, about: About, *, meter: Meter) -> Answer:
    """One metered call; raises what `Model.ask` raises, and FlowControl when the meter keeps it back."""
    request = ModelRequest(
        model.provider,
        model.model,
        about.operation,
        estimate(prompt),
        prompt.max_tokens,
        about.inputs,
        about.documents,
    )
    reservation = meter.on_request(request)
    started = time.monotonic()
    try:
        answer = model.ask(prompt)
    except EmbedmillError as error:
        unknown = isinstance(error, ProviderUnavailable) and error.may_be_billed
        told = meter.on_failure(reservation, error, billed="unknown" if unknown else "no")
        raise told from None
    seconds = time.monotonic() - started
    paid = (answer.usage, answer.request_id, seconds, answer.limits)
    meter.on_response(reservation, ModelCall(model.provider, model.model, about.operation, *paid))
    return answer


def estimate(prompt: Prompt) -> int:
    """Tokens that a prompt is taken to have."""
    characters = sum(len(block.text.encode()) for block in (*prompt.system, *prompt.user))
    return characters // CHARACTERS_PER_TOKEN + 1
