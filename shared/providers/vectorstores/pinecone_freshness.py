"""Owns what this process wrote to Pinecone and reads have not confirmed: positions in logs, and the ids of rows."""

import threading
from collections.abc import Iterable

from shared.providers.vectorstores.base import VectorRow


class Unseen:
    """The unconfirmed writes of one process, by namespace; safe between threads."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._rows: dict[str, dict[tuple[str, str], set[str]]] = {}
        self._lock = threading.Lock()
        self.tells_positions = False
        """Whether the service was ever heard to tell one."""

    def wrote(self, space: str, position: int | None) -> None:
        """A write was answered, with its position in the namespace's log or without."""
        if position is None:
            return
        self.tells_positions = True
        with self._lock:
            self._positions[space] = max(self._positions.get(space, 0), position)

    def position(self, space: str) -> int | None:
        """Of the last write that reads have not reached, as far as is known."""
        with self._lock:
            return self._positions.get(space)

    def reached(self, space: str, position: int) -> None:
        """Reads see that write."""
        with self._lock:
            if self._positions.get(space) == position:
                del self._positions[space]

    def expect(self, space: str, rows: Iterable[VectorRow]) -> None:
        """These rows are being written, and have to be counted."""
        with self._lock:
            unseen = self._rows.setdefault(space, {})
            for row in rows:
                unseen.setdefault((row.document, row.version), set()).add(row.id)

    def expected(self, space: str, document: str, version: str) -> int:
        """How many rows of a version have to be there at least."""
        with self._lock:
            return len(self._rows.get(space, {}).get((document, version), ()))

    def counted(self, space: str, versions: Iterable[tuple[str, str]]) -> None:
        """What is there of these versions was told: nothing more is expected."""
        with self._lock:
            for version in versions:
                self._rows.get(space, {}).pop(version, None)

    def forget_positions(self) -> None:
        """As if the service had told none."""
        self._positions.clear()
