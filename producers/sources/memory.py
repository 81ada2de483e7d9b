"""What a source keeps from one scan to the next, by key: here in a dictionary, in a scan in the tracking database.

Values are JSON objects of a few hundred bytes, as the ETag and the links of a page; never a credential.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any

Value = Mapping[str, Any]
Changes = Mapping[str, Value | None]
"""Values by their keys, None for what is forgotten."""


class Memory:
    """A memory that begins empty and ends with its process.

    What was put or forgotten is seen at once. It becomes durable with the batch of items that it belongs to: `take`
    hands over what has come since it was last asked, and `settle` is told when that is durable.
    """

    is_kept = False
    """Whether another process finds later what was put here."""

    def __init__(self) -> None:
        self._changed: dict[str, Value | None] = {}
        self._untaken: dict[str, Value | None] = {}

    def get_many(self, keys: Sequence[str]) -> dict[str, Value]:
        """What is kept under these keys, of those that there are."""
        found = self._find([key for key in keys if key not in self._changed])
        return found | {key: value for key in keys if (value := self._changed.get(key)) is not None}

    def put_many(self, values: Mapping[str, Value]) -> None:
        """Keep values under their keys, in the place of what was there."""
        self._change(values)

    def forget(self, keys: Iterable[str]) -> None:
        """Keep nothing under these keys any more."""
        self._change(dict.fromkeys(keys))

    def walk(self, after: str = "") -> Iterator[tuple[str, Value]]:
        """Every key with its value, in an order of the memory's own; of these, those that come `after` a key."""
        changed = dict(self._changed)
        left = ((key, value) for key, value in self._list(after) if key not in changed)
        young = ((key, changed[key]) for key in sorted(changed, key=self._place))
        new = ((k, value) for k, value in young if value is not None and (not after or self._is_after(k, after)))
        return merge(left, new, key=lambda entry: self._place(entry[0]))

    def take(self) -> Changes:
        """What was changed since this was last asked."""
        taken, self._untaken = self._untaken, {}
        return taken

    def settle(self, taken: Changes) -> None:
        """What was taken is durable."""
        for key, value in taken.items():
            if key in self._changed and key not in self._untaken and self._changed[key] is value:
                del self._changed[key]

    def _change(self, changes: Changes) -> None:
        self._changed.update(changes)
        self._untaken.update(changes)

    def _is_after(self, key: str, after: str) -> bool:
        return self._place(key) > self._place(after)

    def _place(self, key: str) -> str:
        """Where a key is in the order."""
        return key

    def _find(self, keys: Sequence[str]) -> dict[str, Value]:
        return {}

    def _list(self, after: str) -> Iterator[tuple[str, Value]]:
        return iter(())
