"""Owns separated values (CSV): which sign separates them, and rows that a stray quotation mark must not swallow."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from embedmill.workers.parsing import detect
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.sheets.shaping import SheetRow, add_rows, is_value
from embedmill.workers.parsing.text import read_text

DELIMITERS = ",;\t|"
SNIFFED_LINES = 200
SNIFFED_CHARACTERS = 65_536
FEWEST_NAMES = 3
NAME_CHARACTERS = 40
MOST_ODD = 0.5
"""Of the rows, that may have another number of cells than their table."""
LEAST_OF_WIDTH = 0.75
"""Of the rows, that have over half as many cells as there are names."""

_NAMED = "sep="
_SINGLE_QUOTED = re.compile(r"(?m)(^|[,;\t|])'([^'\n]*)'(?=$|[,;\t|])")


def read(data: bytes, draft: Draft) -> None:
    """Tables, titles and remarks; formulas stay text. What has no columns is kept as plain text, with a note."""
    text = _quoted(draft.decode(data).replace("\0", ""))
    csv.field_size_limit(draft.limits.output_chars)
    delimiter, text = _delimiter(text, draft.name)
    try:
        if delimiter:
            add_rows((SheetRow(list(map(str.strip, row))) for row in _rows(text, delimiter)), draft)
            return
    except csv.Error:
        pass
    draft.note("not valid CSV; kept as plain text")
    read_text(text, draft)


def _quoted(text: str) -> str:
    """Where cells stand in single quotes, and nothing in double ones, they stand in these."""
    if '"' in text or "'" not in text:
        return text
    changed, cells = _SINGLE_QUOTED.subn(r'\1"\2"', text)
    return changed if cells > text.count("\n") / 2 else text


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """A quotation mark that nothing closes is a sign like any other: it would take all that follows into its cell."""
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(lines, delimiter=delimiter, doublequote=not _escapes(text), escapechar=_escapes(text))
    begin = 0
    for row in reader:
        if reader.line_num == len(lines) and _is_open("".join(lines[begin:])):
            yield from csv.reader(lines[begin:], delimiter=delimiter, quoting=csv.QUOTE_NONE)
            return
        yield row
        begin = reader.line_num


def _is_open(text: str) -> bool:
    return text.count("\n") > 1 and text.count('"') % 2 == 1


def _escapes(text: str) -> str | None:
    r"""A backslash where quotation marks in cells are written `\"` and not `""`."""
    return "\\" if '\\"' in text and '""' not in text else None


def _delimiter(text: str, name: str) -> tuple[str, str]:
    """The sign that separates cells, and the text without a line that says so; no sign where there are no columns."""
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith(_NAMED) and len(named := first.strip()[len(_NAMED) :]) == 1:
        return named, rest
    if detect.suffix_of(name) in {".tsv", ".tab"}:
        return "\t", text
    lines = io.StringIO(text[:SNIFFED_CHARACTERS], newline="").readlines()[:SNIFFED_LINES]
    scores = {delimiter: _evenness(lines, delimiter) for delimiter in DELIMITERS}
    best = max(scores, key=lambda delimiter: scores[delimiter])
    if scores[best][0] > 0:
        return best, text
    if headed := [delimiter for delimiter in DELIMITERS if _is_headed(lines, delimiter)]:
        return headed[0], text
    return ("", text) if any(delimiter in line for line in lines for delimiter in ",;\t") else (",", text)


def _evenness(lines: list[str], delimiter: str) -> tuple[float, float, int]:
    """The share of rows with as many cells as most of their table, that of cells that look whole, and the most cells.

    The first is 0 where under half of the rows agree. Empty rows part tables, but one row alone agrees with none. A
    cell that another sign would divide is not whole, unless it is a number as `1.234,50`.
    """
    tables = list(map(_without_titles, _tables(lines, delimiter)))
    counts = Counter(len(row) for rows in tables for row in rows if len(row) > 1)
    if not counts:
        return 0, 0, 0
    usual = max(counts.items(), key=lambda item: (item[1], item[0]))[0]
    agreeing = [row for rows in tables for row in rows if len(row) == _width(rows, usual)]
    cells = sum(map(len, agreeing))
    if not cells:
        return 0, 0, 0
    others = re.compile(f"[{re.escape(DELIMITERS.replace(delimiter, ''))}]")
    whole = sum(_count_whole(row, others) for row in agreeing) / cells
    share = len(agreeing) / sum(map(len, tables))
    width = max(map(len, agreeing))
    return (round(share, 1) if share > MOST_ODD else 0.0), round(whole, 2), width


def _width(rows: list[list[str]], usual: int) -> int:
    """How many cells most rows of a table have."""
    counts = Counter(len(row) for row in rows if len(row) > 1)
    width, agreeing = max(counts.items(), key=lambda item: (item[1], item[0]), default=(usual, 0))
    return width if agreeing > 1 else usual


def _tables(lines: list[str], delimiter: str) -> list[list[list[str]]]:
    """Rows between empty ones; none where the syntax forbids it."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return []
    return [list(group) for is_filled, group in groupby(rows, key=lambda row: any(map(str.strip, row))) if is_filled]


def _is_headed(lines: list[str], delimiter: str) -> bool:
    """Whether names of columns open rows of different lengths: one odd cell makes no text of a table."""
    rows = _without_titles([row for rows in _tables(lines, delimiter) for row in rows])
    if len(rows) < 2 or len(rows[0]) < FEWEST_NAMES:
        return False
    names = [cell.strip() for cell in rows[0]]
    are_names = len(set(names)) == len(names) and all(
        0 < len(name) <= NAME_CHARACTERS and not is_value(name) and name[-1].isalnum() for name in names
    )
    return are_names and sum(2 * len(row) > len(names) for row in rows) > LEAST_OF_WIDTH * len(rows)


def _without_titles(rows: list[list[str]]) -> list[list[str]]:
    """From the first row of several cells, unless titles are most of it."""
    begin = next((number for number, row in enumerate(rows) if len(row) > 1), 0)
    return rows[begin:] if 2 * begin <= len(rows) else rows


def _count_whole(row: list[str], others: re.Pattern[str]) -> int:
    if others.search("".join(row)) is None:
        return len(row)
    return sum(others.search(cell) is None or is_value(cell) for cell in map(str.strip, row))
