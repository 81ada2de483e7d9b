"""Claude through Anthropic's own SDK, which reads `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`.

Sampling parameters, a prefilled answer and `thinking` are left out: Opus 4.7 refuses them or some values of them
(docs/facts.md). The answer's shape comes from `output_config.format`.
"""

import importlib.util
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import anthropic
from anthropic.types import Message

from embedmill.shared.errors import EmbedmillError, ProviderUnavailable
from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.anthropic_client import client_options
from embedmill.shared.providers.anthropic_errors import FORESEEN, KEYS, translate
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.credentials import AWS_KEYS, hash_credentials, require_sendable
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop, require_model
from embedmill.shared.providers.models.streaming import StreamPiece, Tell, follow, is_streamed
from embedmill.shared.providers.translation import read_json, unreadable

TIMEOUT_SECONDS = 180.0
LIMIT_HEADERS = "anthropic-ratelimit-"

_STOPS = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.END,
    "max_tokens": Stop.MAX_TOKENS,
    "model_context_window_exceeded": Stop.MAX_TOKENS,
    "refusal": Stop.REFUSAL,
}


class AnthropicModel(Model):
    """The Messages API, one call a prompt."""

    provider = "anthropic"
    credentials = "ANTHROPIC_API_KEY"

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name, model)
        self._client: Any = None
        self._lock = threading.Lock()

    @property
    def key_hash(self) -> str:
        return hash_credentials(self._opened)

    @property
    def foreseen(self) -> tuple[type[Exception], ...]:
        """What the SDK raises."""
        return FORESEEN

    def ask(self, prompt: Prompt) -> ModelAnswer:
        with self._translated():
            response = self._opened().messages.with_raw_response.create(**self.parameters(prompt, batch=False))
            return _answer(response.parse(), response.headers)

    def stream(self, prompt: Prompt, tell: Tell) -> ModelAnswer:
        with self._translated():
            messages = self._opened().messages.with_raw_response
            response = messages.create(**self.parameters(prompt, batch=False), stream=True)
            headers = response.headers
            if not is_streamed(headers):
                return _told(_answer(_whole(response), headers), tell)
        pieces = _pieces(response.parse())
        answer = follow(pieces, tell, broken=self._broken, most_out=prompt.max_tokens)
        return replace(answer, request_id=headers.get("request-id", ""), limits=_limits(headers))

    def _broken(self, error: Exception) -> EmbedmillError:
        """Our error for what broke a stream: it was most likely billed."""
        if isinstance(error, self.foreseen):
            return translate(error, provider=self.provider, credentials=self.credentials)
        return ProviderUnavailable(f"{self.provider} broke off")

    def check(self) -> str:
        with self._translated():
            require_model(self._opened().models.retrieve(self.model))
        return f"{self.provider} takes the key and serves {self.model}"

    def parameters(self, prompt: Prompt, *, batch: bool) -> dict[str, Any]:
        ttl = {"ttl": "1h"} if batch else {}
        return {
            "model": self.model,
            "max_tokens": prompt.max_tokens,
            "system": _blocks(prompt.system, ttl),
            "messages": [{"role": "user", "content": _blocks(prompt.user, ttl)}],
            "output_config": {"format": {"type": "json_schema", "schema": dict(prompt.schema)}},
        }

    def read_batch(self, body: Any) -> ModelAnswer:
        try:
            return _answer(body, {})
        except (TypeError, ValueError, AttributeError):
            raise unreadable(self.provider) from None

    def make_client(self) -> Any:
        """The SDK's client; it finds address and key in the SDK's own environment variables."""
        require_sendable(self.provider, *KEYS)
        return anthropic.Anthropic(**client_options(TIMEOUT_SECONDS))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self.foreseen as error:
            raise translate(error, provider=self.provider, credentials=self.credentials) from None

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self.make_client()
        return self._client


class BedrockModel(AnthropicModel):
    """Claude on Amazon Bedrock: the same Messages API, signed with the account of the usual `AWS_*` variables."""

    provider = "bedrock"
    credentials = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"

    @property
    def foreseen(self) -> tuple[type[Exception], ...]:
        # The SDK looks for the account when it signs, by way of AWS's own library, if that is there.
        if importlib.util.find_spec("botocore") is None:
            return FORESEEN
        from botocore.exceptions import BotoCoreError

        return (*FORESEEN, RuntimeError, BotoCoreError)

    def check(self) -> str:
        with self._translated():
            self._opened()
        return f"{self.provider} is set up; whether it takes the account, only a paid call of {self.model} would tell"

    def make_client(self) -> Any:
        require_sendable(self.provider, *AWS_KEYS)
        return anthropic.AnthropicBedrockMantle(**client_options(TIMEOUT_SECONDS))


def _blocks(blocks: Sequence[PromptBlock], ttl: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_block(block, ttl) for block in blocks]


def _block(block: PromptBlock, ttl: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "text", "text": block.text}
    return made | {"cache_control": {"type": "ephemeral", **ttl}} if block.cached else made


def _answer(message: Message, headers: Any) -> ModelAnswer:
    return ModelAnswer(
        # By type and never by place: a model that thinks puts its thoughts first.
        text="".join(block.text for block in message.content if block.type == "text"),
        stop=_STOPS.get(message.stop_reason or "", Stop.OTHER),
        tokens=_tokens(message),
        request_id=headers.get("request-id", ""),
        limits=_limits(headers),
    )


def _limits(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(LIMIT_HEADERS)}


def _whole(response: Any) -> Message:
    """What a server answered that does not stream, as a message; raises ValueError for what is none."""
    response.http_response.read()
    return Message.model_validate(read_json(response.http_response.content))


def _told(answer: ModelAnswer, tell: Tell) -> ModelAnswer:
    """An answer that came at once, told at once."""
    tell(answer.text)
    return answer


def _pieces(events: Iterable[Any]) -> Iterator[StreamPiece]:
    """What the events of a message say; counts come with its beginning, and again, some of them, with its end."""
    usage: dict[str, Any] = {}
    for event in events:
        match event.type:
            case "message_start":
                usage = _counts(event.message.usage)
                yield StreamPiece(tokens=_tokens({"usage": usage}))
            case "content_block_delta" if event.delta.type == "text_delta":
                yield StreamPiece(event.delta.text)
            case "message_delta":
                usage |= _counts(event.usage)
                stop = _STOPS.get(event.delta.stop_reason or "", Stop.OTHER)
                yield StreamPiece(stop=stop, tokens=_tokens({"usage": usage}))


def _counts(usage: Any) -> dict[str, Any]:
    """The counts that an event names."""
    return {name: value for name, value in dict(usage).items() if value is not None}


def _tokens(message: Message | Mapping[str, Any]) -> Tokens | None:
    sent, answered = read_count(message, "usage", "input_tokens"), read_count(message, "usage", "output_tokens")
    read = read_count(message, "usage", "cache_read_input_tokens", absent=0)
    written = read_count(message, "usage", "cache_creation_input_tokens", absent=0)
    for_an_hour = read_count(message, "usage", "cache_creation", "ephemeral_1h_input_tokens", absent=0)
    if sent is None or answered is None or read is None or written is None or for_an_hour is None:
        return None
    return Tokens(sent, answered, read, written, for_an_hour) if for_an_hour <= written else None
