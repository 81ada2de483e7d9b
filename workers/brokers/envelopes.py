"""Puts what is no kombu message into an envelope of one, so that a consumer can look at it and keep it."""

import uuid
from typing import Any

from kombu.utils.json import dumps, loads


def enveloped(raw: Any, *, queue: str) -> dict[str, Any]:
    """`raw` itself when it is a kombu message; else a message without headers whose body it is."""
    if _is_message(raw):
        message: dict[str, Any] = raw
        return message
    return {
        "body": raw if isinstance(raw, str) else dumps(raw),
        "headers": None,
        "properties": {
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }


def read_json(text: Any, *arguments: Any, **options: Any) -> Any:
    """Kombu's `loads`, and the text itself where it is no JSON."""
    try:
        return loads(text, *arguments, **options)
    except ValueError:
        return text if isinstance(text, str) else bytes(text).decode("utf-8", errors="replace")


def _is_message(raw: Any) -> bool:
    match raw:
        case {"body": str(), "properties": {"delivery_tag": str(), "delivery_info": {"routing_key": str()}}}:
            headers = raw.get("headers")
            return headers is None or isinstance(headers, dict)
    return False


def as_text(body: Any) -> str:
    """A body as it travelled, as far as it is text."""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body).decode("utf-8", errors="replace")
    return body if isinstance(body, str) else str(dumps(body))
