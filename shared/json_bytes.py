"""Owns JSON of which many are held at once, as those of a batch are before they are written together."""

from typing import Any

import orjson


def json_bytes(value: Any, option: int | None = None) -> bytes:
    """What `orjson.dumps` returns, in no more memory than it needs: a result of orjson's own has 64 KiB at least."""
    return bytes(memoryview(orjson.dumps(value, option=option)))
