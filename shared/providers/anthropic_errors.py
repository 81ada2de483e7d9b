"""Translates what Anthropic's SDK raises into our errors; its messages may quote a prompt and stay behind."""

import anthropic

from embedmill.shared.errors import EmbedmillError, KeyRefused, ProviderUnavailable
from embedmill.shared.providers.translation import broken_connection, error_of, unreadable

KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
"""The variables that the SDK looks into."""
FORESEEN = (anthropic.AnthropicError, ValueError, TypeError, AttributeError, LookupError)
"""What the SDK raises, and what comes of reading an answer that is not what it promises."""


def translate(error: Exception, *, provider: str, credentials: str) -> EmbedmillError:
    """Our error for one of those that are foreseen."""
    match error:
        case anthropic.APIStatusError():
            return _status_error(error, provider, credentials)
        case anthropic.APITimeoutError():
            return ProviderUnavailable(f"{provider} did not answer in time")
        case anthropic.APIConnectionError():
            return broken_connection(error, provider)
        # What the SDK says when it found no key, and when it cannot make sense of an address or an account.
        case TypeError() if "authentication" in str(error):
            return KeyRefused(f"{provider} has no key: {credentials} is not set")
        case anthropic.AnthropicError() if not isinstance(error, anthropic.APIError):
            return _not_set_up(provider, credentials)
        # On Bedrock, what comes of looking for an account and not finding one.
        case RuntimeError() if "credentials" in str(error):
            return _not_set_up(provider, credentials)
        case _ if type(error).__module__.startswith("botocore"):
            return _not_set_up(provider, credentials)
    return unreadable(provider)


def _not_set_up(provider: str, credentials: str) -> KeyRefused:
    return KeyRefused(f"{provider} cannot be used as it is set up: check {credentials}")


def _status_error(error: anthropic.APIStatusError, provider: str, credentials: str) -> EmbedmillError:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error") if isinstance(body.get("error"), dict) else {}
    told = inner or {}
    details = told.get("details") if isinstance(told.get("details"), dict) else {}
    return error_of(
        error.status_code,
        provider=provider,
        credentials=credentials,
        code=str((details or {}).get("error_code") or told.get("type") or ""),
        message=str(told.get("message", "")),
        headers=error.response.headers,
    )
