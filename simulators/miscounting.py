"""Spoils what an answer says that it counted, as a proxy on the way may do, and leaves the rest of it alone."""

import json
from typing import Any

COUNTS = frozenset({"usage", "billed_units", "inputTextTokenCount"})
COUNT_HEADERS = frozenset({"x-amzn-bedrock-input-token-count"})


def miscounted(body: bytes, told: Any) -> bytes:
    """An answer, or one a line, in which every count of tokens is `told` instead."""
    return b"\n".join(_line(line, told) for line in body.split(b"\n"))


def _line(line: bytes, told: Any) -> bytes:
    try:
        return json.dumps(_changed(json.loads(line), told), ensure_ascii=False).encode()
    except ValueError:
        return line


def _changed(node: Any, told: Any, *, counts: bool = False) -> Any:
    match node:
        case dict():
            return {name: _changed(value, told, counts=counts or name in COUNTS) for name, value in node.items()}
        case list():
            return [_changed(value, told) for value in node]
        case int() | float() if counts:
            return told
    return node
