"""Answers that are sent piece by piece, in the vendors' wire formats, and the ways in which they go wrong on order."""

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Send

from embedmill.simulators.faults import Fault
from embedmill.simulators.miscounting import miscounted

PIECE = 12
"""Characters of a text in one event: some three tokens."""
EVENT_STREAM = "text/event-stream"
AWS_EVENT_STREAM = "application/vnd.amazon.eventstream"
_STRING = 7
"""The type of a text in the header of a frame of AWS."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """What is sent piece by piece: events in the vendor's wire format, and its way to say that it failed meanwhile."""

    events: tuple[bytes, ...]
    error: bytes


class Streaming:
    """A response of events. A fault spoils its second half: the connection breaks, it ends early, or in an error."""

    def __init__(
        self, streamed: Streamed, headers: Mapping[str, str], fault: Fault | None, *, pause_seconds: float = 0.0
    ) -> None:
        self.status_code = 200
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._events = list(_spoiled(streamed, fault))
        self._breaks = fault is not None and fault.kind == "cut_body"
        self._pause_seconds = pause_seconds

    async def send(self, send: Send, transport: asyncio.Transport | None) -> None:
        """Send the events, and end or break off."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self._headers})
        for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            if self._pause_seconds:
                await asyncio.sleep(self._pause_seconds)
        if not self._breaks:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif transport is not None:
            transport.close()


def _spoiled(streamed: Streamed, fault: Fault | None) -> Iterator[bytes]:
    events = streamed.events
    half = events[: (len(events) + 1) // 2]
    match fault.kind if fault else None:
        case "cut_body" | "truncated":
            yield from half
        case "stream_error":
            yield from (*half, streamed.error)
        case "malformed":
            yield b"<html>502 Bad Gateway</html>"
        case "usage":
            assert fault is not None
            yield from (_miscounted(event, fault.usage) for event in events)
        case _:
            yield from events


def _miscounted(event: bytes, told: Any) -> bytes:
    """What stands behind `data:` with other counts; frames of AWS are left alone."""
    start = event.find(b"data: ")
    return event if start < 0 else event[: start + 6] + miscounted(event[start + 6 :].strip(), told) + b"\n\n"


def pieces(text: str) -> Iterator[str]:
    """A text in the pieces in which it is sent."""
    for start in range(0, len(text), PIECE):
        yield text[start : start + PIECE]


def server_sent(data: Any, *, event: str = "") -> bytes:
    """An event as servers send it: with its name, where the vendor names events."""
    named = f"event: {event}\n" if event else ""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{named}data: {text}\n\n".encode()


def framed(payload: Mapping[str, Any]) -> bytes:
    """A frame of Amazon's event stream that holds a piece of a model's answer."""
    content = base64.b64encode(json.dumps(payload, ensure_ascii=False).encode()).decode()
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return _frame(headers, {"bytes": content})


def framed_error(kind: str, message: str) -> bytes:
    """A frame that says that the answer failed."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return _frame(headers, {"message": message})


def _frame(headers: Mapping[str, str], body: Mapping[str, Any]) -> bytes:
    head = b"".join(_header(name, value) for name, value in headers.items())
    payload = json.dumps(body).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([_STRING]) + struct.pack(">H", len(value)) + value.encode()
