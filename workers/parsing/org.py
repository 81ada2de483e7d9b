"""Owns Org: headings, lists with their numbers, terms, code, tables and captions; all other lines as written."""

import re
from collections.abc import Iterator, Sequence

from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.light_markup import MarkupWriter, lines_until, read_lines
from embedmill.workers.parsing.list_items import BULLET

_HEADING = re.compile(r"(\*+)[ \t]+(\S.*)")
_TAGS = re.compile(r":[\w@#%:]+:")
_KEY = re.compile(r"[ \t]*#\+(\w+):?(?:[ \t]+(.*))?")
_DRAWER = re.compile(r"[ \t]*:(?:PROPERTIES|LOGBOOK):[ \t]*", re.IGNORECASE)
_ITEM = re.compile(r"([ \t]*)([-+]|\d{1,4}[.)])[ \t]+(\S.*)")
_LINK = re.compile(r"\[\[([^\]\[\n]*)\](?:\[([^\]\[\n]*)\])?\]")
_RULE = re.compile(r"[ \t]*\|[-+|]*")


def read(data: bytes, draft: Draft) -> None:
    """Comments, drawers and options are left out."""
    read_lines(clean(draft.decode(data)), draft, _take_line)


def _take_line(line: str, lines: Iterator[str], writer: MarkupWriter) -> None:
    text = _LINK.sub(lambda found: found[2] or found[1], line)
    if found := _HEADING.fullmatch(text):
        title, _, last = found[2].rstrip().rpartition(" ")
        writer.heading(title if _TAGS.fullmatch(last) else found[2], len(found[1]))
    elif found := _KEY.fullmatch(line):
        _take_key(found[1].upper(), found[2] or "", lines, writer)
    elif _DRAWER.fullmatch(line):
        lines_until(lines, lambda other: other.strip().upper() == ":END:")
    elif line.lstrip().startswith("# "):
        pass
    elif line.lstrip().startswith("|"):
        following = _Following(lines)
        rows = [text, *(_LINK.sub(lambda found: found[2] or found[1], each) for each in following)]
        writer.table(*_table(rows))
        for other in following.rest:
            _take_line(other, lines, writer)
    elif found := _ITEM.fullmatch(text):
        term, apart, meaning = found[3].partition(" :: ")
        depth = len(found[1].expandtabs()) // 2
        if apart:
            writer.term(term, meaning, depth)
        else:
            writer.item(found[3], found[2] if found[2][0].isdigit() else BULLET, depth)
    else:
        writer.line(text)


class _Following:
    """The lines of a table that follow; `rest` is the one behind it."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.rest: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if not line.lstrip().startswith("|"):
                self.rest.append(line)
                return
            yield line


def _take_key(key: str, value: str, lines: Iterator[str], writer: MarkupWriter) -> None:
    match key:
        case "TITLE":
            writer.draft.title = writer.draft.title or value.strip()
            writer.heading(value, 1)
        case "AUTHOR" | "DATE" | "EMAIL" | "SUBTITLE":
            writer.line(value)
        case "CAPTION":
            writer.caption(value)
        case "INCLUDE":
            writer.draft.note(f"a file that it includes was left out: {value.partition(' ')[0]}")
        case "BEGIN_SRC" | "BEGIN_EXAMPLE" | "BEGIN_EXPORT":
            end = key.replace("BEGIN", "END", 1)
            writer.code(lines_until(lines, lambda other: other.strip().upper().startswith(f"#+{end}")))
        case _ if key.startswith("BEGIN_COMMENT"):
            lines_until(lines, lambda other: other.strip().upper().startswith("#+END_COMMENT"))


def _table(lines: Sequence[str]) -> tuple[list[list[Cell]], int | None]:
    rows: list[list[Cell]] = []
    heads: int | None = None
    for line in lines:
        if _RULE.fullmatch(line.rstrip()) and "-" in line:
            heads = len(rows) if heads is None and rows else heads
        else:
            rows.append([Cell(cell.strip()) for cell in line.strip().strip("|").split("|")])
    return rows, heads
