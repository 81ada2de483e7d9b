"""Runs a simulator: in a thread for tests and benchmarks, in the foreground for the command line."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from embedmill.simulators.base import Simulator, Transports

S = TypeVar("S", bound=Simulator)

LOOPBACK = "127.0.0.1"
START_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate and its private key, in PEM."""

    file: Path
    key: Path


@dataclass(frozen=True, slots=True)
class SimulatorServer(Generic[S]):
    """A simulator that answers at `url`."""

    simulator: S
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point the vendor's SDK at it."""
        return self.simulator.environment(self.url)


@contextmanager
def running(simulator: S, *, port: int = 0) -> Iterator[SimulatorServer[S]]:
    """Serve in a thread of this process on a free port of the loopback interface."""
    listener = listen(LOOPBACK, port)
    server = _server(simulator)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=f"simulate-{simulator.name}")
    thread.start()
    try:
        _await_start(server, thread)
        yield SimulatorServer(simulator, url_of(listener))
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def serve(
    simulator: Simulator, listener: socket.socket, *, ready: Callable[[], None], tls: Certificate | None = None
) -> None:
    """Serve in the foreground until SIGINT or SIGTERM; `ready` is called once requests are answered."""
    server = _server(simulator, ready=ready, tls=tls)
    server.run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 means a free one."""
    # Only of a socket that says TCP does asyncio send small answers at once, instead of some 40 ms later.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def url_of(listener: socket.socket, *, scheme: str = "http") -> str:
    """The address of a bound socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()


def _server(
    simulator: Simulator, *, ready: Callable[[], None] | None = None, tls: Certificate | None = None
) -> _Server:
    config = uvicorn.Config(
        simulator,
        http=_tracking_protocol(simulator.transports),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        ssl_certfile=str(tls.file) if tls else None,
        ssl_keyfile=str(tls.key) if tls else None,
    )
    return _Server(config, ready)


def _tracking_protocol(transports: Transports) -> type[H11Protocol]:
    """A protocol that lets the application find the connection that a request came by."""

    class Tracking(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._address = transport.get_extra_info("peername")[:2]
            transports[self._address] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self._address, None)
            super().connection_lost(exc)

    return Tracking


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the simulator did not start")
        time.sleep(0.005)
