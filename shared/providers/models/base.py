"""The model interface: one question with a schema for its answer, one answer with what it cost."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.endpoints import MODELS, find_endpoint


class Stop(StrEnum):
    """Why an answer ended; anything but `END` may hold half an answer or none."""

    END = "end"
    MAX_TOKENS = "max_tokens"
    REFUSAL = "refusal"
    CUT = "cut"
    """The line broke, or the stream ended without saying why."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PromptBlock:
    """A part of a prompt; `cached` asks the provider to keep everything up to its end for the next call."""

    text: str
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: stable instructions first, what changes last, because caches match from the front.

    `schema` is a JSON schema that every provider's structured output takes: objects are closed, every property is
    required, no bounds on numbers or lengths (docs/facts.md). `max_tokens` bounds the answer.
    """

    system: tuple[PromptBlock, ...]
    user: tuple[PromptBlock, ...]
    schema_name: str
    schema: Mapping[str, Any]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model said, as text; a refusal and an answer that was cut off are answers too."""

    text: str
    stop: Stop
    tokens: Tokens | None
    """What the call took; None when the provider did not say, as servers that only speak like OpenAI's may not."""
    request_id: str
    limits: Mapping[str, str] = field(default_factory=dict)
    """The response headers that tell how much of a rate limit is left, lower-case."""


class Model(ABC):
    """Answers prompts. `name` is what settings call it, `model` what its provider does.

    Raises FlowControl when the provider asks to wait, ProviderUnavailable when it cannot answer, ProviderRefused when
    it refuses the caller, and InputRefused when it refuses this one request.
    """

    provider: str
    keeps_every_prompt: bool = False
    """Whether the provider caches prompts without being asked, which some of its models charge for."""

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        self.model = model
        self.endpoint = find_endpoint(MODELS, self.provider)
        """Who answers, where that is not the vendor itself (shared.providers.endpoints)."""

    @property
    def key_hash(self) -> str:
        """Tells apart the credentials that calls use, whose limits are counted apart; empty without any."""
        return ""

    @abstractmethod
    def ask(self, prompt: Prompt) -> ModelAnswer:
        """One call; nothing is retried here, because whoever calls has reserved money for exactly one."""

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> ModelAnswer:
        """The same call, its text told piece by piece as it comes; by default all of it at its end.

        One that breaks off after some text is an answer too, whose stop is `CUT`.
        """
        answer = self.ask(prompt)
        tell(answer.text)
        return answer

    @abstractmethod
    def check(self) -> str:
        """Try the key and the model's name as far as that costs nothing; says how far. Raises what `ask` raises."""

    def parameters(self, prompt: Prompt, *, batch: bool) -> dict[str, Any]:
        """What a call consists of; in a `batch` prompts are kept for longer, because it may take an hour.

        Only models of providers with a batch API have it, and `read_batch`.
        """
        raise NotImplementedError(f"{self.provider} has no batch API")

    def read_batch(self, body: Any) -> ModelAnswer:
        """The answer to a call of a batch; raises ProviderUnavailable for one that makes no sense."""
        raise NotImplementedError(f"{self.provider} has no batch API")

    def close(self) -> None:  # noqa: B027 - most have a connection to release, and not all
        """Release connections."""


def require_model(found: Any) -> None:
    """Raise TypeError unless a vendor's SDK was told of a model: proxies say 200 to pages and errors of their own."""
    if not isinstance(getattr(found, "id", None), str):
        raise TypeError("not a model")
