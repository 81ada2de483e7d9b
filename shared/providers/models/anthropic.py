"""Claude through Anthropic's own SDK, which reads `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`.

Sampling parameters, a prefilled answer and `thinking` are left out: Opus 4.7 refuses them or some values of them
(facts/providers.md 1.2). The answer's shape comes from `output_config.format`.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anthropic
from anthropic.types import Message

from shared.errors import FlowControl, InputRefused, ProviderRefused, ProviderUnavailable
from shared.providers.models.base import Answer, Block, Model, Prompt, Stop, Usage
from shared.providers.retrying import rate_limits, retry_after_seconds

TIMEOUT_SECONDS = 180.0
CONNECT_SECONDS = 5.0
# Without a Retry-After: what the vendor's limits need to have some room again, and an overload to pass.
RATE_SECONDS, OVERLOAD_SECONDS = 5.0, 15.0
# A spend limit of the vendor's own account lasts until somebody raises it or the month turns.
SPEND_LIMIT_SECONDS = 3600.0
OVERLOADED = 529

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

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name, model)
        self._client: Any = None
        self._lock = threading.Lock()

    def ask(self, prompt: Prompt) -> Answer:
        with _translated(self.provider):
            response = self._opened().messages.with_raw_response.create(
                model=self.model,
                max_tokens=prompt.max_tokens,
                system=_blocks(prompt.system),
                messages=[{"role": "user", "content": _blocks(prompt.user)}],
                output_config={"format": {"type": "json_schema", "schema": dict(prompt.schema)}},
            )
            message: Message = response.parse()
        return Answer(
            # By type and never by place: a model that thinks puts its thoughts first.
            text="".join(block.text for block in message.content if block.type == "text"),
            stop=_STOPS.get(message.stop_reason or "", Stop.OTHER),
            usage=Usage(
                message.usage.input_tokens,
                message.usage.output_tokens,
                message.usage.cache_read_input_tokens or 0,
                message.usage.cache_creation_input_tokens or 0,
            ),
            request_id=response.headers.get("request-id", ""),
            limits=rate_limits(response.headers),
        )

    def make_client(self) -> Any:
        """The SDK's client; it finds address and key in the SDK's own environment variables."""
        return anthropic.Anthropic(max_retries=0, timeout=_timeout())

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self.make_client()
        return self._client


class BedrockModel(AnthropicModel):
    """Claude on Amazon Bedrock: the same Messages API, signed with the account of the usual `AWS_*` variables."""

    provider = "bedrock"

    def make_client(self) -> Any:
        return anthropic.AnthropicBedrockMantle(max_retries=0, timeout=_timeout())


def _timeout() -> Any:
    return anthropic.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)


def _blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [_block(block) for block in blocks]


def _block(block: Block) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "text", "text": block.text}
    return made | {"cache_control": {"type": "ephemeral"}} if block.cached else made


@contextmanager
def _translated(provider: str) -> Iterator[None]:
    """The SDK's errors as ours; their messages may quote a prompt and stay behind."""
    try:
        yield
    except anthropic.APIStatusError as error:
        raise _status_error(provider, error) from None
    except anthropic.APIConnectionError as error:
        raise ProviderUnavailable(f"{provider} could not be reached ({type(error).__name__})") from None
    except anthropic.APIError as error:
        raise ProviderUnavailable(f"{provider} answered what its SDK cannot read ({type(error).__name__})") from None
    except (anthropic.AnthropicError, TypeError) as error:
        # The SDK says with a TypeError that it found no key; anything else of that kind is our own fault.
        if isinstance(error, TypeError) and "authentication" not in str(error):
            raise
        raise ProviderRefused(f"no credentials for {provider} were found") from None
    except ValueError:
        raise ProviderUnavailable(f"{provider} answered with something that is no JSON") from None


def _status_error(provider: str, error: anthropic.APIStatusError) -> Exception:
    status = error.status_code
    told = retry_after_seconds(error.response.headers)
    match status:
        case 429 if _spend_limit(error):
            seconds = told or SPEND_LIMIT_SECONDS
            return FlowControl(
                f"{provider}: its own spend limit is reached", reason="budget", retry_after_seconds=seconds
            )
        case 429:
            return FlowControl(f"{provider}: rate limit", reason="rate", retry_after_seconds=told or RATE_SECONDS)
        case 529:
            return FlowControl(f"{provider} is overloaded", reason="rate", retry_after_seconds=told or OVERLOAD_SECONDS)
        case 401 | 402 | 403 | 404:
            return ProviderRefused(f"{provider} refused with status {status} ({_kind(error)})")
        case 400 | 413 | 422:
            return InputRefused(f"{provider} refused a request with status {status} ({_kind(error)})")
    return ProviderUnavailable(f"{provider} answered with status {status} ({_kind(error)})")


def _spend_limit(error: anthropic.APIStatusError) -> bool:
    return "enforced_spend_limit_reached" in str(error.body)


def _kind(error: anthropic.APIStatusError) -> str:
    """The vendor's word for the error: a name, never a sentence that might quote the prompt."""
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error") if isinstance(body.get("error"), dict) else {}
    return str((inner or {}).get("type", "no type"))[:60]
