"""Owns whose a place in a store is: a collection's folder, tables or namespaces, and the mark of who writes there.

Collections of all installations are called alike (`c1`, `c2`, …), so two of them that share a store, perhaps by
mistake, would read, delete and repair each other's rows. Whoever writes to a place first leaves its name there, once.
Who finds another's name, or rows without any name that its tracker does not know, keeps to a place of its own.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from embedmill.shared.errors import SettingsError
from embedmill.shared.logs import get_logger

log = get_logger()

SAMPLE = 100
"""Documents of an unmarked place that are looked for in the tracker."""
KNOWN = 0.8
"""So much of a sample has to be known, or it is another's; rows that nobody removed are in every store."""


class Marks(Protocol):
    """What a store does about the marks of places."""

    def read_marks(self, place: str) -> set[str]:
        """The names that are written there."""

    def leave_mark(self, place: str, name: str) -> None:
        """Write a name; returns when it can be read."""

    def remove_mark(self, place: str, name: str) -> None:
        """Take it back."""

    def sample_documents(self, place: str, shard: str, limit: int) -> list[str]:
        """Some of the documents that a shard of that place holds."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who opens a place: the installation's name, and how many of some documents its tracker knows there."""

    name: Callable[[], str | None]
    count_known: Callable[[Sequence[str]], int]


class Place:
    """The key of one collection in a store, settled when the first row is read or written; safe between threads."""

    def __init__(self, key: str, owner: Owner | None) -> None:
        self._key = key
        self._owner = owner
        self._settled: str | None = None if owner else key
        self._read_at: str | None = None
        self._lock = threading.Lock()

    def find(self, marks: Marks, shard: str, *, to_write: bool) -> str:
        """The key; a mark is left with the first write only. Raises SettingsError when no place can be had."""
        with self._lock:
            known = self._settled or (None if to_write else self._read_at)
            return known or self._settle(marks, shard, to_write=to_write)

    def _settle(self, marks: Marks, shard: str, *, to_write: bool) -> str:
        name = self._owner.name() if self._owner else None
        if name is None:
            return self._key
        for key in (self._key, f"{self._key}-{name.rpartition('-')[2]}"):
            held = marks.read_marks(key)
            if held <= {name} and (held or self._is_ours(marks, key, shard)):
                if held or (to_write and self._mark(marks, key, name)):
                    self._settled = key
                    return key
                if not to_write:
                    self._read_at = key
                    return key
            log.warning("store.another_owner", place=key, owner=", ".join(sorted(held)) or "unknown")
        raise SettingsError(
            f"EMBEDMILL_VECTOR_URL: {self._key} in this store belongs to another installation, and so does {key}",
            hint="Name another index or schema, or set prefix= (Pinecone) or schema= (Postgres) in the URL.",
        )

    def _is_ours(self, marks: Marks, key: str, shard: str) -> bool:
        """Whether what an unmarked place holds, if anything, is what the tracker knows."""
        assert self._owner is not None
        held = marks.sample_documents(key, shard, SAMPLE)
        return not held or self._owner.count_known(held) >= KNOWN * len(held)

    def _mark(self, marks: Marks, key: str, name: str) -> bool:
        """Leave our mark; of two that do so at once none stays. A store that keeps no marks is believed to be ours."""
        marks.leave_mark(key, name)
        if marks.read_marks(key) <= {name}:
            return True
        marks.remove_mark(key, name)
        return False
