"""What passes between a model and whoever keeps its books: each call announced before and accounted for after.

The meter has the three methods of the embedders' meter, so that one ledger can stand behind both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.models.base import Model, Prompt, Usage
from embedmill.shared.tokenizer import count_tokens

Billed = Literal["no", "unknown"]
"""Whether a call without an answer may have been charged: never for a refusal, perhaps after a time-out or a cut."""

BYTES_PER_TOKEN, COUNT_MARGIN = 2.5, 1.5
"""An estimate that errs upwards: by the bytes for prose, of which a million tokens of Claude since Opus 4.7 hold some
2.5 million characters, and by our own count for what is denser, as digits, tables and most scripts are. A reservation
may be too large, and is settled to the truth; what is never settled must not be short.
"""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A call about to be made: what a meter reserves for.

    `tokens_in` is estimated, `tokens_cached` is the part of it that a provider's prompt cache may have to write, and
    `tokens_out` is the most.
    """

    provider: str
    model: str
    operation: str
    tokens_in: int
    tokens_out: int
    inputs: int = 1
    """Chunks, or documents, that it is about."""
    documents: tuple[str, ...] = ()
    tokens_cached: int = 0
    key: str = ""
    """The hash of the credentials."""


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
        """Settle, once what the answer says is kept and before anything else is made of it."""

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


def estimate(prompt: Prompt) -> int:
    """Tokens that a prompt has at most, as far as that can be told without the provider's tokenizer."""
    return _at_most(block.text for block in (*prompt.system, *prompt.user))


def estimate_kept(model: Model, prompt: Prompt) -> int:
    """Those of them that the provider may keep for the next call: all, or everything up to the last cached block."""
    if model.keeps_every_prompt:
        return estimate(prompt)
    blocks = (*prompt.system, *prompt.user)
    last = max((place for place, block in enumerate(blocks) if block.cached), default=-1)
    return _at_most(block.text for block in blocks[: last + 1]) if last >= 0 else 0


def _at_most(texts: Iterable[str]) -> int:
    joined = "".join(texts)
    return (
        max(int(len(joined.encode("utf-8", "replace")) / BYTES_PER_TOKEN), int(COUNT_MARGIN * count_tokens(joined))) + 1
    )
