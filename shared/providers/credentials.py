"""Tells credentials apart without keeping them: limits are counted by provider, model and key."""

from collections.abc import Callable
from typing import Any

from shared.addresses import digest

ATTRIBUTES = ("api_key", "auth_token", "aws_access_key")


def hash_credentials(open_client: Callable[[], Any]) -> str:
    """A hash of what a vendor's client signs with; empty when it cannot be opened, as the request will say."""
    try:
        client = open_client()
    except Exception:  # noqa: BLE001 - vendors have no common error
        return ""
    return digest("key", *(str(getattr(client, name, None) or "") for name in ATTRIBUTES), length=16)
