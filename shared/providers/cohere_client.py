"""Cohere's SDK as all who call Cohere use it (CO_API_KEY, CO_API_URL): a client without retries, errors translated."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from embedmill.shared.errors import KeyRefused, ProviderUnavailable
from embedmill.shared.providers.answer_bounds import bound_answers
from embedmill.shared.providers.credentials import require_sendable
from embedmill.shared.providers.translation import error_of, unreadable

PROVIDER, CREDENTIALS = "cohere", "CO_API_KEY"


def make_client(*, seconds: float) -> Any:
    """A client; raises KeyRefused without a key that can be sent."""
    import cohere
    import httpx

    if not os.environ.get(CREDENTIALS):
        raise KeyRefused(f"cohere has no key: {CREDENTIALS} is not set")
    require_sendable(PROVIDER, CREDENTIALS)
    # A redirection would take texts to an address that nobody named.
    http_client = httpx.Client(timeout=seconds, follow_redirects=False)
    bound_answers(http_client, provider=PROVIDER)
    # The SDK reads CO_API_URL when it is imported, which may be before it is set.
    return cohere.ClientV2(
        base_url=os.environ.get("CO_API_URL"),
        timeout=seconds,
        max_retries=0,
        httpx_client=http_client,
        log_warning_experimental_features=False,
    )


def close_client(client: Any) -> None:
    """Close its connections: it has no close(), and leaving it does that."""
    with client:
        pass


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors for the SDK's."""
    import httpx
    from cohere.core.api_error import ApiError
    from cohere.core.parse_error import ParsingError

    try:
        yield
    except ApiError as error:
        raise error_of(
            error.status_code or 0,
            provider=PROVIDER,
            credentials=CREDENTIALS,
            message=str(error.body),
            headers=error.headers,
        ) from None
    except ParsingError:
        raise unreadable(PROVIDER) from None
    except httpx.TransportError as error:
        never_made = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        raise ProviderUnavailable("cohere could not be reached", may_be_billed=not never_made) from None
