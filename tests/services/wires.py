"""A TCP proxy before a broker whose connections can be reset, silenced, abandoned by the server's side, and slowed."""

import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# What a consumer sends and nobody else: BRPOP to Redis, Basic.Consume to RabbitMQ, ReceiveMessage to SQS.
CONSUMES = re.compile(rb"BRPOP|\x00\x3c\x00\x14|AmazonSQS\.ReceiveMessage")
# SO_LINGER of no time: closing sends a reset.
RESET = struct.pack("ii", 1, 0)


class Wire:
    """One connection: the client's socket, and the server's."""

    def __init__(self, front: socket.socket, back: socket.socket) -> None:
        self.front = front
        self.back = back
        self.consumes = False
        self.is_silent = False
        self.is_cut = False

    def reset(self) -> None:
        """A reset to both sides."""
        self.is_cut = True
        for side in (self.front, self.back):
            # Sends nothing, and wakes the thread that waits in `recv`, which closes: and that sends the reset.
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                side.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Both sockets."""
        self.front.close()
        self.back.close()

    def abandon(self) -> None:
        """Half-open: the server's side is gone, and the client is not told."""
        self.is_silent = True
        with suppress(OSError):
            self.back.shutdown(socket.SHUT_RDWR)


class Wires:
    """Passes bytes between clients and a port of the loopback, until it is told otherwise."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wires: list[Wire] = []
        self.delay_seconds = 0.0
        self._is_refusing = False

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def consumers(self) -> list[Wire]:
        """Connections that something is consumed through."""
        return [wire for wire in self._wires if wire.consumes and not wire.is_silent]

    def reset(self) -> None:
        """RST on every connection."""
        for wire in self._taken():
            wire.reset()

    def silence(self) -> None:
        """A black hole: what is sent through the connections of now arrives nowhere, and nobody is told."""
        for wire in self._taken():
            wire.is_silent = True

    def silence_consumers(self) -> int:
        """The same for connections that something is consumed through; returns how many there were."""
        consumers = self.consumers
        for wire in consumers:
            wire.is_silent = True
        return len(consumers)

    def abandon(self) -> None:
        """Half-open connections: the server ends them all, and no client hears of it."""
        for wire in self._taken():
            wire.abandon()

    def refuse(self) -> None:
        """Nobody is let in any more, and whoever is in is out."""
        self._is_refusing = True
        self.reset()

    def admit(self) -> None:
        """The end of `refuse`."""
        self._is_refusing = False

    def serve(self) -> None:
        """Accept until closed."""
        with suppress(OSError):
            while True:
                front, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(front,), daemon=True).start()

    def close(self) -> None:
        """End everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in list(self._wires):
            wire.reset()

    def _taken(self) -> list[Wire]:
        return [wire for wire in self._wires if not wire.is_silent]

    def _connect(self, front: socket.socket) -> None:
        if self._is_refusing:
            front.close()
            return
        try:
            back = socket.create_connection(self._target, timeout=5)
        except OSError:
            front.close()
            return
        back.settimeout(None)
        for side in (front, back):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(front, back)
        self._wires.append(wire)
        answers = threading.Thread(target=self._pass, args=(wire, back, front), daemon=True)
        answers.start()
        self._pass(wire, front, back)
        answers.join()
        self._wires.remove(wire)
        wire.close()

    def _pass(self, wire: Wire, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                wire.consumes = wire.consumes or (source is wire.front and CONSUMES.search(data) is not None)
                time.sleep(self.delay_seconds)
                if not wire.is_silent:
                    target.sendall(data)
        if not wire.is_silent and not wire.is_cut:
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)


@contextmanager
def running_wires(host: str, port: int) -> Iterator[Wires]:
    """A proxy before a server, on a free port of the loopback."""
    wires = Wires((host, port))
    thread = threading.Thread(target=wires.serve, daemon=True)
    thread.start()
    try:
        yield wires
    finally:
        wires.close()
        thread.join(10)
