"""Owns which keys the rows have that were found lately: a search asks for what it found again, and knows only ids."""

from collections.abc import Iterable, Mapping

MOST = 20_000
"""Names that are remembered of a shard."""


class RowNames:
    """The keys of some rows by their ids, as they were; whoever uses one sees to it that the row is still there."""

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}

    def remember(self, keys: Mapping[str, int]) -> None:
        """Of each id the key that its row has."""
        if len(self._keys) + len(keys) > MOST:
            self._keys = {}
        self._keys |= keys

    def find(self, ids: Iterable[str]) -> dict[str, int]:
        """The keys of those that are remembered."""
        keys = self._keys
        return {id: keys[id] for id in ids if id in keys}
