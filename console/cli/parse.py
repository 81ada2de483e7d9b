"""`embedmill parse`: what is read from files, and into which chunks it is cut."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import FAILED, print_error, print_json, print_line, print_warning

if TYPE_CHECKING:
    from embedmill.console.services.parsing import FileParser, ParsedBlock, ParsedChunk, ParsedFile

SHOWN_CHARACTERS = 84
STDIN = "-"
_ADDRESS = re.compile("https?://", re.IGNORECASE)


def parse(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Files or addresses of pages to read; - reads stdin.")
    ],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Cut it as this collection does; as usual if not given.")
    ] = None,
    name: Annotated[str, typer.Option(help="What stdin would be called; an ending tells its format.")] = "stdin",
    as_json: AsJson = False,
) -> None:
    """Show what is read from files.

    Their text, structure, notes and chunks. Nothing is stored. With several files --json prints {"files": [...]}, of
    which one that cannot be read has an "error".
    """
    from embedmill.console.cli.session import opened, read_settings
    from embedmill.console.services.parsing import FileParser, read_chunking

    settings, chunking = read_settings(), None
    if collection is not None:
        with opened(settings) as runtime:
            chunking = read_chunking(runtime, collection)
    with FileParser(settings, chunking=chunking) as parser:
        if len(files) > 1:
            _show_all(parser, files, name, as_json=as_json)
            return
        found = _read(parser, files[0], name)
    if as_json:
        print_json(found)
    else:
        print_reading(found)


def _show_all(parser: "FileParser", files: Sequence[str], name: str, *, as_json: bool) -> None:
    from embedmill.shared.errors import UserError

    results: list[object] = []
    failed = False
    for file in files:
        try:
            found = _read(parser, file, name)
        except UserError as error:
            failed = True
            results.append({"uri": file, "error": str(error), "hint": error.hint})
            print_error(str(error), error.hint)
            continue
        if as_json:
            results.append(found)
        else:
            print_reading(found)
    if as_json:
        print_json({"files": results})
    if failed:
        raise typer.Exit(FAILED)


def _read(parser: "FileParser", file: str, name: str) -> "ParsedFile":
    import sys

    if file == STDIN:
        return parser.parse_bytes(sys.stdin.buffer.read(), name=name)
    return parser.parse_page(file) if _ADDRESS.match(file) else parser.parse(Path(file))


def print_reading(found: "ParsedFile") -> None:
    """A file for people: what it is, the notes, and each chunk with the blocks that it holds."""
    title = f" “{found.title}”" if found.title else ""
    print_line(f"{found.uri}: {found.format}{title}, {_sizes(found)}")
    for note in found.notes:
        print_warning(note)
    before = 0
    for number, chunk in enumerate(found.chunks):
        print_line("")
        for line in _chunk_lines(number, chunk, found, repeated_to=before):
            print_line(line)
        before = chunk.end


def _sizes(found: "ParsedFile") -> str:
    from embedmill.workers.parsing.draft import count

    sizes = ((len(found.text), "character"), (len(found.blocks), "block"), (len(found.chunks), "chunk"))
    return ", ".join(count(number, thing) for number, thing in sizes)


def _chunk_lines(number: int, chunk: "ParsedChunk", found: "ParsedFile", *, repeated_to: int) -> Iterator[str]:
    facts = [f"{chunk.start:,}-{chunk.end:,}", f"{chunk.tokens} tokens", *_pages(chunk), chunk.section]
    yield f"-- chunk {number}: {', '.join(filter(None, facts))}"
    if chunk.head is not None:
        yield f"carries       {_shortened(found.text[slice(*chunk.head)])}"
    for block in found.blocks:
        if block.start < chunk.end and chunk.start < block.end:
            yield from _block_lines(block, chunk, found.text, repeated_to=repeated_to)


def _block_lines(block: "ParsedBlock", chunk: "ParsedChunk", text: str, *, repeated_to: int) -> Iterator[str]:
    """What a chunk holds of a block: what it repeats of the chunk before on a line of its own, marked by a +."""
    start, end = max(block.start, chunk.start), min(block.end, chunk.end)
    if start < repeated_to:
        yield _line(block, text, start, min(end, repeated_to), mark="+")
        start = repeated_to
    if text[start:end].strip():
        yield _line(block, text, start, end)


def _line(block: "ParsedBlock", text: str, start: int, end: int, mark: str = " ") -> str:
    kind = f"{block.kind} {block.level}" if block.level else str(block.kind)
    kind = "table head" if block.header and block.kind == "table_row" else kind
    left_out = "…" if start > block.start else ""
    return f"{mark} {kind:12}{left_out}{_shortened(text[start:end])}{'…' if end < block.end else ''}"


def _pages(chunk: "ParsedChunk") -> Iterator[str]:
    if chunk.pages is not None:
        first, last = chunk.pages
        yield f"page {first}" if first == last else f"pages {first}-{last}"


def _shortened(text: str) -> str:
    folded = " ".join(text.split())
    if len(folded) <= SHOWN_CHARACTERS:
        return folded
    half = SHOWN_CHARACTERS // 2
    return f"{folded[: half + half // 2]} … {folded[-half // 2 :]}"
