"""Reaches hosts through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY).

A proxy is asked for a tunnel, for http as for https: what it sends us on to is then the address that was checked.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from urllib import request
from urllib.parse import unquote, urlsplit

from httpcore2 import ConnectError, NetworkBackend, NetworkStream, default_ssl_context

MOST_HEAD_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_READ_BYTES = 4096


class ProxyRefused(ConnectError):
    """The proxy does not lead to a host; the message holds no login of it."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy by its address; `scheme` is how it is talked to itself, `login` its user and password as one header."""

    scheme: str
    host: str
    port: int
    login: str = field(default="", repr=False)

    @classmethod
    def of_environment(cls, scheme: str) -> Self | None:
        """That of the addresses of a scheme, None where there is none; raises ValueError for what is no address."""
        named = request.getproxies_environment()
        url = named.get(scheme) or named.get("all")
        if not url:
            return None
        parts = urlsplit(url if "://" in url else f"http://{url}")
        login = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            login = "Basic " + base64.b64encode(pair.encode()).decode()
        return cls(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80), login)

    def leads_to(self, host: str, port: int) -> bool:
        """Whether a host is reached through it; NO_PROXY names those that are not."""
        bypasses = request.proxy_bypass_environment  # type: ignore[attr-defined]  # the types leave it out
        return not (bypasses(host) or bypasses(f"{host}:{port}"))

    def tunnel(self, sockets: NetworkBackend, host: str, port: int, left: Callable[[], float]) -> NetworkStream:
        """A connection to a host through the proxy; `left` says how many seconds each step has. Raises ConnectError."""
        if self.scheme not in _PORTS:
            raise ProxyRefused(f"the environment names a proxy of a kind that is not used ({self.scheme}://)")
        stream = sockets.connect_tcp(self.host, self.port, left())
        try:
            if self.scheme == "https":
                stream = stream.start_tls(default_ssl_context(), self.host, left())
            stream.write(self._request(host, port), left())
            self._require(_read_head(stream, left))
        except BaseException:
            stream.close()
            raise
        return stream

    def _request(self, host: str, port: int) -> bytes:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        login = f"Proxy-Authorization: {self.login}\r\n" if self.login else ""
        return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{login}\r\n".encode("ascii")

    def _require(self, head: bytes) -> None:
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            told = status[0].decode("ascii", "replace")[:3] if status else "what is no answer"
            raise ProxyRefused(f"the proxy does not lead there: it answers {told}")


def _read_head(stream: NetworkStream, left: Callable[[], float]) -> bytes:
    """What the proxy says before the tunnel begins, behind which the host says nothing by itself."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MOST_HEAD_BYTES:
        if not (some := stream.read(_READ_BYTES, left())):
            break
        head += some
    return head
