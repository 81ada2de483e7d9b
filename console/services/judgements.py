"""Queries and relevance judgements of files: read whole and checked, line by line, before anything is asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from embedmill.shared.errors import SourceError

SHOWN_FAULTS = 10
LARGEST_GRADE = 1_000_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """How relevant a document is to a query, as a line of a file says it."""

    query: str
    document: str
    relevance: int
    line: int


@dataclass(slots=True)
class _JudgementLines:
    """A file being read: its faults so far, by line."""

    path: Path
    faults: list[str] = field(default_factory=list)

    def blame(self, line: int, what: str) -> None:
        self.faults.append(f"line {line}: {what}")

    def require_sound(self) -> None:
        """Raises SourceError that names the first faults."""
        if self.faults:
            more = len(self.faults) - SHOWN_FAULTS
            rest = f"; and {more} more" if more > 0 else ""
            raise SourceError(
                f"{self.path}: {'; '.join(self.faults[:SHOWN_FAULTS])}{rest}",
                hint="Correct the file; nothing was asked and nothing was spent.",
            )


def read_queries(path: Path) -> dict[str, str]:
    """The texts of a JSONL of `{"id", "text"}`, by id; raises SourceError that names every broken line."""
    reading = _JudgementLines(path)
    queries: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        match _parse_object(line):
            case {"id": str() | int() as id_, "text": str(text)} if str(id_) and text.strip():
                if str(id_) in lines:
                    reading.blame(number, f"query {str(id_)!r} is there already, on line {lines[str(id_)]}")
                queries[str(id_)] = text
                lines[str(id_)] = number
            case {"id": _, "text": str()}:
                reading.blame(number, "the query has no text, or no id")
            case _:
                reading.blame(number, 'no object with "id" and "text"')
    if not queries and not reading.faults:
        raise SourceError(f"{path} holds no query")
    reading.require_sound()
    return queries


def read_judgements(path: Path) -> list[Judgement]:
    """The judgements of a file: TREC qrels, a table of query, document and relevance, or JSONL.

    JSONL is told by the brace that it begins with. Of TREC's four columns the second means nothing; a table may have a
    line of names. Columns are parted by tabs where there are some, and by any white space otherwise. Raises
    SourceError that names every broken line.
    """
    reading = _JudgementLines(path)
    found: dict[tuple[str, str], Judgement] = {}
    read: Callable[[bytes], _Row | None] | None = None
    for number, line in _lines(path):
        first = read is None
        read = read or (_read_object if line.startswith(b"{") else _read_columns)
        row = read(line)
        if row is None and first and read is _read_columns and _is_heading(line):
            continue
        if row is None:
            reading.blame(number, _SHAPES[read is _read_object])
        elif (before := found.get(row[:2])) is not None:
            reading.blame(number, f"query {row[0]!r} and document {row[1]!r} are judged already, on line {before.line}")
        else:
            found[row[:2]] = Judgement(*row, number)
    if not found and not reading.faults:
        raise SourceError(f"{path} holds no judgement")
    reading.require_sound()
    return list(found.values())


_Row = tuple[str, str, int]
_SHAPES = {
    True: 'no object with "query", "document" and "relevance", a whole number',
    False: "no judgement: write query, 0, document and relevance, as TREC does",
}


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers; raises SourceError."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if stripped := line.removeprefix(b"\xef\xbb\xbf").strip():
                    yield number, stripped
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None


def _parse_object(line: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _read_object(line: bytes) -> _Row | None:
    match _parse_object(line):
        case {"query": str() | int() as query, "document": str() | int() as document, "relevance": relevance}:
            grade = _read_grade(str(relevance).lower()) if not isinstance(relevance, bool) else int(relevance)
            return _row(str(query), str(document), grade)
    return None


def _read_columns(line: bytes) -> _Row | None:
    text = line.decode("utf-8", "replace")
    columns = [column.strip() for column in (text.split("\t") if "\t" in text else text.split())]
    match columns:
        case [query, _, document, relevance] | [query, document, relevance]:
            return _row(query, document, _read_grade(relevance))
    return None


def _row(query: str, document: str, grade: int | None) -> _Row | None:
    return (query, document, grade) if query and document and grade is not None else None


def _read_grade(text: str) -> int | None:
    """A relevance: a whole number, also one written as 2.0; None for anything else."""
    try:
        grade = float(text)
    except ValueError:
        return None
    return int(grade) if grade.is_integer() and abs(grade) <= LARGEST_GRADE else None


def _is_heading(line: bytes) -> bool:
    """Whether a first line names columns."""
    return len(line.split()) in (3, 4) and not any(character.isdigit() for character in line.decode("utf-8", "replace"))
