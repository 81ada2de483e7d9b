"""What is read from one file, and into which chunks it is cut; nothing is stored."""

import os
from dataclasses import dataclass
from pathlib import Path

from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db.collections import get_collection
from embedmill.shared.errors import DocumentError, SourceGone, UserError
from embedmill.shared.files import read_regular_file
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.uris import path_to_uri
from embedmill.workers.chunking import Chunk
from embedmill.workers.parsing.detect import NAMES
from embedmill.workers.parsing.document import Block, BlockKind
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.sandbox import Parser
from embedmill.workers.stages.chunk import split


@dataclass(frozen=True, slots=True)
class ParsedBlock:
    """A part of a document's structure; the level of a heading, the page where there are pages."""

    kind: BlockKind
    text: str
    level: int | None
    page: int | None


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


def read_chunking(runtime: Runtime, collection: str) -> CollectionSettings:
    """How a collection's documents are cut; raises NotFound."""
    found = runtime.database.query(lambda connection: get_collection(connection, collection))
    return read_collection_settings(found.settings)


def parse_file(settings: Settings, path: Path, *, chunking: CollectionSettings | None = None) -> ParsedFile:
    """A file as a worker would read it; cut as usual, unless it is said how. Raises UserError where it cannot be read.

    It needs no runtime, and makes no home.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder", hint="Name one file; embedmill ingest reads folders.")
    chosen = chunking or CollectionSettings(embedding=settings.embedding, validator=settings.validator)
    location = os.fsencode(path.absolute())
    uri = path_to_uri(location)
    try:
        data = read_regular_file(location, max_bytes=settings.max_document_bytes)
        with Parser(ParserLimits.from_settings(settings)) as parser:
            parsed = parser.parse(data, name=uri)
    except SourceGone as error:
        raise UserError(f"{path}: {error}", hint="Check the path and its permissions.") from None
    except DocumentError as error:
        raise UserError(f"{path}: {error}", hint=error.hint) from None
    chunk_set = split(parsed, chosen, title="")
    return ParsedFile(
        uri=uri,
        format=NAMES[parsed.media_type],
        media_type=parsed.media_type,
        title=chunk_set.title,
        text=chunk_set.text,
        notes=list(parsed.notes),
        blocks=[_describe_block(block) for block in parsed.blocks],
        chunks=[_describe_chunk(chunk, chunk_set.text) for chunk in chunk_set.chunks],
    )


def _describe_block(block: Block) -> ParsedBlock:
    return ParsedBlock(block.kind, block.text, block.level or None, block.page)


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
