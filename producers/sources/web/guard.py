"""Which addresses of the network are connected to: what is checked is what is connected to, for every connection.

A name is resolved once, by whoever connects. If one of its addresses is private, none is used; otherwise the connection
goes to the address that was checked and never to the name, which may have another address by then. So redirects,
robots.txt, sitemaps and files are covered alike, and so is every way of writing an address. A proxy is asked for the
address that was checked, too, unless it is trusted to look names up itself.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from httpcore2 import SOCKET_OPTION, ConnectError, ConnectTimeout, NetworkBackend, NetworkStream, ReadTimeout
from httpcore2 import SyncBackend as SocketBackend

from embedmill.producers.sources.web.proxies import Proxy

Resolver = Callable[[str, int], list[str]]
Clock = Callable[[], float]

HINT = "EMBEDMILL_ALLOW_PRIVATE_ADDRESSES=1 allows it, or name its host there."
# RFC 6052; the prefix of RFC 8215 is for local use and stays refused.
_NAT64 = IPv6Network("64:ff9b::/96")
# RFC 7526: relays of 6to4, which nobody runs any more.
_RELAYS = IPv4Address("192.88.99.0"), IPv4Address("192.88.99.255")


class AddressRefused(ConnectError):
    """A name leads to an address that is not a public one."""


class NameLeadsNowhere(ConnectError):
    """A name has no address."""

    def __init__(self) -> None:
        super().__init__("its name leads to no address")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The private places that may be connected to: all, or some hosts, each with a port or with any."""

    everything: bool = False
    places: frozenset[tuple[str, int | None]] = field(default=frozenset())

    @classmethod
    def parse(cls, setting: str) -> "Allowed":
        """Of the setting: empty or 0 for none, 1 for all, or `HOST` and `HOST:PORT` with commas between."""
        words = [word.strip().lower() for word in setting.split(",") if word.strip()]
        if words in ([], ["0"], ["false"], ["no"]):
            return cls()
        if words in (["1"], ["true"], ["yes"]):
            return cls(everything=True)
        return cls(places=frozenset(_place(word) for word in words))

    def includes(self, host: str, port: int) -> bool:
        """Whether a host may have private addresses."""
        return self.everything or not self.places.isdisjoint({(host.lower(), port), (host.lower(), None)})


def _place(word: str) -> tuple[str, int | None]:
    host, colon, port = word.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return word.strip("[]"), None


def is_public(address: str) -> bool:
    """Whether an address, written as numbers, is one of the open internet, and so are those that it stands for."""
    found = ip_address(address)
    within = _within(found)
    if within:
        return all(is_public(str(each)) for each in within)
    if isinstance(found, IPv4Address) and _RELAYS[0] <= found <= _RELAYS[1]:
        return False
    is_site_local = isinstance(found, IPv6Address) and found.is_site_local
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified or is_site_local)


def _within(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 one stands for: mapped, NAT64, 6to4, and both ends of Teredo."""
    if isinstance(address, IPv4Address):
        return []
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    single = address.ipv4_mapped or address.sixtofour
    return [single] if single else list(address.teredo or ())


def _is_literal(host: str) -> bool:
    """Whether a host is written as an address, in whichever way that anybody understands."""
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return ":" in host or host.rpartition(".")[2].lower() == "localhost"
    return True


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host as numbers, in the order in which they should be tried; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Deadline(threading.local):
    """Until when what this thread asks may take, by `clock`."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._at = float("inf")

    def begin(self, seconds: float) -> None:
        """From now on."""
        self._at = self._clock() + seconds

    def left(self, timeout: float | None) -> float:
        """Seconds for the next step, at most `timeout`; raises ReadTimeout when there are none."""
        left = self._at - self._clock()
        if left <= 0:
            raise ReadTimeout("the whole answer took too long")
        return left if timeout is None else min(timeout, left)


class GuardedBackend(NetworkBackend):
    """Connects to public addresses only, or to what is allowed, and keeps each connection to its thread's deadline.

    Public ones are reached through the `proxy`, if there is one; with `proxy_resolves` it is given names, and what they
    lead to is its business.
    """

    def __init__(
        self,
        allowed: Allowed,
        deadline: Deadline,
        *,
        resolver: Resolver = resolve,
        proxy: Proxy | None = None,
        proxy_resolves: bool = False,
    ) -> None:
        self._proxy = proxy
        self._proxy_resolves = proxy_resolves
        self._allowed = allowed
        self._deadline = deadline
        self._resolve = resolver
        self._sockets = SocketBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        proxy = self._proxy if self._proxy is not None and self._proxy.leads_to(host, port) else None
        found = self._find(host, port, proxy)
        error: ConnectError | ConnectTimeout = NameLeadsNowhere()
        for address in found:
            left = partial(self._deadline.left, timeout)
            try:
                if proxy is not None and (not _is_literal(address) or is_public(address.partition("%")[0])):
                    return DeadlineStream(proxy.tunnel(self._sockets, address, port, left), self._deadline)
                stream = self._sockets.connect_tcp(address, port, left(), local_address, socket_options)
                return DeadlineStream(stream, self._deadline)
            except (ConnectError, ConnectTimeout) as failed:
                error = failed
        raise error

    def _find(self, host: str, port: int, proxy: Proxy | None) -> list[str]:
        """What is connected to: addresses that were checked, or the name where the proxy looks it up itself."""
        if proxy is None or not self._proxy_resolves or _is_literal(host):
            return self.checked(host, port)
        try:
            found = self.checked(host, port)
        except NameLeadsNowhere:
            return [host]
        return [host] if all(is_public(address.partition("%")[0]) for address in found) else found

    def checked(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of which may be connected to; raises AddressRefused, ConnectError."""
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise NameLeadsNowhere from error
        if not self._allowed.includes(host, port):
            for address in found:
                if not is_public(address.partition("%")[0]):
                    raise AddressRefused(f"{host} is at a private address ({address})")
        return found

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SOCKET_OPTION] | None = None
    ) -> NetworkStream:
        raise AddressRefused("sockets of this machine are not connected to")


class DeadlineStream(NetworkStream):
    """A connection on which nobody can be slow step by step for longer than the deadline."""

    def __init__(self, stream: NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        encrypted = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return DeadlineStream(encrypted, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
