"""A list of files: paths from standard input or from a file, relative to a folder."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, ClassVar

from embedmill.producers.sources.base import FileItem, Item, Problem, ReadContext, Source, SourcePlace, Spec
from embedmill.producers.sources.named import named_file
from embedmill.producers.sources.paths import absolute_path, canonical_path
from embedmill.producers.sources.records import CHUNK_BYTES, split_records
from embedmill.producers.sources.seen import SeenKeys
from embedmill.producers.sources.spool import Spool
from embedmill.producers.sources.tables import Documents
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import describe_os_error, open_regular_file
from embedmill.shared.uris import STDIN, path_to_uri

MAX_PATH_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ListSource(Source):
    """The files that a list names, each once; `uri` is the list's own and `base` the folder its paths are relative to.

    A list that leaves a file out says nothing about it, so it never deletes. Standard input comes only once: it is
    copied to an unnamed temporary file and known by its hash, so that two different lists are two sources.
    """

    kind: ClassVar[str] = "list"
    detects_deletions: ClassVar[bool] = False
    takes: ClassVar[tuple[str, ...]] = ("null",)
    empty: ClassVar[str] = "it names no file"

    uri: str
    path: bytes | None
    base: bytes
    null_separated: bool = False
    _spool: Spool | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of_stream(cls, stream: BinaryIO, *, base: bytes, null_separated: bool = False) -> "ListSource":
        """Read the stream to its end in bounded memory; StorageFailed when there is no room for the copy."""
        spool = Spool(iter(lambda: stream.read(CHUNK_BYTES), b""), what="the list")
        return cls(STDIN + spool.content_hash, None, base, null_separated, spool)

    @classmethod
    def of_file(cls, path: bytes, *, base: bytes, null_separated: bool = False) -> "ListSource":
        """A list kept in a file at an absolute path."""
        return cls(path_to_uri(path), path, base, null_separated)

    @property
    def spec(self) -> Spec:
        """Where the list is and how it is read; one from standard input cannot be built again."""
        how = {"base": path_to_uri(self.base), "null_separated": self.null_separated}
        return {"kind": self.kind, "uri": self.uri, **how}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """The item of each path, in the list's order; a Problem's line is its place in the list."""
        documents = Documents()
        try:
            with self._open() as stream:
                for item in self._items(stream):
                    if isinstance(item, FileItem) and not item.container:
                        documents.add(item.path)
                    yield item
        except DocumentError as error:
            yield Problem(self.uri, str(error))
        except OSError as error:
            yield Problem(self.uri, describe_os_error(error))
        context.remarks += documents.remarks(self.uri)

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if self.path is not None:
            with os.fdopen(open_regular_file(self.path), "rb") as stream:
                yield stream
        elif self._spool is not None:
            yield self._spool.rewound()

    def _items(self, stream: BinaryIO) -> Iterator[Item]:
        seen = SeenKeys()
        separator = b"\0" if self.null_separated else b"\n"
        records = split_records(stream, separator=separator, max_bytes=MAX_PATH_BYTES)
        for line, record in enumerate(records, start=1):
            name = record if record is None or self.null_separated else record.removesuffix(b"\r")
            if name is None or b"\0" in name:
                yield Problem(self.uri, "not a path: it is too long or holds a NUL byte", line)
            elif name and _is_new(path := canonical_path(absolute_path(name, base=self.base)), seen, line):
                yield from (_at_line(item, SourcePlace(self.uri, line)) for item in named_file(path))


def _is_new(path: bytes, seen: SeenKeys, line: int) -> bool:
    mark = (hashlib.blake2b(path, digest_size=16).digest(),)
    if seen.find(mark) is not None:
        return False
    seen.add(mark, line)
    return True


def _at_line(item: Item, place: SourcePlace) -> Item:
    match item:
        case FileItem():
            return replace(item, listed_at=place)
        case Problem():
            return replace(item, line=place.line)
    return item
