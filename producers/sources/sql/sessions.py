"""Owns what every database session is: it reads, a statement at a time, within limits; and what its errors are."""

import os
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from embedmill.producers.sources.sql.values import Column, ColumnKind
from embedmill.shared.errors import SourceError, TransientError

Row = Sequence[Any]

FIRST_CHUNK = 64
CHUNK_CHARACTERS = 2_000_000
# What tells a row of SQLite from all others of its table, whatever its own key is.
ROW_ID = "_rowid_"
# How long a server may be silent beyond the limit that it was told itself.
GRACE_SECONDS = 5.0


class StatementRefused(SourceError):
    """The database says no, and would say it again; its message holds no row and no credential."""


class Interrupted(TransientError):
    """The database was lost, was too slow or gave way to others: the same may well pass now."""

    hint = "Read it again."


class Unreachable(Interrupted):
    """No session could be had: nobody answers there now."""

    hint = "Look whether the server runs, and at the host and the port of the URL."


class TooSlow(Interrupted):
    """A statement was broken off before its end."""

    hint = "Read it again; --statement-seconds gives a statement more time."


class ValueTooLarge(StatementRefused):
    """A value is larger than a session takes: the row that has it is read by itself."""


class Untrusted(StatementRefused):
    """One of the two ends of a session does not take the other's certificate, or cannot show its own."""

    hint = "Look at the certificates and keys that the URL names, and at its host: a certificate is of a name."


@dataclass(frozen=True, slots=True)
class Stand:
    """A server by a name of its own, and how far its view of the data has come; each empty where it does not say."""

    server: str = ""
    position: str = ""


class Session(ABC):
    """One connection that can only read; it ends by itself with the first error. `seconds` limit each statement."""

    placeholder: ClassVar[str] = "%s"
    compares_rows: ClassVar[bool] = True
    """Whether `(a, b) >= (x, y)` uses an index."""
    largest_chunk: ClassVar[int] = 2000

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._most = FIRST_CHUNK

    @abstractmethod
    def execute(self, statement: str, parameters: Sequence[Any], *, streamed: bool) -> Any:
        """Begin a statement, whose rows come by `fetch` from what is returned; raises Refused, Interrupted."""

    @abstractmethod
    def fetch(self, cursor: Any, most: int) -> Sequence[Row]:
        """The next rows."""

    @abstractmethod
    def finish(self, cursor: Any) -> None:
        """All rows were read: nothing is held open any more."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""

    @abstractmethod
    def cut(self) -> None:
        """Break off what another thread waits for here."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """A name as the dialect quotes it."""

    @abstractmethod
    def describe(self, relation: str) -> list[Column]:
        """The columns of a table or a query in parentheses; raises Refused, Interrupted."""

    @abstractmethod
    def find_key(self, table: Sequence[str]) -> list[str]:
        """The columns of a table's primary key."""

    @abstractmethod
    def order_by(self, table: Sequence[str], columns: Sequence[Column]) -> list[str]:
        """Expressions that order the ids of rows so that no two of them are equal; `table` is empty for a query."""

    def find_type(self, column: Column, relation: str) -> Column:
        """A cursor column with what orders it, where only its values tell that."""
        del relation
        return column

    @abstractmethod
    def newer(self, column: Column) -> str:
        """The condition on a cursor column of two parameters: a value of it, and how far before that one reads.

        It also holds for values that have no place in the order, such as NULL.
        """

    @abstractmethod
    def newest(self, column: Column, relation: str) -> str:
        """The query for the largest value of a cursor column that is not in the future, as text in full."""

    def find_risks(self) -> list[str]:
        """What this account may do besides reading rows, as the server names it."""
        return []

    def digest(self, columns: Sequence[Column]) -> str:
        """An expression that differs where any of the values do, for the database to compute; "" where it is here."""
        del columns
        return ""

    def find_state(self, table: Sequence[str]) -> str:
        """A text that is another one as soon as anything in a table may be; "" where nothing cheap tells that."""
        del table
        return ""

    def find_table(self, table: Sequence[str]) -> str:
        """What the server itself calls a table, whatever way and name lead to it; without one, what it calls itself.

        It is "" where the server has no name of its own.
        """
        del table
        return ""

    def stand(self) -> Stand:
        """Which server this is and how far its view of the data is, where it says so."""
        return Stand()

    def is_behind(self, position: str) -> bool:
        """Whether this view of the data is older than one that was at a position."""
        del position
        return False

    def bind(self, value: Any, kind: ColumnKind) -> Any:
        """A value that came from a column, to be compared with that column."""
        del kind
        return value

    def size(self, column: Column) -> str:
        """An expression for the bytes of a column's value, told without reading it; "" where none is large.

        It is "" too where the session raises ValueTooLarge by itself, before it takes memory for the value.
        """
        del column
        return ""

    def is_small(self, rows: int) -> bool:
        """Whether so many rows, if they are as large as those before, may be in memory at once."""
        return rows <= self._most

    def chunks(self, statement: str, parameters: Sequence[Any], *, streamed: bool = True) -> Iterator[Sequence[Row]]:
        """The rows of a statement, some at a time; time that the caller takes is not the statement's.

        The statement has ended before the last of them are given.
        """
        left, cursor, is_last = self.seconds, None, False
        while not is_last:
            began = time.monotonic()
            with self._within(left):
                cursor = cursor or self.execute(statement, parameters, streamed=streamed)
                rows = self.fetch(cursor, self._most)
                is_last = len(rows) < self._most
                if is_last:
                    self.finish(cursor)
            left -= time.monotonic() - began
            if left <= 0:
                raise TooSlow(f"the statement took longer than {self.seconds:g} s")
            if rows:
                self._most = next_chunk(rows, self._most, self.largest_chunk)
                yield rows

    def value(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The first value of the first row, None without one."""
        found = [row for rows in self.chunks(statement, parameters) for row in rows]
        return found[0][0] if found else None

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """A server that neither answers nor breaks off by itself is left."""
        watch = threading.Timer(seconds + GRACE_SECONDS, self.cut)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()


def next_chunk(rows: Sequence[Row], most: int, largest: int) -> int:
    """How many rows are fetched next, so that they take no more memory than a few megabytes."""
    some = rows[:: max(1, len(rows) // 8)]
    size = sum(len(value) for row in some for value in row if isinstance(value, str | bytes)) / len(some)
    return max(1, min(largest, 4 * most, int(CHUNK_CHARACTERS / max(1.0, size))))


class Wire:
    """A second handle on a connection's socket, by which another thread can break the connection off."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=os.dup(number))

    def cut(self) -> None:
        """Whoever waits for an answer gets an error at once."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the handle back."""
        self._socket.close()
