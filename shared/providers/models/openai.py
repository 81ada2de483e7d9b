"""OpenAI's chat models through its own SDK, which reads `OPENAI_API_KEY` and `OPENAI_BASE_URL`."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from embedmill.shared.errors import EmbedmillError, ProviderUnavailable
from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.credentials import hash_credentials, require_sendable
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, PromptBlock, Stop, require_model
from embedmill.shared.providers.models.streaming import StreamPiece, Tell, follow, is_streamed
from embedmill.shared.providers.openai_client import make_client
from embedmill.shared.providers.openai_errors import CREDENTIALS, FORESEEN, PROVIDER, translate
from embedmill.shared.providers.translation import read_json, unreadable

TIMEOUT_SECONDS = 180.0
CONNECT_SECONDS = 5.0
LIMIT_HEADERS = "x-ratelimit-"

_STOPS = {"stop": Stop.END, "length": Stop.MAX_TOKENS, "content_filter": Stop.REFUSAL}


class OpenAIModel(Model):
    """Chat completions with a strict schema; prompts are cached by OpenAI itself, by their beginning."""

    provider = PROVIDER
    credentials = CREDENTIALS
    keeps_every_prompt = True

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name, model)
        self._client: openai.OpenAI | None = None
        self._lock = threading.Lock()

    @property
    def key_hash(self) -> str:
        return hash_credentials(self._opened)

    def ask(self, prompt: Prompt) -> ModelAnswer:
        try:
            response = self._opened().chat.completions.with_raw_response.create(**self.parameters(prompt, batch=False))
            return _answer(response.parse(), read_json(response.content), response.headers)
        except FORESEEN as error:
            raise translate(error) from None

    def stream(self, prompt: Prompt, tell: Tell) -> ModelAnswer:
        parameters = self.parameters(prompt, batch=False)
        try:
            completions = self._opened().chat.completions.with_raw_response
            response = completions.create(**parameters, stream=True, stream_options={"include_usage": True})
            if not is_streamed(response.headers):
                answer = _whole(response)
                tell(answer.text)
                return answer
        except FORESEEN as error:
            raise translate(error) from None
        headers = response.headers
        answer = follow(_pieces(response.parse()), tell, broken=_broken, most_out=prompt.max_tokens)
        return replace(answer, request_id=headers.get("x-request-id", ""), limits=_limits(headers))

    def check(self) -> str:
        try:
            require_model(self._opened().models.retrieve(self.model))
        except FORESEEN as error:
            raise translate(error) from None
        return f"{self.provider} takes the key and serves {self.model}"

    def parameters(self, prompt: Prompt, *, batch: bool) -> dict[str, Any]:
        schema = {"name": prompt.schema_name, "strict": True, "schema": dict(prompt.schema)}
        return {
            "model": self.model,
            "max_completion_tokens": prompt.max_tokens,
            "messages": [
                {"role": "system", "content": _joined(prompt.system)},
                {"role": "user", "content": _joined(prompt.user)},
            ],
            "response_format": {"type": "json_schema", "json_schema": schema},
        }

    def read_batch(self, body: Any) -> ModelAnswer:
        try:
            return _answer(ChatCompletion.model_validate({**body, "usage": None}), body, {})
        except (TypeError, ValueError, AttributeError, LookupError):
            raise unreadable(self.provider) from None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _opened(self) -> openai.OpenAI:
        with self._lock:
            if self._client is None:
                require_sendable(self.provider, self.credentials)
                timeout = openai.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
                self._client = make_client(timeout)
        return self._client


def _joined(blocks: Sequence[PromptBlock]) -> str:
    return "\n\n".join(block.text for block in blocks)


def _answer(completion: ChatCompletion, body: Any, headers: Any) -> ModelAnswer:
    choice = completion.choices[0]
    return ModelAnswer(
        text=choice.message.content or "",
        stop=Stop.REFUSAL if choice.message.refusal else _STOPS.get(choice.finish_reason, Stop.OTHER),
        # From what was sent: the SDK makes numbers of texts and truth values.
        tokens=_tokens(body.get("usage")),
        request_id=headers.get("x-request-id", ""),
        limits=_limits(headers),
    )


def _limits(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(LIMIT_HEADERS)}


def _whole(response: Any) -> ModelAnswer:
    """What a server answered that does not stream; raises ValueError for what is no completion."""
    response.http_response.read()
    body = read_json(response.http_response.content)
    return _answer(ChatCompletion.model_validate({**body, "usage": None}), body, response.headers)


def _broken(error: Exception) -> EmbedmillError:
    """Our error for what broke a stream: it was most likely billed."""
    return translate(error) if isinstance(error, FORESEEN) else ProviderUnavailable(f"{PROVIDER} broke off")


def _pieces(chunks: Iterable[Any]) -> Iterator[StreamPiece]:
    """What the chunks of a completion say; what it took comes last, and with no choice."""
    refused = False
    for chunk in chunks:
        for choice in chunk.choices:
            refused = refused or bool(choice.delta.refusal)
            stop = _STOPS.get(choice.finish_reason, Stop.OTHER) if choice.finish_reason else None
            yield StreamPiece(choice.delta.content or "", Stop.REFUSAL if refused and stop else stop)
        if chunk.usage is not None:
            yield StreamPiece(tokens=_tokens(chunk.usage))


def _tokens(usage: Any) -> Tokens | None:
    sent, answered = read_count(usage, "prompt_tokens"), read_count(usage, "completion_tokens")
    read = read_count(usage, "prompt_tokens_details", "cached_tokens", absent=0)
    written = read_count(usage, "prompt_tokens_details", "cache_write_tokens", absent=0)
    if sent is None or answered is None or read is None or written is None or read + written > sent:
        return None
    # The prompt's tokens include both.
    return Tokens(sent - read - written, answered, cache_read=read, cache_write=written)
