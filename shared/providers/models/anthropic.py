"""Claude through Anthropic's own SDK, which reads `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`.

Sampling parameters, a prefilled answer and `thinking` are left out: Opus 4.7 refuses them or some values of them
(facts/providers.md 1.2). The answer's shape comes from `output_config.format`.
"""

import threading
from collections.abc import Sequence
from typing import Any

import anthropic
from anthropic.types import Message

from shared.errors import EmbedmillError, ProviderRefused, ProviderUnavailable
from shared.providers.credentials import hash_credentials
from shared.providers.models.base import Answer, Block, Model, Prompt, Stop, Usage
from shared.providers.translation import error_of, unreadable

TIMEOUT_SECONDS = 180.0
CONNECT_SECONDS = 5.0
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

    def ask(self, prompt: Prompt) -> Answer:
        try:
            response = self._opened().messages.with_raw_response.create(
                model=self.model,
                max_tokens=prompt.max_tokens,
                system=_blocks(prompt.system),
                messages=[{"role": "user", "content": _blocks(prompt.user)}],
                output_config={"format": {"type": "json_schema", "schema": dict(prompt.schema)}},
            )
            return _answer(response.parse(), response.headers)
        except (anthropic.AnthropicError, TypeError, ValueError, AttributeError) as error:
            raise self._translated(error) from None

    def make_client(self) -> Any:
        """The SDK's client; it finds address and key in the SDK's own environment variables."""
        return anthropic.Anthropic(max_retries=0, timeout=_timeout())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self.make_client()
        return self._client

    def _translated(self, error: Exception) -> EmbedmillError:
        """The SDK's errors as ours; their messages may quote a prompt and stay behind."""
        match error:
            case anthropic.APIStatusError():
                return self._status_error(error)
            case anthropic.APITimeoutError():
                return ProviderUnavailable(f"{self.provider} did not answer in time")
            case anthropic.APIConnectionError():
                return ProviderUnavailable(
                    f"{self.provider} could not be reached or broke off", may_be_billed=not _never_sent(error)
                )
            # What the SDK says when it found no key, and when it cannot make sense of an address or an account.
            case TypeError() if "authentication" in str(error):
                return ProviderRefused(f"{self.credentials} is not set")
            case anthropic.AnthropicError() if not isinstance(error, anthropic.APIError):
                return ProviderRefused(f"{self.provider} cannot be used as it is set up: check {self.credentials}")
        return unreadable(self.provider)

    def _status_error(self, error: anthropic.APIStatusError) -> EmbedmillError:
        body = error.body if isinstance(error.body, dict) else {}
        inner = body.get("error") if isinstance(body.get("error"), dict) else {}
        told = inner or {}
        details = told.get("details") if isinstance(told.get("details"), dict) else {}
        return error_of(
            error.status_code,
            provider=self.provider,
            credentials=self.credentials,
            code=str((details or {}).get("error_code") or told.get("type") or ""),
            message=str(told.get("message", "")),
            headers=error.response.headers,
        )


class BedrockModel(AnthropicModel):
    """Claude on Amazon Bedrock: the same Messages API, signed with the account of the usual `AWS_*` variables."""

    provider = "bedrock"
    credentials = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"

    def make_client(self) -> Any:
        return anthropic.AnthropicBedrockMantle(max_retries=0, timeout=_timeout())


def _timeout() -> Any:
    return anthropic.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)


def _blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [_block(block) for block in blocks]


def _block(block: Block) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "text", "text": block.text}
    return made | {"cache_control": {"type": "ephemeral"}} if block.cached else made


def _answer(message: Message, headers: Any) -> Answer:
    usage = message.usage
    return Answer(
        # By type and never by place: a model that thinks puts its thoughts first.
        text="".join(block.text for block in message.content if block.type == "text"),
        stop=_STOPS.get(message.stop_reason or "", Stop.OTHER),
        usage=Usage(
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_input_tokens or 0,
            usage.cache_creation_input_tokens or 0,
        ),
        request_id=headers.get("request-id", ""),
        limits={name: value for name, value in headers.items() if name.startswith(LIMIT_HEADERS)},
    )


def _never_sent(error: anthropic.APIConnectionError) -> bool:
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol")
