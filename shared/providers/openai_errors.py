"""Translates what OpenAI's SDK raises into our errors; its messages may quote a text or a prompt and stay behind."""

import openai

from embedmill.shared.errors import EmbedmillError, KeyRefused, ProviderUnavailable
from embedmill.shared.providers.translation import broken_connection, error_of, unreadable

PROVIDER, CREDENTIALS = "openai", "OPENAI_API_KEY"
FORESEEN = (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError)
"""What the SDK raises, and what comes of reading an answer that is not what it promises."""


def translate(error: Exception) -> EmbedmillError:
    """Our error for one of those that are foreseen."""
    match error:
        case openai.APIStatusError():
            return error_of(
                error.status_code,
                provider=PROVIDER,
                credentials=CREDENTIALS,
                code=str(error.code or error.type or ""),
                message=str(error.message),
                headers=error.response.headers,
            )
        case openai.APITimeoutError():
            return ProviderUnavailable("openai did not answer in time")
        case openai.APIConnectionError():
            return broken_connection(error, PROVIDER)
        case openai.OpenAIError() if not isinstance(error, openai.APIError):
            return KeyRefused(f"openai cannot be used as it is set up: check {CREDENTIALS}")
    return unreadable(PROVIDER)
