"""A CSV file with a header: each row a document, every cell the literal text that it holds."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TextIO

import orjson

from embedmill.producers.sources.base import Item, Problem, ReadContext, Source, Spec
from embedmill.producers.sources.options import FieldMap
from embedmill.producers.sources.rows import MAX_ROW_BYTES, BadRow, RowReader
from embedmill.shared.encoding import GUESS_BYTES, guess_legacy
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import describe_os_error, open_regular_file
from embedmill.shared.uris import path_to_uri

DELIMITERS = (",", ";", "\t", "|")
MAX_HEADER_CHARACTERS = 1_000_000
ENCODING = "utf-8-sig"
SHOWN_CHARACTERS = 60
SHOWN_COLUMNS = 12
_LINE_ENDS = ("\n", "\r")


@dataclass(frozen=True, slots=True)
class CsvSource(Source):
    """The rows of a CSV file at an absolute path, delimited by one of DELIMITERS.

    It is UTF-8, with or without a mark, or in an encoding that is guessed from its beginning.
    """

    kind: ClassVar[str] = "csv"
    takes: ClassVar[tuple[str, ...]] = ("fields",)
    empty: ClassVar[str] = "no row is in it"

    path: bytes
    fields: FieldMap = field(default_factory=FieldMap)

    @property
    def spec(self) -> Spec:
        """The file's URI and the names of its columns."""
        return {"kind": self.kind, "uri": path_to_uri(self.path), "fields": self.fields.to_spec()}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """A RowItem or a Problem for each row that is not blank; a Problem's line is where its row starts."""
        uri = path_to_uri(self.path)
        try:
            with _open_text(self.path) as text:
                reader = RowReader(self.fields, uri)
                yield from _items(text, reader)
                context.remarks += reader.remarks(guess="" if text.encoding == ENCODING else text.encoding)
        except DocumentError as error:
            yield Problem(uri, str(error))
        except OSError as error:
            yield Problem(uri, describe_os_error(error))


def holds_rows(path: bytes, fields: FieldMap) -> bool:
    """Whether a header with the mapped id and text is there, under any delimiter."""
    try:
        with _open_text(path) as text:
            return _find_delimiter(text, fields) is not None
    except (DocumentError, OSError):
        return False


def _open_text(path: bytes) -> TextIO:
    stream = os.fdopen(open_regular_file(path), "rb")
    try:
        encoding = guess_legacy(stream.read(GUESS_BYTES)) or ENCODING
        stream.seek(0)
    except OSError:
        stream.close()
        raise
    # Surrogates stand for the bytes that are no text, so that one bad row does not end the file.
    return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")


def _find_delimiter(text: TextIO, fields: FieldMap) -> str | None:
    start = text.read(MAX_HEADER_CHARACTERS)
    if len(start) == MAX_HEADER_CHARACTERS and not {"\n", "\r"} & set(start):
        return None
    return next((d for d in DELIMITERS if {fields.id, fields.text} <= set(_header(start, d))), None)


def _header(start: str, delimiter: str) -> list[str]:
    try:
        return _column_names(next(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter, strict=True), []))
    except csv.Error:
        return []


def _column_names(cells: Sequence[str]) -> list[str]:
    """Every column under a name of its own, so that no cell is lost."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = cell.strip()
        names.append(name if name and name not in names else f"{name or 'column'} {number}")
    return names


class _Lines:
    """Numbered lines of bounded length; a class, because an iterator has to survive the BadRow that it raises."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW_BYTES)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == MAX_ROW_BYTES and not line.endswith(_LINE_ENDS):
            self._pass_over_rest()
            raise BadRow(f"a line over {MAX_ROW_BYTES:,} characters")
        return line

    def _pass_over_rest(self) -> None:
        while (part := self._text.readline(MAX_HEADER_CHARACTERS)) and not part.endswith(_LINE_ENDS):
            pass


def _items(text: TextIO, reader: RowReader) -> Iterator[Item]:
    delimiter = _find_delimiter(text, reader.fields)
    if delimiter is None:
        text.seek(0)
        yield Problem(reader.uri, _describe_header(text, reader.fields), 1)
        return
    text.seek(0)
    # The limit belongs to the process; lines are bounded by _Lines, this bounds a cell that spans lines.
    csv.field_size_limit(MAX_ROW_BYTES)
    lines = _Lines(text)
    cells = csv.reader(lines, delimiter=delimiter, strict=True)
    columns = _column_names(next(cells, []))
    reader.meet(columns)
    yield from _rows(cells, lines, columns=columns, reader=reader)


def _describe_header(text: TextIO, fields: FieldMap) -> str:
    """Which columns were looked for, and which a file has by the delimiter that finds the most."""
    wanted = f"no header with the columns {fields.id!r} and {fields.text!r}"
    start = text.read(MAX_HEADER_CHARACTERS)
    found = max((_header(start, delimiter) for delimiter in DELIMITERS), key=len)
    shown = ", ".join(repr(name[:SHOWN_CHARACTERS]) for name in found[:SHOWN_COLUMNS])
    return f"{wanted}; its first line has {shown}" if len(found) > 1 else wanted


def _rows(cells: Iterator[list[str]], lines: _Lines, *, columns: Sequence[str], reader: RowReader) -> Iterator[Item]:
    while True:
        line = lines.number + 1
        try:
            row = next(cells)
            item: Item | None = reader.read(_record(row, columns, reader.fields), line) if any(row) else None
        except StopIteration:
            return
        except (csv.Error, BadRow) as error:
            item = Problem(reader.uri, str(error), line)
        if item is not None:
            yield item


def _record(row: Sequence[str], columns: Sequence[str], fields: FieldMap) -> dict[str, object]:
    if any(row[len(columns) :]):
        raise BadRow(f"{len(row)} cells under a header of {len(columns)}; is a delimiter not quoted?")
    _check_characters("".join(row))
    record: dict[str, object] = {
        name: cell for name, cell in zip(columns, row, strict=False) if cell or name == fields.text
    }
    if metadata := record.get(fields.metadata):
        record[fields.metadata] = _parse_metadata(str(metadata), fields.metadata)
    return record


def _check_characters(row: str) -> None:
    if "\0" in row:
        raise BadRow("it holds NUL bytes")
    try:
        row.isascii() or row.encode()
    except UnicodeEncodeError as error:
        raise BadRow("it is not UTF-8, or not what else the file is") from error


def _parse_metadata(cell: str, name: str) -> object:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError as error:
        raise BadRow(f"{name!r} is not JSON: {error.msg}") from error
