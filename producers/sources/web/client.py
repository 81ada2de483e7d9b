"""Asks for one address once: no redirect, no cookie, and bounds on time and bytes, counted when inflated."""

import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Self
from urllib.parse import urlsplit

import httpcore2

from embedmill.producers.sources.web.guard import (
    HINT,
    AddressRefused,
    Allowed,
    Clock,
    Deadline,
    GuardedBackend,
    NameLeadsNowhere,
    Resolver,
    resolve,
)
from embedmill.producers.sources.web.proxies import Proxy, ProxyRefused

INFLATED_STEP = 64 * 1024
MOST_IGNORED_BYTES = 64 * 1024
"""Of an answer that is not wanted, so that its connection can be used again."""
MOST_CONNECTIONS = 32
KEPT_OPEN_SECONDS = 30.0

_PLAIN = ("", "identity")
_ZIPPED = ("gzip", "x-gzip", "deflate")
_GZIP = b"\x1f\x8b"
# What a stream of zlib may begin with.
_ZLIB = tuple(bytes((window,)) for window in range(0x08, 0x80, 0x10))

Wants = Callable[["AnswerHead"], bool]


class FailureKind(StrEnum):
    """Why there is no answer that could be used."""

    AWAY = "away"
    """Nobody answered, or not to the end: it may by the next time."""
    BROKEN = "broken"
    """What came is no whole answer: this page's trouble, and not its host's."""
    SLOW = "slow"
    """It would have taken longer than an answer may: asking again would take as long."""
    REFUSED = "refused"
    """Nobody was asked."""
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, and why, in words that hold no address."""

    reason: str
    kind: FailureKind


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """What stands before an answer's body; names of headers are in lower case, and each that came again is a line."""

    address: str
    status: int
    headers: Mapping[str, str]

    @property
    def media_type(self) -> str:
        """Without parameters, in lower case; "" when the answer names none."""
        return self.first("content-type").partition(";")[0].strip().lower()

    def first(self, name: str) -> str:
        """A header's value, the first where there are several; "" where there is none."""
        return self.headers.get(name, "").partition("\n")[0]


@dataclass(frozen=True, slots=True)
class WebAnswer(AnswerHead):
    """An answer; its body is empty unless it was wanted. `seconds` from asking to its end."""

    body: bytes = b""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RequestBounds:
    """Of one request: seconds for all of it and for one step, and bytes of its body when inflated."""

    seconds: float = 30.0
    step_seconds: float = 15.0
    most_bytes: int = 64 * 1024 * 1024


@dataclass(slots=True)
class Client:
    """Connections to sites, for several threads; `authorizations` are headers by origin and sent to no other."""

    agent: str
    allowed: Allowed = field(default_factory=Allowed)
    bounds: RequestBounds = field(default_factory=RequestBounds)
    authorizations: Mapping[str, str] = field(default_factory=dict)
    resolver: Resolver = resolve
    clock: Clock = time.monotonic
    proxy_resolves: bool = False
    _deadline: Deadline = field(init=False)
    _pools: dict[str, httpcore2.ConnectionPool] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is connected to yet."""
        self._deadline = Deadline(self.clock)
        self._pools = {scheme: self._connect(scheme) for scheme in ("http", "https")}

    def _connect(self, scheme: str) -> httpcore2.ConnectionPool:
        backend = GuardedBackend(
            self.allowed,
            self._deadline,
            resolver=self.resolver,
            proxy=Proxy.of_environment(scheme),
            proxy_resolves=self.proxy_resolves,
        )
        return httpcore2.ConnectionPool(
            ssl_context=_context(),
            max_connections=MOST_CONNECTIONS,
            keepalive_expiry=KEPT_OPEN_SECONDS,
            network_backend=backend,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.close()

    def ask(
        self, address: str, *, wants: Wants, headers: Mapping[str, str] | None = None, cut_bytes: int | None = None
    ) -> WebAnswer | Failure:
        """The answer to a GET of an address; its body is read if `wants` says so when it has seen the head.

        A body that is too large is a failure, unless it is cut.
        """
        begun = self.clock()
        self._deadline.begin(self.bounds.seconds)
        try:
            url = _url(address)
            with self._pools.get(urlsplit(address).scheme, self._pools["https"]).stream(
                "GET", url, headers=self._headers(address, headers or {}), extensions=self._extensions()
            ) as response:
                head = _head(address, response)
                body = self._body(head, response, wants, cut_bytes)
                return WebAnswer(address, head.status, head.headers, body, self.clock() - begun)
        except _TooLarge as error:
            return Failure(f"it is larger than the limit of {error.most:,} bytes", FailureKind.TOO_LARGE)
        except AddressRefused as error:
            return Failure(f"{error}; {HINT}", FailureKind.REFUSED)
        except httpcore2.UnsupportedProtocol:
            return Failure("it is no address of the web", FailureKind.REFUSED)
        except (httpcore2.LocalProtocolError, UnicodeError, ValueError):
            return Failure("nobody can be asked for such an address", FailureKind.REFUSED)
        except (httpcore2.ProtocolError, zlib.error) as error:
            return Failure(_describe(error), FailureKind.BROKEN)
        except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            is_slow = self.clock() - begun >= self.bounds.seconds
            return Failure(_describe(error), FailureKind.SLOW if is_slow else FailureKind.AWAY)

    def _headers(self, address: str, more: Mapping[str, str]) -> list[tuple[str, str]]:
        parts = urlsplit(address)
        known = self.authorizations.get(f"{parts.scheme}://{parts.netloc}")
        return [
            ("Host", parts.netloc),
            ("User-Agent", self.agent),
            ("Accept", "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.5"),
            ("Accept-Encoding", "gzip, deflate"),
            *([("Authorization", known)] if known else []),
            *more.items(),
        ]

    def _extensions(self) -> dict[str, dict[str, float]]:
        return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self.bounds.step_seconds)}

    def _body(self, head: AnswerHead, response: httpcore2.Response, wants: Wants, cut: int | None) -> bytes:
        if not wants(head):
            _ignore(response)
            return b""
        pieces, size = [], 0
        for piece in _inflated(response.iter_stream(), head.first("content-encoding")):
            size += len(piece)
            pieces.append(piece)
            if cut is not None and size >= cut:
                return b"".join(pieces)[:cut]
            if size > self.bounds.most_bytes:
                raise _TooLarge(self.bounds.most_bytes)
        return b"".join(pieces)


@cache
def _context() -> ssl.SSLContext:
    """The authorities of this machine; reading them takes longer than asking a page."""
    return httpcore2.default_ssl_context()


def _url(address: str) -> httpcore2.URL:
    """The address to the letter: by itself the library leaves out what follows a `;`."""
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore2.URL(
        scheme=parts.scheme.encode("ascii"),
        host=(parts.hostname or "").encode("ascii"),
        port=parts.port,
        target=target.encode("ascii"),
    )


class _TooLarge(Exception):
    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most


def _head(address: str, response: httpcore2.Response) -> AnswerHead:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        headers[key] = f"{headers[key]}\n{text}" if key in headers else text
    return AnswerHead(address, response.status, headers)


def _ignore(response: httpcore2.Response) -> None:
    """Read a short body, so that the connection can be used again; a long one ends it."""
    size = 0
    for piece in response.iter_stream():
        size += len(piece)
        if size > MOST_IGNORED_BYTES:
            return


def _inflated(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The body in pieces of at most `INFLATED_STEP` bytes, however much one received byte stands for."""
    name = encoding.strip().lower()
    if name in _PLAIN:
        yield from pieces
    elif name in _ZIPPED:
        yield from _unzipped(pieces)
    else:
        raise httpcore2.RemoteProtocolError("its encoding was not asked for")


def _unzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflating = None
    for piece in pieces:
        data = piece
        while data:
            inflating = inflating or _inflater(data)
            yield inflating.decompress(data, INFLATED_STEP)
            data = inflating.unconsumed_tail
            if inflating.eof:
                # Another part may follow; what is none is padding, which browsers ignore.
                data = inflating.unused_data if inflating.unused_data.startswith(_GZIP) else b""
                inflating = None
    if inflating is not None:
        yield inflating.flush()
        if not inflating.eof:
            raise zlib.error("it ends early")


def _inflater(first: bytes) -> "zlib._Decompress":
    """For gzip, zlib, and what some servers call deflate: a stream without a head."""
    return zlib.decompressobj(47 if first.startswith((_GZIP, *_ZLIB)) else -15)


# The first that fits an error, or what it came from.
_DESCRIPTIONS: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLError, "no encrypted connection could be made"),
    (ConnectionRefusedError, "it refuses connections"),
    (httpcore2.ConnectTimeout, "nobody answers there"),
    (httpcore2.TimeoutException, "its answer took too long"),
    (httpcore2.ConnectError, "it cannot be connected to"),
    (zlib.error, "its answer is damaged: what is compressed in it cannot be inflated"),
    (httpcore2.ProtocolError, "its answer broke off or makes no sense"),
)


def _describe(error: Exception) -> str:
    """Why nobody answered, without what the other side may have said."""
    causes = (error, error.__cause__, error.__context__)
    for cause in causes:
        if isinstance(cause, NameLeadsNowhere | ProxyRefused):
            return str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})"
    found = (words for kind, words in _DESCRIPTIONS for cause in causes if isinstance(cause, kind))
    return next(found, "the connection broke")
