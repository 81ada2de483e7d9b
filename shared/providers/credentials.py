"""Tells credentials apart without keeping them: limits are counted by provider, model and key."""

import os
from collections.abc import Callable
from typing import Any

from shared.addresses import digest

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


def hash_variable(name: str) -> str:
    """A hash of the key in an environment variable; empty when there is none."""
    value = os.environ.get(name, "")
    return digest("key", value, length=16) if value else ""
