"""Documents that a program gives as values, one mapping each, read as the rows of a file are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import orjson

from embedmill.producers.sources.base import Item, ReadContext, RemarkKind, Source, Spec
from embedmill.producers.sources.jsonl import read_rows
from embedmill.producers.sources.options import FieldMap
from embedmill.producers.sources.rows import RowReader
from embedmill.producers.sources.spool import Spool
from embedmill.shared.errors import UsageError
from embedmill.shared.uris import GIVEN

_WRITABLE = "Use strings that are valid Unicode, numbers, dates, lists, and mappings with strings as keys."


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
        names = fields or FieldMap()
        lines = (_line(document, place, names.id) for place, document in enumerate(documents, 1))
        spool = Spool(lines, what="the documents")
        return cls(GIVEN + spool.content_hash, names, spool)

    @property
    def spec(self) -> Spec:
        """Their hash and the names of their fields; they cannot be had again."""
        return {"kind": self.kind, "uri": self.uri, "fields": self.fields.to_spec()}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """A RowItem or a Problem for each; a problem's line is its place in the order."""
        reader = RowReader(self.fields, self.uri)
        yield from read_rows(self._spool.rewound(), uri=self.uri, reader=reader)
        context.remarks += [remark for remark in reader.remarks() if remark.kind is not RemarkKind.READ]


def _line(document: Mapping[str, object], place: int, id_: str) -> bytes:
    try:
        row = dict(document)
    except (TypeError, ValueError):
        kind, hint = type(document).__name__, "Give a list of mappings, each with an id and a text."
        raise UsageError(f"document {place} of those given is no mapping, but of type {kind}", hint=hint) from None
    try:
        return orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"
    except (TypeError, ValueError) as error:
        told = f"document {place} of those given, with the id {row.get(id_)!a:.80}, cannot be written as JSON"
        raise UsageError(f"{told}: {error}", hint=_WRITABLE) from None
