"""Owns the rows that queries brought along, for the moment that a search takes: reading them again would be billed."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from embedmill.shared.providers.vectorstores.rows import VectorRow

SECONDS = 5.0
MOST = 4_000


class Recent:
    """Rows with their vectors, by shard and id; safe between threads. A write of this process forgets them all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[tuple[str, str], tuple[float, VectorRow]] = {}
        self._lock = threading.Lock()

    def keep(self, shard: str, rows: Iterable[VectorRow]) -> None:
        """Have these for a moment."""
        until = self._clock() + SECONDS
        with self._lock:
            self._rows.update({(shard, row.id): (until, row) for row in rows})
            if len(self._rows) > MOST:
                now = self._clock()
                self._rows = {key: held for key, held in self._rows.items() if held[0] > now}
            while len(self._rows) > MOST:
                del self._rows[next(iter(self._rows))]

    def find(self, shard: str, ids: Sequence[str]) -> dict[str, VectorRow]:
        """Those of the rows that are still here."""
        now = self._clock()
        with self._lock:
            held = {id: self._rows.get((shard, id)) for id in ids}
        return {id: found[1] for id, found in held.items() if found is not None and found[0] > now}

    def forget(self) -> None:
        """Something was written."""
        with self._lock:
            self._rows.clear()
