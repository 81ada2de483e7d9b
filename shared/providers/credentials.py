"""Tells credentials apart without keeping them: limits are counted by provider, model and key."""

import os
from collections.abc import Callable
from typing import Any

from embedmill.shared.addresses import digest
from embedmill.shared.errors import KeyRefused

AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK")
ATTRIBUTES = ("api_key", "auth_token", "aws_access_key")


def hash_credentials(open_client: Callable[[], Any]) -> str:
    """A hash of what a vendor's client signs with.

    Empty when that cannot be told, as with the roles of AWS, and when the client cannot be opened, as the request will
    say.
    """
    try:
        client = open_client()
    except Exception:  # noqa: BLE001 - vendors have no common error
        return ""
    found = [str(getattr(client, name, None) or "") for name in ATTRIBUTES]
    return digest("key", *found, length=16) if any(found) else ""


def require_sendable(provider: str, *variables: str) -> None:
    """Raise KeyRefused for a key that no request can carry, as one with the line break of its file.

    SDKs take it for a connection that broke off.
    """
    for name in variables:
        value = os.environ.get(name, "")
        if value != value.strip() or not all(" " <= character <= "~" for character in value):
            raise KeyRefused(
                f"{provider} cannot be used: {name} holds what no key has, perhaps a line break at its end"
            )


def hash_variable(name: str) -> str:
    """A hash of the key in an environment variable; empty when there is none."""
    value = os.environ.get(name, "")
    return digest("key", value, length=16) if value else ""
