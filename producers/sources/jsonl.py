"""A JSONL file: one JSON object per line, each a document."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO, ClassVar

import orjson

from embedmill.producers.sources.base import Item, Problem, ReadContext, Source, Spec
from embedmill.producers.sources.options import FieldMap
from embedmill.producers.sources.records import split_records
from embedmill.producers.sources.rows import MAX_ROW_BYTES, BadRow, RowReader
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import describe_os_error, open_regular_file
from embedmill.shared.uris import path_to_uri

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class JsonlSource(Source):
    """The rows of a JSONL file at an absolute path; blank lines are ignored."""

    kind: ClassVar[str] = "jsonl"
    takes: ClassVar[tuple[str, ...]] = ("fields",)
    empty: ClassVar[str] = "no row is in it"

    path: bytes
    fields: FieldMap = field(default_factory=FieldMap)

    @property
    def spec(self) -> Spec:
        """The file's URI and the names of its fields."""
        return {"kind": self.kind, "uri": path_to_uri(self.path), "fields": self.fields.to_spec()}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """A RowItem or a Problem for each line that is not blank."""
        uri = path_to_uri(self.path)
        try:
            with os.fdopen(open_regular_file(self.path), "rb") as stream:
                reader = RowReader(self.fields, uri)
                yield from read_rows(stream, uri=uri, reader=reader)
                context.remarks += reader.remarks()
        except DocumentError as error:
            yield Problem(uri, str(error))
        except OSError as error:
            yield Problem(uri, describe_os_error(error))


def read_rows(stream: BinaryIO, *, uri: str, reader: RowReader) -> Iterator[Item]:
    """A RowItem or a Problem for each line of a stream that is not blank."""
    records = split_records(stream, separator=b"\n", max_bytes=MAX_ROW_BYTES)
    first = next(records, b"")
    if first is not None and first.startswith(_UTF16_MARKS):
        yield Problem(uri, "the file is UTF-16; convert it to UTF-8", 1)
        return
    start = first if first is None else first.removeprefix(_UTF8_MARK)
    for line, record in enumerate(chain((start,), records), start=1):
        if record is None or (record and not record.isspace()):
            yield _item(record, uri=uri, line=line, reader=reader)


def _item(record: bytes | None, *, uri: str, line: int, reader: RowReader) -> Item:
    try:
        return reader.read(_parse(record), line)
    except BadRow as error:
        return Problem(uri, str(error), line)


def _parse(record: bytes | None) -> dict[str, object]:
    if record is None:
        raise BadRow(f"a line over {MAX_ROW_BYTES:,} bytes")
    try:
        value = orjson.loads(record)
    except orjson.JSONDecodeError as error:
        raise BadRow(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    if not isinstance(value, dict):
        raise BadRow("not a JSON object")
    return value
