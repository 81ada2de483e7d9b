"""Owns what this process wrote to Pinecone and reads have not confirmed: positions in logs, and the ids of rows."""

import threading
from collections.abc import Iterable

from embedmill.shared.providers.vectorstores.rows import VectorRow


class Unseen:
    """The unconfirmed writes of one process, by namespace; safe between threads."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._rows: dict[str, dict[str, set[str]]] = {}
        """By namespace and document, the ids."""
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
                unseen.setdefault(row.document, set()).add(row.id)

    def expected(self, space: str, document: str, beginning: str) -> int:
        """How many of a document's rows, of those whose ids begin so, have to be there at least."""
        with self._lock:
            return sum(id.startswith(beginning) for id in self._rows.get(space, {}).get(document, ()))

    def counted(self, space: str, beginnings: Iterable[tuple[str, str]]) -> None:
        """What is there of these documents, by the beginnings of their ids, was told: nothing more is expected."""
        with self._lock:
            unseen = self._rows.get(space, {})
            for document, beginning in beginnings:
                left = {id for id in unseen.pop(document, ()) if not id.startswith(beginning)}
                if left:
                    unseen[document] = left

    def forget_positions(self) -> None:
        """As if the service had told none."""
        self._positions.clear()
