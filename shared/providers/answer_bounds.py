"""Bounds what is read of one answer of a provider: a server that sends without end would take all memory.

The SDKs read an answer whole, so the bound sits below them, in their HTTP clients, and counts what was unpacked. The
clients are of two libraries of one kind (`httpx`, and `httpx2`, which goes on with it).
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

from embedmill.shared.errors import ProviderUnavailable

MEGABYTE = 1000**2
MOST_BYTES = 160 * MEGABYTE
"""Above the largest answer that there is: 2,048 vectors of 3,072 numbers, each written out with 21 signs."""


def too_large(provider: str) -> ProviderUnavailable:
    """The error for what goes beyond the bound: it was most likely billed."""
    most = f"{MOST_BYTES // MEGABYTE} MB"
    return ProviderUnavailable(f"{provider} sent more than {most} for one answer, and no more of it was read")


def bound_answers(client: Any, *, provider: str) -> None:
    """Have a client's answers bounded; reading a larger one raises ProviderUnavailable."""
    client.event_hooks = {"response": [_hook(provider, _count_all)]}


def bound_lines(client: Any, *, provider: str) -> None:
    """The same of each line: a file of results is read line by line, and may be of any length."""
    client.event_hooks = {"response": [_hook(provider, _count_line)]}


def bound_transport(transport: Any, *, provider: str) -> None:
    """As `bound_answers`, for an SDK that goes past its client to its transport."""
    send, bound = transport.handle_request, _hook(provider, _count_all)

    def send_bounded(request: Any) -> Any:
        response = send(request)
        bound(response)
        return response

    transport.handle_request = send_bounded


def _count_all(held: int, piece: bytes) -> int:
    return held + len(piece)


def _count_line(held: int, piece: bytes) -> int:
    end = piece.rfind(b"\n")
    return held + len(piece) if end < 0 else len(piece) - end - 1


def _hook(provider: str, count: Callable[[int, bytes], int]) -> Callable[[Any], None]:
    def bound(response: Any) -> None:
        library = type(response).__module__.partition(".")[0]
        inner, pieces = response.stream, response.stream
        if packed := response.headers.pop("content-encoding", ""):
            pieces = type(response)(200, headers={"content-encoding": packed}, stream=inner).iter_bytes()
        response.stream = _kind(library)(inner, pieces, provider, count)

    return bound


class _BoundedBytes:
    """The pieces of an answer, as far as the bound."""

    def __init__(self, inner: Any, pieces: Any, provider: str, count: Callable[[int, bytes], int]) -> None:
        self._inner, self._pieces, self._provider, self._count = inner, pieces, provider, count

    def __iter__(self) -> Iterator[bytes]:
        held = 0
        for piece in self._pieces:
            held = self._count(held, piece)
            if held > MOST_BYTES:
                raise too_large(self._provider)
            yield piece

    def close(self) -> None:
        self._inner.close()


@cache
def _kind(library: str) -> type[Any]:
    """Such a stream as that library takes for one of its own."""
    return type("BoundedStream", (_BoundedBytes, import_module(library).SyncByteStream), {})
