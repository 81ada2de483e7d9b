"""OpenAI's SDK as all who call OpenAI use it (OPENAI_API_KEY, OPENAI_BASE_URL).

Its own retries are off, and a redirection is not followed: it would take texts to an address that nobody named.
"""

from collections.abc import Callable

import openai

from embedmill.shared.providers.answer_bounds import bound_answers


class OpenAIHttpClient(openai.DefaultHttpxClient):
    """The SDK's own closes itself, too, when nobody has it any more."""

    def __del__(self) -> None:
        if not self.is_closed:
            self.close()


def make_client(timeout: float | openai.Timeout, *, bound: Callable[..., None] = bound_answers) -> openai.OpenAI:
    """A client; raises openai.OpenAIError without a key."""
    http_client = OpenAIHttpClient(follow_redirects=False)
    bound(http_client, provider="openai")
    return openai.OpenAI(max_retries=0, timeout=timeout, http_client=http_client)
