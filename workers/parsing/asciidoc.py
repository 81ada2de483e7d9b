"""Owns AsciiDoc: headings, lists with their numbers, terms, code, tables and captions; all other lines as written."""

import re
from collections.abc import Iterator, Sequence

from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.light_markup import MarkupWriter, lines_until, read_lines
from embedmill.workers.parsing.list_items import BULLET

_HEADING = re.compile(r"(={1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r"(-{4,}|\.{4,}|/{4,}|`{3,}|\+{4,})[ \t]*\w*")
_FRAME = re.compile(r"={4,}|\*{4,}|_{4,}|--|\+|'{3,}|<{3}")
_LEFT_OUT = re.compile(r"//(?!/).*|:!?[\w-]+!?:.*|\[[^\]]*\]\]?")
_CAPTION = re.compile(r"\.(?=[^\s.])(.+)")
_ITEM = re.compile(r"[ \t]*(\*{1,5}|-|\.{1,5}|\d{1,4}\.)[ \t]+(\S.*)")
_TERM = re.compile(r"[ \t]*(\S.*?)(:{2,4}|;;)(?:[ \t]+(.*))?")
_PICTURE = re.compile(r"image::[^\[]*\[([^\]]*)\]")
_INCLUDE = re.compile(r"include::([^\[]*)\[.*")
_TABLE = re.compile(r"[|,!]={3,}")
_CELL = re.compile(r"(?:(?<![^ \t])(?:\d[\d.+*]{0,8})?[<^>.]{0,3}[aehlmdsv]?)?(?<!\\)\|")


def read(data: bytes, draft: Draft) -> None:
    """Comments, attributes and the options of blocks are left out; a file that it includes is noted."""
    read_lines(clean(draft.decode(data)), draft, _line)


def _line(line: str, lines: Iterator[str], writer: MarkupWriter) -> None:
    if fence := _FENCE.fullmatch(line.rstrip()):
        block = lines_until(lines, lambda other: other.rstrip() == fence[1])
        if not fence[1].startswith("/"):
            writer.code(block)
    elif _TABLE.fullmatch(line.rstrip()):
        writer.table(*_table(lines_until(lines, lambda other: other.rstrip() == line.rstrip())))
    elif found := _HEADING.fullmatch(line):
        title, sign = found[2].rstrip(), f" {found[1]}"
        writer.heading(title.removesuffix(sign), len(found[1]))
    elif found := _INCLUDE.fullmatch(line.rstrip()):
        writer.draft.note(f"a file that it includes was left out: {found[1]}")
    elif _LEFT_OUT.fullmatch(line.rstrip()) or _FRAME.fullmatch(line.rstrip()):
        pass
    elif found := _PICTURE.fullmatch(line.rstrip()):
        writer.caption(found[1].partition(",")[0].strip('"'))
    elif found := _CAPTION.fullmatch(line):
        writer.caption(found[1])
    elif found := _ITEM.fullmatch(line):
        sign = found[1]
        marker = sign if sign[0].isdigit() else BULLET if sign[0] in "*-" else ""
        writer.item(found[2], marker, 0 if marker == sign else len(sign) - 1)
    elif (found := _TERM.fullmatch(line)) and "://" not in line:
        writer.term(found[1], found[3] or "", max(len(found[2]) - 2, 0))
    else:
        writer.line(line)


def _table(lines: Sequence[str]) -> tuple[list[list[Cell]], int | None]:
    """Cells of a row stand on one line, as the first row does, or one on each of as many lines."""
    rows: list[list[Cell]] = []
    texts: list[str] = []
    heads: int | None = None
    for number, line in enumerate(lines):
        cells = [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)]
        if not line.strip():
            heads = 1 if len(rows) == 1 and number == 1 and heads is None else heads
        elif len(cells) == 1:
            _append(texts, rows, line.strip())
        else:
            texts += cells[1:]
        if texts and (not rows or len(texts) >= len(rows[0])):
            rows.append([Cell(text) for text in texts])
            texts = []
    return [*rows, *([[Cell(text) for text in texts]] if texts else [])], heads


def _append(texts: list[str], rows: list[list[Cell]], words: str) -> None:
    """A line without a cell's sign goes on with the cell before it."""
    if texts:
        texts[-1] = f"{texts[-1]} {words}"
    elif not rows:
        texts.append(words)
    else:
        rows[-1][-1] = Cell(f"{rows[-1][-1].text} {words}")
