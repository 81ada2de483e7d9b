"""What commands print: one JSON document on stdout for machines, plain tables for people, errors with a next step."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO, TypeVar

from embedmill.console.listening import Notice, Severity
from embedmill.console.rendering import to_json
from embedmill.shared.harmless import harmless, harmless_json

T = TypeVar("T")

DONE, FAILED, USAGE, DEAD_LETTERS = 0, 1, 2, 3

# The longest cell of a table that goes to a file or a pipe; a terminal has its own width.
CELL_CHARACTERS = 100
# A point in time, of which a table shows no seconds.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def print_json(result: Any) -> None:
    """Write what a service returned as one JSON document."""
    sys.stdout.write(harmless_json(json.dumps(to_json(result), ensure_ascii=False, default=str)) + "\n")
    sys.stdout.flush()


def print_result(result: T, people: Callable[[T], object], *, as_json: bool) -> None:
    """Show what a service returned, to machines or to people."""
    if as_json:
        print_json(result)
    else:
        people(result)


def print_json_lines(results: Iterable[Any]) -> None:
    """Write what a service yields as JSONL, of any length."""
    for result in results:
        sys.stdout.buffer.write(json_line(result))
    sys.stdout.buffer.flush()


def json_line(result: Any) -> bytes:
    """A line of JSONL; arrays of numpy are taken."""
    import orjson

    # The names of a row's columns are strings of SQLAlchemy's own class.
    encoded = orjson.dumps(to_json(result), option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return harmless_json(encoded.decode()).encode() + b"\n"


def print_line(text: str) -> None:
    """Write a line for people; what a terminal would obey or cannot show is escaped."""
    _write_line(sys.stdout, text)


def print_wrapped(text: str) -> None:
    """Write a sentence for people: on a terminal in lines of its width, which stand under the first one's text."""
    if not sys.stdout.isatty():
        print_line(text)
        return
    import shutil
    import textwrap

    under = " " * (len(text) - len(text.lstrip()) + 2)
    columns = shutil.get_terminal_size().columns
    for line in textwrap.wrap(text, columns, subsequent_indent=under, break_long_words=False, break_on_hyphens=False):
        print_line(line)


def print_error(message: str, hint: str = "", *, as_json: bool = False) -> None:
    """Say on stderr what went wrong and what to do; with --json, say it on stdout too, if that can be written."""
    _write_line(sys.stderr, f"error: {message}")
    if hint:
        _write_line(sys.stderr, f"  next: {hint}")
    if as_json:
        with suppress(OSError):
            print_json({"error": message, "hint": hint})


def print_warning(message: str) -> None:
    """Say something on stderr that does not stop the command."""
    _write_line(sys.stderr, f"warning: {message}")


def print_told(notice: Notice) -> None:
    """Say on stderr what a service told."""
    match notice.severity:
        case Severity.ERROR:
            print_error(notice.text, notice.hint)
        case Severity.WARNING:
            print_warning(notice.text)
        case Severity.INFO:
            print_notice(notice.text)


def print_notice(message: str) -> None:
    """Say on stderr what is being done, for people who wait."""
    _write_line(sys.stderr, message)


def print_table(rows: Sequence[Any], columns: Sequence[str], *, empty: str) -> None:
    """Rows, by the names of their fields, in a table: as wide as the terminal, or plain in a file or a pipe."""
    if not rows:
        print_line(empty)
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in map(to_json, rows)]
    if sys.stdout.isatty():
        from embedmill.console.cli.tables import draw

        draw(columns, cells)
        return
    cut = [[cell[:CELL_CHARACTERS] for cell in row] for row in cells]
    widths = [max(len(column), *(len(row[i]) for row in cut)) for i, column in enumerate(columns)]
    for line in ([*columns], *cut):
        print_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def confirm(question: str) -> bool:
    """Ask on the terminal; no is an answer like any other. Raises UserError when nobody is there to answer."""
    import typer

    from embedmill.shared.errors import UserError

    try:
        return typer.confirm(harmless(question), err=True)
    except typer.Abort as aborted:
        if isinstance(aborted.__context__, EOFError):
            raise UserError(f"nobody answered: {question}", hint="Give --yes to do it unasked.") from None
        raise


def _write_line(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(harmless(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _cell(value: Any) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else "" if value is None else str(value)
    if _TIME.fullmatch(text):
        text = f"{text[:10]} {text[11:16]}"
    return harmless(" ".join(text.split()))
