"""Owns JSON of which many are held at once, as those of a batch are before they are written together."""

from typing import Any

import orjson


def json_bytes(value: Any, option: int | None = None) -> bytes:
    """What `orjson.dumps` returns, in no more memory than it needs: of 5 KB of orjson's own, 64 are held."""
    return bytes(memoryview(orjson.dumps(value, option=option)))
