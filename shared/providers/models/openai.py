"""OpenAI's chat models through its own SDK, which reads `OPENAI_API_KEY` and `OPENAI_BASE_URL`."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openai

from shared.errors import FlowControl, InputRefused, ProviderRefused, ProviderUnavailable
from shared.providers.models.base import Answer, Block, Model, Prompt, Stop, Usage
from shared.providers.retrying import rate_limits, retry_after_seconds

TIMEOUT_SECONDS = 180.0
CONNECT_SECONDS = 5.0
RATE_SECONDS = 5.0
QUOTA_SECONDS = 3600.0

_STOPS = {"stop": Stop.END, "length": Stop.MAX_TOKENS, "content_filter": Stop.REFUSAL}


class OpenAIModel(Model):
    """Chat completions with a strict schema; prompts are cached by OpenAI itself, by their beginning."""

    provider = "openai"

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name, model)
        self._client: openai.OpenAI | None = None
        self._lock = threading.Lock()

    def ask(self, prompt: Prompt) -> Answer:
        with _translated():
            response = self._opened().chat.completions.with_raw_response.create(
                model=self.model,
                max_completion_tokens=prompt.max_tokens,
                messages=[
                    {"role": "system", "content": _joined(prompt.system)},
                    {"role": "user", "content": _joined(prompt.user)},
                ],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": prompt.schema_name, "strict": True, "schema": dict(prompt.schema)},
                },
            )
            completion = response.parse()
        if not completion.choices:
            raise ProviderUnavailable("openai answered without a choice")
        choice = completion.choices[0]
        return Answer(
            text=choice.message.content or "",
            stop=Stop.REFUSAL if choice.message.refusal else _STOPS.get(choice.finish_reason, Stop.OTHER),
            usage=_usage(completion.usage),
            request_id=response.headers.get("x-request-id", ""),
            limits=rate_limits(response.headers),
        )

    def _opened(self) -> openai.OpenAI:
        with self._lock:
            if self._client is None:
                timeout = openai.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
                self._client = openai.OpenAI(max_retries=0, timeout=timeout)
        return self._client


def _joined(blocks: Sequence[Block]) -> str:
    return "\n\n".join(block.text for block in blocks)


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage()
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    return Usage(tokens_in=usage.prompt_tokens - cached, tokens_out=usage.completion_tokens, cache_read=cached)


@contextmanager
def _translated() -> Iterator[None]:
    """The SDK's errors as ours; their messages may quote a prompt and stay behind."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _status_error(error) from None
    except openai.APIConnectionError as error:
        raise ProviderUnavailable(f"openai could not be reached ({type(error).__name__})") from None
    except openai.APIError as error:
        raise ProviderUnavailable(f"openai answered what its SDK cannot read ({type(error).__name__})") from None
    except openai.OpenAIError:
        raise ProviderRefused("no credentials for openai were found") from None
    except ValueError:
        raise ProviderUnavailable("openai answered with something that is no JSON") from None


def _status_error(error: openai.APIStatusError) -> Exception:
    status = error.status_code
    told = retry_after_seconds(error.response.headers)
    match status:
        case 429 if error.code == "insufficient_quota":
            seconds = told or QUOTA_SECONDS
            return FlowControl("openai: the account's quota is used up", reason="budget", retry_after_seconds=seconds)
        case 429:
            return FlowControl("openai: rate limit", reason="rate", retry_after_seconds=told or RATE_SECONDS)
        case 401 | 402 | 403 | 404:
            return ProviderRefused(f"openai refused with status {status}")
        case 400 | 413 | 422:
            return InputRefused(f"openai refused a request with status {status}")
    return ProviderUnavailable(f"openai answered with status {status}")
