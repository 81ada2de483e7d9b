"""Anthropic's SDK as all who call Claude use it, at Anthropic or on Bedrock.

Its own retries are off, and a redirection is not followed: it would take texts to an address that nobody named.
"""

from collections.abc import Callable
from typing import Any

import anthropic

from embedmill.shared.providers.answer_bounds import bound_answers

CONNECT_SECONDS = 5.0


class AnthropicHttpClient(anthropic.DefaultHttpxClient):
    """The SDK's own closes itself, too, when nobody has it any more."""

    def __del__(self) -> None:
        if not self.is_closed:
            self.close()


def client_options(seconds: float, *, bound: Callable[..., None] = bound_answers) -> dict[str, Any]:
    """What any of the SDK's clients is made with; an answer is waited for so long."""
    http_client = AnthropicHttpClient(follow_redirects=False)
    bound(http_client, provider="anthropic")
    return {
        "max_retries": 0,
        "timeout": anthropic.Timeout(seconds, connect=CONNECT_SECONDS),
        "http_client": http_client,
    }
