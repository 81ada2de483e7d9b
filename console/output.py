"""What commands print: one JSON document on stdout for machines, plain tables for people, errors with a next step."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

DONE, FAILED, USAGE, DEAD_LETTERS = 0, 1, 2, 3


def print_json(document: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """Write a line for people; characters that the terminal cannot show are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def print_error(message: str, hint: str = "", *, as_json: bool = False) -> None:
    """Say on stderr what went wrong and what to do; with --json, say it on stdout too."""
    sys.stderr.write(f"error: {message}\n".encode("utf-8", "backslashreplace").decode())
    if hint:
        sys.stderr.write(f"  next: {hint}\n")
    if as_json:
        print_json({"error": message, "hint": hint})


def print_warning(message: str) -> None:
    """Say something on stderr that does not stop the command."""
    sys.stderr.write(f"warning: {message}\n".encode("utf-8", "backslashreplace").decode())


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """A plain table that fits a pipe as well as a terminal."""
    if not rows:
        print_line(empty)
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    for line in ([*columns], *cells):
        print_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else "" if value is None else str(value)
    return " ".join(text.split())[:100]
