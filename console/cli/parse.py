"""`embedmill parse`: what is read from one file, and into which chunks it is cut."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result, print_warning

if TYPE_CHECKING:
    from embedmill.console.services.parsing import ParsedBlock, ParsedFile

SHOWN_CHARACTERS = 72


def parse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to read.")],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Cut it as this collection does; as usual if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is read from a file.

    Its text, structure, notes and chunks. Nothing is stored.
    """
    from embedmill.console.cli.session import opened, read_settings
    from embedmill.console.services.parsing import parse_file, read_chunking

    settings, chunking = read_settings(), None
    if collection is not None:
        with opened(settings) as runtime:
            chunking = read_chunking(runtime, collection)
    print_result(parse_file(settings, file, chunking=chunking), print_reading, as_json=as_json)


def print_reading(found: "ParsedFile") -> None:
    """A file for people: the notes first, then the blocks, then where the chunks begin and end."""
    title = f" “{found.title}”" if found.title else ""
    print_line(f"{found.format}{title}: {len(found.text):,} characters, {len(found.blocks):,} blocks")
    for note in found.notes:
        print_warning(note)
    for block in found.blocks:
        _print_block(block)
    for number, chunk in enumerate(found.chunks):
        section = f"  {chunk.section}" if chunk.section else ""
        print_line(f"chunk {number}: {chunk.start}-{chunk.end}, {chunk.tokens} tokens{section}")


def _print_block(block: "ParsedBlock") -> None:
    kind = f"{block.kind} {block.level}" if block.level else str(block.kind)
    page = f"page {block.page}" if block.page else ""
    print_line(f"{kind:11} {page:8} {_shortened(block.text)}")


def _shortened(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= SHOWN_CHARACTERS else folded[: SHOWN_CHARACTERS - 1] + "…"
