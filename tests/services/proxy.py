"""A proxy before a Postgres that listens on a socket file, which cuts sessions when a COMMIT is on its way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = ".s.PGSQL.5432"
COMMIT = b"COMMIT"


class Proxy:
    """Passes bytes on; sessions are dropped in a COMMIT: in the next `cut_commits`, and in one of `cut_every`.

    `word` makes it another statement, which holds that.
    """

    def __init__(self, target: Path, *, passes_it_on: bool) -> None:
        self._target = target
        self.word = COMMIT
        self._passes_it_on = passes_it_on
        self.cut_commits = 0
        self.cut_every = 0
        self.cut = 0
        self._commits = 0
        self._lock = threading.Lock()

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        with suppress(OSError):
            while True:
                session, _ = listener.accept()
                threading.Thread(target=self._session, args=(session,), daemon=True).start()

    def _session(self, front: socket.socket) -> None:
        with front, socket.socket(socket.AF_UNIX) as back, suppress(OSError):
            back.connect(str(self._target))
            answers = threading.Thread(target=self._pass, args=(back, front), daemon=True)
            answers.start()
            self._pass(front, back, cuts=True)
            answers.join()

    def _is_cut(self, data: bytes) -> bool:
        """Whether these bytes of a session hold a COMMIT whose turn it is."""
        if self.word not in data:
            return False
        with self._lock:
            self._commits += 1
            if not (self.cut_commits or (self.cut_every and self._commits % self.cut_every == 0)):
                return False
            self.cut_commits = max(self.cut_commits - 1, 0)
            self.cut += 1
        return True

    def _pass(self, source: socket.socket, target: socket.socket, *, cuts: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if cuts and self._is_cut(data):
                    # The answer, should there be one, finds nobody.
                    source.shutdown(socket.SHUT_RDWR)
                    if self._passes_it_on:
                        target.sendall(data)
                    break
                target.sendall(data)
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_WR if side is target else socket.SHUT_RDWR)


@contextmanager
def running_proxy(folder: Path, target: Path, *, passes_it_on: bool) -> Iterator[Proxy]:
    """A proxy in `folder` before the server in `target`; a COMMIT that is cut reaches the server or does not."""
    proxy = Proxy(target / NAME, passes_it_on=passes_it_on)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / NAME))
        listener.listen()
        thread = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
