"""Owns the wikitext of MediaWiki: headings, lists with their numbers, terms, tables with spans, code and notes."""

import re
from collections.abc import Iterator, Sequence

from embedmill.workers.parsing.draft import Draft, clean, one_line
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.light_markup import MarkupWriter, lines_until, read_lines
from embedmill.workers.parsing.list_items import BULLET

_HEADING = re.compile(r"(={1,6})([^=].*)")
_ITEM = re.compile(r"([*#:;]+)[ \t]*(.*)")
_LINK = re.compile(r"\[\[(?:[^|\]\[\n]*\|)?([^|\]\[\n]*)\]\]|\[https?://[^\s\[\]]+ ([^\]\[\n]+)\]")
_BESIDE = re.compile(r"\[\[[^\W\d_]+:[^\]|\[\n]*\]\][ \t]*")
_OPENED = re.compile(r"<ref\b[^<>]{0,200}>")
_CLOSED = "</ref>"
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_QUOTES = re.compile(r"'{2,5}")
_ATTRIBUTES = re.compile(r"(?:[ \t]*+[\w-]++[ \t]*+=[ \t]*+(?:\"[^\"]*\"|'[^']*'|[\w%#-]++))++[ \t]*+\|(?!\|)")
_SPAN = re.compile(r"(col|row)span[ \t]*=[ \t]*[\"']?(\d{1,3})")
_CODE = re.compile(r"<(syntaxhighlight|source|pre)\b[^>]*>")


def read(data: bytes, draft: Draft) -> None:
    """Comments and links to categories and languages are left out; notes stand behind the text."""
    text, notes = _without_notes(_COMMENT.sub("", clean(draft.decode(data))))
    read_lines(text, draft, _line)
    for number, note in enumerate(notes, start=1):
        draft.paragraph(f"[{number}] {_plain(note)}")


def _without_notes(text: str) -> tuple[str, list[str]]:
    """The text with a number for each of its notes, and these."""
    kept: list[str] = []
    notes: list[str] = []
    at, last = 0, text.rfind(_CLOSED)
    while found := _OPENED.search(text, at):
        kept.append(text[at : found.start()])
        at = found.end()
        if not found[0].endswith("/>") and at <= last:
            end = text.find(_CLOSED, at)
            notes.append(text[at:end])
            kept.append(f"[{len(notes)}]")
            at = end + len(_CLOSED)
    return "".join([*kept, text[at:]]), notes


def _plain(text: str) -> str:
    text = _LINK.sub(lambda found: found[1] or found[2] or "", _BESIDE.sub("", text))
    return one_line(_QUOTES.sub("", text))


def _line(line: str, lines: Iterator[str], writer: MarkupWriter) -> None:
    if (found := _HEADING.fullmatch(line.rstrip())) and found[2].endswith(found[1]):
        writer.heading(_plain(found[2].removesuffix(found[1])), len(found[1]))
    elif line.lstrip().startswith("{|"):
        writer.flush()
        _table(lines_until(lines, lambda other: other.lstrip().startswith("|}")), writer)
    elif found := _CODE.match(line):
        end = f"</{found[1]}>"
        first = line[found.end() :]
        rest = [] if end in first else lines_until(lines, lambda other: end in other)
        writer.code([first.partition(end)[0], *rest])
    elif found := _ITEM.fullmatch(line):
        signs, text = found[1], _plain(found[2])
        if signs[-1] in ":;":
            writer.term(text, "", len(signs) - (signs[-1] == ";"))
        else:
            writer.item(text, BULLET if signs[-1] == "*" else "", len(signs) - 1)
    else:
        writer.line(_plain(line))


def _table(lines: Sequence[str], writer: MarkupWriter) -> None:
    rows: list[list[Cell]] = []
    named: list[bool] = []
    for line in map(str.strip, lines):
        if line.startswith("|+"):
            writer.caption(_cell(line[2:]).text)
        elif line.startswith("|-"):
            rows.append([])
            named.append(True)
        elif line[:1] in ("|", "!"):
            if not rows:
                rows.append([])
                named.append(True)
            named[-1] = named[-1] and line[0] == "!"
            apart = re.split(r"\|\||!!", line[1:]) if line[0] == "!" else line[1:].split("||")
            rows[-1] += map(_cell, apart)
        elif not (rows and rows[-1]):
            writer.line(line)
        elif line:
            cell = rows[-1][-1]
            rows[-1][-1] = Cell(f"{cell.text} {_plain(line)}".strip(), cell.columns, cell.rows)
    filled = [(row, names) for row, names in zip(rows, named, strict=True) if row]
    heads = next((number for number, (_, names) in enumerate(filled) if not names), len(filled))
    writer.table([row for row, _ in filled], heads or None)


def _cell(text: str) -> Cell:
    found = _ATTRIBUTES.match(text)
    spans = dict(_SPAN.findall(found[0])) if found else {}
    plain = _plain(text[found.end() :] if found else text)
    return Cell(plain, max(int(spans.get("col", 1)), 1), max(int(spans.get("row", 1)), 1))
