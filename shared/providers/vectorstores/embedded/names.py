"""Owns which keys the rows have that were found lately: a search asks for what it found again, and knows only ids."""

import sqlite3
from collections.abc import Iterable, Mapping

MOST = 20_000
"""Names that are remembered of a shard."""


class RowNames:
    """The keys of some rows by their ids, as they were; whoever uses one sees to it that the row is still there.

    They are those of one file. Another in its place, which is read by another connection, may have other rows under
    the same keys.
    """

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}
        self._connection: sqlite3.Connection | None = None

    def remember(self, connection: sqlite3.Connection, keys: Mapping[str, int]) -> None:
        """Of each id the key that its row has."""
        if self._connection is not connection or len(self._keys) + len(keys) > MOST:
            self._keys, self._connection = {}, connection
        self._keys |= keys

    def find(self, connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, int]:
        """The keys of those that are remembered."""
        keys = self._keys if self._connection is connection else {}
        return {id: keys[id] for id in ids if id in keys}
