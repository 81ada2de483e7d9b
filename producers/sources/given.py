"""Documents that a program gives as values, one mapping each, read as the rows of a file are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import orjson

from embedmill.producers.sources.base import Item, Remark, RemarkKind, Source, Spec
from embedmill.producers.sources.jsonl import read_rows
from embedmill.producers.sources.rows import FieldMap, RowReader
from embedmill.producers.sources.spool import Spool
from embedmill.shared.errors import UsageError

GIVEN = "given:"


@dataclass(frozen=True, slots=True)
class GivenSource(Source):
    """Documents that were given; what they leave out they say nothing about, so they never delete.

    They come only once: they are copied to an unnamed temporary file and known by its hash, so that whoever gives the
    same again takes up the same job.
    """

    kind: ClassVar[str] = "given"
    detects_deletions: ClassVar[bool] = False
    empty: ClassVar[str] = "no document was given"

    uri: str
    fields: FieldMap
    _spool: Spool = field(repr=False, compare=False)

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, object]], *, fields: FieldMap | None = None) -> "GivenSource":
        """Take the documents in bounded memory; raises UsageError for what JSON cannot hold, StorageFailed."""
        spool = Spool(map(_line, documents), what="the documents")
        return cls(GIVEN + spool.content_hash, fields or FieldMap(), spool)

    @property
    def spec(self) -> Spec:
        """Their hash and the names of their fields; they cannot be had again."""
        return {"kind": self.kind, "uri": self.uri, "fields": self.fields.to_spec()}

    def read(self, remarks: list[Remark]) -> Iterator[Item]:
        """A RowItem or a Problem for each; a problem's line is its place in the order."""
        reader = RowReader(self.fields, self.uri)
        yield from read_rows(self._spool.rewound(), uri=self.uri, reader=reader)
        remarks += [remark for remark in reader.remarks() if remark.kind is not RemarkKind.READ]


def _line(document: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(dict(document), option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"a document that was given cannot be written as JSON: {error}") from None
