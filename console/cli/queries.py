"""Owns the reading of a file of queries: a line that is none is told with its number, and the rest goes on."""

import json
import sys
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import IO, TYPE_CHECKING

from embedmill.console.cli.output import print_error

if TYPE_CHECKING:
    from embedmill.console.services.searching import Query

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class QueryFile:
    """The queries of a JSONL file, or of standard input for `-`; `refused` counts the lines that were none.

    Raises SourceError when the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.refused = 0

    def __iter__(self) -> Iterator["Query"]:
        with self._open() as lines:
            for number, line in enumerate(lines, start=1):
                if line.removeprefix(BYTE_ORDER_MARK).strip() and (query := self._read(line, number)):
                    yield query

    def _open(self) -> IO[bytes]:
        from embedmill.shared.errors import SourceError

        try:
            return sys.stdin.buffer if str(self._path) == "-" else self._path.open("rb")
        except OSError as error:
            raise SourceError(f"cannot read {self._path}: {error.strerror}") from None

    def _read(self, line: bytes, number: int) -> "Query | None":
        try:
            return read_query(line)
        except ValueError as error:
            self.refused += 1
            print_error(f"line {number} of the queries: {error}")
            return None


def read_query(line: bytes) -> "Query":
    """A query of one line; raises ValueError with what is wrong with it."""
    from embedmill.console.services.searching import Query

    try:
        # The library's own takes half a pair of surrogates too, as programs write that cut texts anywhere.
        found = json.loads(line.removeprefix(BYTE_ORDER_MARK), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    match found:
        case {"id": _, "text": str(), "where": where} if not isinstance(where, str | None):
            raise ValueError("its where is not a text")
        case {"id": id_, "text": str()} if not _is_id(id_):
            raise ValueError("its id is neither a text nor a finite number")
        case {"id": id_, "text": str(text)} if text.strip():
            return Query(id_, text, found.get("where"))
        case {"id": _, "text": str()}:
            raise ValueError("its text is empty")
    raise ValueError("no object with id and text")


def _refuse_constant(name: str) -> None:
    """NaN and Infinity, which Python writes and JSON does not know."""
    raise ValueError(f"{name} is no value")


def _is_id(given: object) -> bool:
    """Whether an answer can be known by it, and shown as JSON."""
    return isinstance(given, str) or type(given) is int or (isinstance(given, float) and isfinite(given))
