"""Owns what tells of rows that were not read whether they are as they were, page by page and row by row."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from typing import Any

from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.sql.sessions import Row

# Rows of a page.
SURVEYED = 500
OF_ROW, OF_PAGE = "row ", "page "


class RowTelling(ABC):
    """What came of a row besides its id stands at `width`."""

    @abstractmethod
    def is_page_same(self, number: int, rows: Sequence[Row], width: int) -> bool:
        """Whether all rows of a page are as they were for certain: one look, and none at each of them."""

    @abstractmethod
    def find_same(self, named: Mapping[str, Row], settled: frozenset[str], width: int) -> frozenset[str]:
        """Those that are as they were, of the `settled`."""

    def remember(self, number: int, rows: Sequence[Row], width: int, *, is_same: bool) -> None:
        """Each row of a page was looked at; `is_same` if none of them had to be read."""
        del number, rows, width, is_same

    def end(self, pages: int) -> None:
        """So many pages there were."""
        del pages


class Untouched(RowTelling):
    """Nobody has written to the table since it was read."""

    def is_page_same(self, number: int, rows: Sequence[Row], width: int) -> bool:
        return True

    def find_same(self, named: Mapping[str, Row], settled: frozenset[str], width: int) -> frozenset[str]:
        return settled


class NotNewer(RowTelling):
    """The database was asked of each row whether its cursor is newer than the one that is remembered: 0 or 1."""

    def is_page_same(self, number: int, rows: Sequence[Row], width: int) -> bool:
        return all(str(row[width]) == "0" for row in rows)

    def find_same(self, named: Mapping[str, Row], settled: frozenset[str], width: int) -> frozenset[str]:
        return frozenset(uri for uri in settled if str(named[uri][width]) == "0")


@dataclass(frozen=True, slots=True)
class SameDigest(RowTelling):
    """The database was asked for a digest of each row; those of rows and of pages are remembered."""

    memory: Memory

    def is_page_same(self, number: int, rows: Sequence[Row], width: int) -> bool:
        key = _page(number)
        return self.memory.get_many([key]).get(key) == _of_page([row[width] for row in rows])

    def find_same(self, named: Mapping[str, Row], settled: frozenset[str], width: int) -> frozenset[str]:
        kept = self.memory.get_many([f"{OF_ROW}{uri}" for uri in settled])
        known = {uri: kept.get(f"{OF_ROW}{uri}", {}).get("digest") for uri in settled}
        return frozenset(uri for uri, digest in known.items() if digest is not None and digest == named[uri][width])

    def remember(self, number: int, rows: Sequence[Row], width: int, *, is_same: bool) -> None:
        # What was read anew may have changed since its digest was.
        self.memory.put_many({_page(number): _of_page([row[width] for row in rows] if is_same else [])})

    def end(self, pages: int) -> None:
        forget_pages(self.memory, pages)


@dataclass(slots=True)
class Digests:
    """Remembers the digests of rows that were read, and with pages of them, in the order of a survey."""

    memory: Memory
    with_pages: bool
    _rows: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    _page: list[str | None] = field(default_factory=list, init=False)
    _pages: int = field(default=0, init=False)

    def add(self, uri: str, digest: str | None) -> None:
        """One more row, which is durable; a server may have no digest of one that is longer than a packet."""
        self._rows[f"{OF_ROW}{uri}"] = {"digest": digest}
        self._page.append(digest)
        if len(self._page) == SURVEYED:
            self._put()

    def end(self) -> None:
        """There is no other row."""
        self._put()
        if self.with_pages:
            forget_pages(self.memory, self._pages)

    def _put(self) -> None:
        if self._page:
            pages = {_page(self._pages): _of_page(self._page)} if self.with_pages else {}
            self.memory.put_many({**self._rows, **pages})
            self._pages += 1
        self._rows, self._page = {}, []


def forget_pages(memory: Memory, number: int) -> None:
    """What was remembered of pages from one on, which a table that has grown shorter has no more."""
    while memory.get_many([_page(number)]):
        memory.forget([_page(number)])
        number += 1


def _page(number: int) -> str:
    return f"{OF_PAGE}{number}"


def _of_page(digests: Sequence[str | None]) -> dict[str, Any]:
    """Never the same with a row of which nothing is told."""
    told = (token_hex() if digest is None else digest for digest in digests)
    return {"digest": sha256(",".join(told).encode()).hexdigest(), "rows": len(digests)}
