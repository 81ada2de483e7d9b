"""What is read from files, and into which chunks it is cut; nothing is stored."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.containers.walk import WITHIN
from embedmill.shared.db.collections import get_collection
from embedmill.shared.errors import DocumentError, SourceGone, UserError
from embedmill.shared.files import SIZE_HINT, read_regular_file
from embedmill.shared.loading.loaders import name_by_type
from embedmill.shared.loading.members import member_uri, read_member
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.uris import path_to_uri
from embedmill.workers.chunking import Chunk, ChunkSet, normalise
from embedmill.workers.chunking.normalise import BlockSpan
from embedmill.workers.parsing.detect import NAMES
from embedmill.workers.parsing.document import BlockKind, ParsedDocument
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.sandbox import Parser
from embedmill.workers.stages.chunk import split

LEVELLED = {BlockKind.HEADING, BlockKind.LIST_ITEM}


@dataclass(frozen=True, slots=True)
class ParsedBlock:
    """A part of a document's structure, at `start` to `end` of the text, in characters.

    `level` is that of a heading, and of a list item how deep it is nested, from 0. `part` counts the parts that no
    chunk joins. `table` counts the tables, and `header` says whether a block belongs to what heads its table.
    """

    kind: BlockKind
    text: str
    level: int | None
    page: int | None
    part: int
    table: int | None
    header: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedChunk:
    """A chunk with the place of its body in the text, in characters, and its first and last page.

    Where the body holds rows of a table and not what heads it, `head` is the place of that, and `text` begins with it.
    """

    text: str
    start: int
    end: int
    head: tuple[int, int] | None
    tokens: int
    section: str
    pages: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file as a worker would read and cut it."""

    uri: str
    format: str
    media_type: str
    title: str
    text: str
    notes: list[str]
    blocks: list[ParsedBlock]
    chunks: list[ParsedChunk]


@serves("parse", Right.READ, in_collection(), filters=True, trace=Trace.NOTHING)
def read_chunking(runtime: Runtime, collection: str) -> CollectionSettings:
    """How a collection's documents are cut; raises NotFound."""
    found = runtime.database.query(lambda connection: get_collection(connection, collection))
    return read_collection_settings(found.settings)


class FileParser(AbstractContextManager["FileParser"]):
    """Reads files as workers would, in one process beside this one; cuts them as usual, unless it is said how.

    It needs no runtime, and makes no home.
    """

    def __init__(self, settings: Settings, *, chunking: CollectionSettings | None = None) -> None:
        self._settings = settings
        self._chunking = chunking or CollectionSettings(embedding=settings.embedding, validator=settings.validator)
        self._parser = Parser(ParserLimits.from_settings(settings))

    def __enter__(self) -> Self:
        self._parser.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parser.__exit__(kind, error, trace)

    def parse(self, path: Path) -> ParsedFile:
        """A file, or what lies in a container: `archive.zip!/a.txt`. Raises UserError where it cannot be read."""
        if path.is_dir():
            raise UserError(f"{path} is a folder", hint="Name files; embedmill ingest reads folders.")
        location = os.fsencode(path.absolute())
        container, member = _split_member(path.absolute())
        try:
            if member:
                data = read_member(container, member, most=self._settings.max_document_bytes)
                return self._read(data, member_uri(path_to_uri(container), member), shown=str(path))
            data = read_regular_file(location, max_bytes=self._settings.max_document_bytes)
        except SourceGone as error:
            raise UserError(f"{path}: {error}", hint="Check the path and its permissions.") from None
        except DocumentError as error:
            raise UserError(f"{path}: {error}", hint=error.hint) from None
        return self._read(data, path_to_uri(location), shown=str(path))

    def parse_bytes(self, data: bytes, *, name: str) -> ParsedFile:
        """The content of a file; `name` stands for its address. Raises UserError where it cannot be read."""
        if len(data) > self._settings.max_document_bytes:
            raise UserError(f"{name}: it is larger than a document may be", hint=SIZE_HINT)
        return self._read(data, name, shown=name)

    def parse_page(self, address: str) -> ParsedFile:
        """A page or a file of a site, as a source of it alone reads it. Raises UserError where that is none."""
        from embedmill.producers.sources.base import HeldItem, Problem, ReadContext, Skipped
        from embedmill.producers.sources.options import SourceOptions
        from embedmill.producers.sources.web.source import WebSource

        for item in WebSource.open(address, SourceOptions()).read(ReadContext(limit=1, settings=self._settings)):
            match item:
                case HeldItem():
                    name = name_by_type(item.uri, item.media_type)
                    return self._read(item.data, item.uri, shown=item.uri, name=name)
                case Problem() | Skipped():
                    raise UserError(f"{item.uri}: {item.reason}", hint="See docs/web.md.")
        raise UserError("no document is there", hint="Name a page, and not a list of pages.")

    def _read(self, data: bytes, uri: str, *, shown: str, name: str = "") -> ParsedFile:
        try:
            parsed = self._parser.parse(data, name=name or uri)
        except DocumentError as error:
            raise UserError(f"{shown}: {error}", hint=error.hint) from None
        return _describe(uri, parsed, split(parsed, self._chunking, title=""))


def _split_member(path: Path) -> tuple[bytes, str]:
    """The container and the path within it; "" for what lies in none."""
    parts = str(path).split(WITHIN)
    for count in range(1, len(parts)):
        container = Path(WITHIN.join(parts[:count]))
        if container.is_file():
            return os.fsencode(container), WITHIN.join(parts[count:])
    return b"", ""


def _describe(uri: str, parsed: ParsedDocument, chunk_set: ChunkSet) -> ParsedFile:
    return ParsedFile(
        uri=uri,
        format=NAMES[parsed.media_type],
        media_type=parsed.media_type,
        title=chunk_set.title,
        text=chunk_set.text,
        notes=list(parsed.notes),
        blocks=list(_describe_blocks(parsed)),
        chunks=[_describe_chunk(chunk, chunk_set.text) for chunk in chunk_set.chunks],
    )


def _describe_blocks(parsed: ParsedDocument) -> Iterator[ParsedBlock]:
    whole = normalise(parsed)
    blocks = (block for block in parsed.blocks if block.text.strip())
    tables: dict[tuple[int, int], int] = {}
    for block, span in zip(blocks, whole.blocks, strict=True):
        table = None if block.head is None else tables.setdefault(block.head, len(tables))
        level = block.level if block.kind in LEVELLED else None
        yield _describe_block(span, whole.text, level=level, table=table)


def _describe_block(span: BlockSpan, text: str, *, level: int | None, table: int | None) -> ParsedBlock:
    return ParsedBlock(
        kind=span.kind,
        text=text[span.start : span.end],
        level=level,
        page=span.page,
        part=span.part,
        table=table,
        header=span.in_head,
        start=span.start,
        end=span.end,
    )


def _describe_chunk(chunk: Chunk, text: str) -> ParsedChunk:
    return ParsedChunk(
        text=chunk.shown(text),
        start=chunk.start,
        end=chunk.end,
        head=chunk.head,
        tokens=chunk.tokens,
        section=chunk.section,
        pages=chunk.pages,
    )
