"""An HTTP proxy on 127.0.0.1 that is asked for tunnels, and leads all of them to one port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Tunnels:
    """Where it listens, and what it was asked, by head; it refuses with `status` if that is not 200."""

    target: int
    port: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.asked.append(head.decode())
            client.sendall(f"HTTP/1.1 {self.status} x\r\n\r\n".encode())
            if self.status != 200:
                return
            with socket.create_connection(("127.0.0.1", self.target)) as host:
                back = threading.Thread(target=_pass_on, args=(host, client), daemon=True)
                back.start()
                _pass_on(client, host)
                back.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


@contextmanager
def running_tunnels(target: int) -> Iterator[Tunnels]:
    """A proxy whose tunnels all lead to a port here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tunnels = Tunnels(target, listener.getsockname()[1])
        threading.Thread(target=tunnels.serve, args=(listener,), daemon=True).start()
        yield tunnels
