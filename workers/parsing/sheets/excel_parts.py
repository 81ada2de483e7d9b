"""Owns what a workbook's package says beside its values: formats, formulas, comments, and what is drawn on a sheet."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from html import escape, unescape

from embedmill.shared.errors import UnreadableDocument
from embedmill.workers.parsing.alternatives import spoken
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.charts import add_chart, drawn_text, read_chart
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.number_formats import telling
from embedmill.workers.parsing.package import PartRelation, parts_of_kind, read_embedded, relation_id, relations
from embedmill.workers.parsing.page_numbers import says_more
from embedmill.workers.parsing.scripts import SUB, SUPER, marked
from embedmill.workers.parsing.sheets.far_cells import column_number, draw_together
from embedmill.workers.parsing.sheets.far_records import Errors, Formats, RowFormats
from embedmill.workers.parsing.xml import Element, child_value, parse_xml

WORKBOOK = "xl/workbook.xml"
STYLES = "xl/styles.xml"
STRINGS = "xl/sharedStrings.xml"
EMPTY = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>'
STANDS_IN = "[Threaded comment]"
"""So begin comments for old programs, which repeat those of a thread."""

PIECE_BYTES = 1 << 20
_ROW_END = b"row>"

# Cells as every program writes them, the address before the style; of others the value is shown as it is. Those that
# are empty or texts have no format to show.
_STYLED = re.compile(rb'c r="([A-Z]{1,3})(\d{1,7})" s="(\d{1,6})"(?!/| t="(?:s|str|inlineStr)")')
_ERROR = re.compile(
    rb'c r="([A-Z]{1,3})(\d{1,7})"[^<>]*\st="e"[^<>]*>\s*(?:<(?:\w+:)?f\b[^>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*)?'
    rb"<(?:\w+:)?v>(#[^<]{1,30})<"
)
# A formula's end before that of its cell, or before an empty value.
_VALUELESS = tuple(
    re.compile(end + rb"\s*<(?:/(?:\w+:)?c>|(?:\w+:)?v\s*/>|(?:\w+:)?v>\s*<)") for end in (b"f>", rb'"\s*/>')
)
_FORMULA = re.compile(
    rb'<(?:\w+:)?c r="([A-Z]{1,3}\d{1,7})"([^>]*)>\s*<(?:\w+:)?f\b[^>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*'
    rb"(<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)

_ITEM = re.compile(rb"<si>.*?</si>", re.DOTALL)
_RUNNING = re.compile(rb"<(?:\w+:)?(?:odd|even|first)(?:Header|Footer)\b[^>]*>([^<]+)<")
# Where it stands, how it is set, and what a program fills in; `&&` is one sign.
_CODED = re.compile(r'&"[^"]*"|&K[0-9A-Fa-f]{6}|&K\d\d[+-]\d{3}|&\d{1,3}|&[A-Za-z&]')
_SCRIPTS = {"superscript": SUPER, "subscript": SUB}


class ExcelPackage:
    """The parts of one workbook."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._targets = relations(archive, WORKBOOK)
        self._near: dict[str, bytes | None] = {}

    def draw_together(self, data: bytes) -> bytes:
        """The workbook's bytes, with far cells nearer to the others; a sheet that stays too large is empty."""
        for part in self._parts.values():
            xml = self._archive.read(part)
            if (near := draw_together(xml)) is not xml:
                self._near[part] = near
        return self._archive.replace({part: near or EMPTY for part, near in self._near.items()}) if self._near else data

    def sheet(self, name: str) -> "SheetParts":
        """What belongs to a sheet; nothing where the package does not say."""
        part = self._parts.get(name)
        if part is None:
            return SheetParts()
        return SheetParts(self._archive, part, self._codes, self._authors, near=self._near.get(part))

    def add_embedded(self, draft: Draft) -> None:
        """Documents that lie on sheets, each as one of its own."""
        related = [relation for part in self._parts.values() for relation in relations(self._archive, part).values()]
        read_embedded(self._archive, parts_of_kind(self._archive, related, "package", "oleObject"), draft)

    @property
    def scattered(self) -> list[str]:
        """The names of sheets that were too large even so."""
        return [name for name, part in self._parts.items() if self._near.get(part, b"") is None]

    @cached_property
    def _parts(self) -> dict[str, str]:
        sheets = parse_xml(self._archive.read(WORKBOOK)).iterfind("{*}sheets/{*}sheet")
        found = {sheet.get("name", ""): self._targets.get(relation_id(sheet)) for sheet in sheets}
        return {name: target.part for name, target in found.items() if target and target.part in self._archive}

    @cached_property
    def _codes(self) -> Mapping[bytes, str]:
        """The format of each style that shows another text than the value's."""
        if STYLES not in self._archive:
            return {}
        root = parse_xml(self._archive.read(STYLES))
        own = {_format(found): found.get("formatCode", "") for found in root.iterfind("{*}numFmts/{*}numFmt")}
        known = telling(own)
        styles = map(_format, root.iterfind("{*}cellXfs/{*}xf"))
        return {b"%d" % number: known[format_] for number, format_ in enumerate(styles) if format_ in known}

    @cached_property
    def scripted(self) -> Mapping[str, str]:
        """Texts with their scripts apart from their bases, by the same texts as they are without."""
        if STRINGS not in self._archive or b"vertAlign" not in (xml := self._archive.read(STRINGS)):
            return {}
        found: dict[str, str] = {}
        for item in _strings_with_scripts(xml):
            pieces = [
                (_SCRIPTS.get(child_value(run, "{*}rPr/{*}vertAlign"), ""), run.findtext("{*}t") or "")
                for run in item.iterfind("{*}r")
            ]
            text = "".join(piece for _, piece in pieces)
            if f">{escape(text, quote=False)}<".encode() not in xml:
                found[text] = marked(pieces)
        return found

    @cached_property
    def _authors(self) -> Mapping[str, str]:
        parts = parts_of_kind(self._archive, self._targets.values(), "person")
        people = (person for part in parts for person in parse_xml(self._archive.read(part)).iterfind("{*}person"))
        return {person.get("id", ""): person.get("displayName", "") for person in people}


class SheetParts:
    """What belongs to one sheet; of a sheet that is in no package, nothing."""

    def __init__(
        self,
        archive: Archive | None = None,
        part: str = "",
        codes: Mapping[bytes, str] | None = None,
        authors: Mapping[str, str] | None = None,
        *,
        near: bytes | None = None,
        errors: Errors | None = None,
        formats: Sequence[RowFormats] = (),
    ) -> None:
        self._archive = archive
        self._errors = errors or {}
        self._formats = formats
        self._codes = codes or {}
        self._authors = authors or {}
        self._xml = archive.read(part) if archive else b""
        self._near = near or self._xml
        self._related: Sequence[PartRelation] = list(relations(archive, part).values()) if archive else []

    def formats(self) -> "FormatsByRow":
        """The formats of its cells, for rows in their order."""
        return FormatsByRow(self._styled() if self._codes else iter(self._formats))

    def _styled(self) -> Iterator[RowFormats]:
        """Rows, each with its formats by column."""
        codes = self._codes
        for begin, end in _pieces(self._near):
            rows: dict[bytes, dict[int, str]] = {}
            for letters, row, style in _STYLED.findall(self._near, begin, end):
                if style in codes:
                    rows.setdefault(row, {})[column_number(letters) - 1] = codes[style]
            for row, found in rows.items():
                yield int(row) - 1, found

    def errors(self) -> Errors:
        """What stands in cells whose formula failed, such as `#DIV/0!`, by row and column."""
        if b't="e"' not in self._near:
            return self._errors
        found: dict[int, dict[int, str]] = {}
        for letters, row, text in _ERROR.findall(self._near):
            found.setdefault(int(row) - 1, {})[column_number(letters) - 1] = text.decode("utf-8", "replace")
        return found

    def unvalued(self) -> list[str]:
        """The addresses of formulas whose value no program has stored."""
        if not (b"<f" in self._xml or b":f" in self._xml) or not any(end.search(self._xml) for end in _VALUELESS):
            return []
        found = (match.groups() for match in _FORMULA.finditer(self._xml))
        return [address.decode() for address, more, value in found if not value or b't="str"' not in more]

    def comments(self) -> Iterator[tuple[str, str, str]]:
        """(cell, author, text), those of threads in their order."""
        for root in self._roots("threadedComment"):
            for comment in root.iterfind("{*}threadedComment"):
                author = self._authors.get(comment.get("personId", ""), "")
                yield comment.get("ref", ""), author, comment.findtext("{*}text") or ""
        for root in self._roots("comments"):
            names = [author.text or "" for author in root.iterfind("{*}authors/{*}author")]
            for comment in root.iterfind("{*}commentList/{*}comment"):
                text = "".join(found.text or "" for found in comment.iter("{*}t"))
                number = comment.get("authorId", "")
                author = names[int(number)] if number.isdecimal() and int(number) < len(names) else ""
                if not text.startswith(STANDS_IN):
                    yield comment.get("ref", ""), author, text.removeprefix(f"{author}:")

    def add_drawings(self, draft: Draft) -> None:
        """Charts as the tables that they draw, the words of shapes, and those that stand for pictures."""
        if self._archive is None:
            return
        for part in parts_of_kind(self._archive, self._related, "drawing"):
            for shape in parse_xml(self._archive.read(part)).iter("{*}sp", "{*}pic"):
                for body in shape.iterfind("{*}txBody"):
                    draft.paragraph(drawn_text(body))
                for named in shape.iterfind("*/{*}cNvPr"):
                    draft.caption(spoken(named.get("descr", "")))
            drawn = relations(self._archive, part).values()
            for chart in parts_of_kind(self._archive, drawn, "chart", "chartEx"):
                add_chart(read_chart(parse_xml(self._archive.read(chart))), draft)

    def running(self) -> Iterator[str]:
        """The words of its header and footer, each once; numbers of pages, dates and names of files are none."""
        begin = self._xml.rfind(b"headerFooter>", 0, self._xml.rfind(b"headerFooter>"))
        if begin < 0:
            return
        found = _RUNNING.findall(self._xml, begin)
        texts = (_CODED.sub(_sign, unescape(text.decode("utf-8", "replace"))) for text in found)
        for text in dict.fromkeys(" ".join(text.split()) for text in texts):
            if says_more(text):
                yield text

    def _roots(self, kind: str) -> Iterator[Element]:
        if self._archive is not None:
            for part in parts_of_kind(self._archive, self._related, kind):
                yield parse_xml(self._archive.read(part))


def _format(element: Element) -> int:
    """The number of the format that it names or defines; that of the general one where it names none."""
    number = element.get("numFmtId", "")
    return int(number) if number.isdecimal() else 0


def _sign(code: re.Match[str]) -> str:
    return "&" if code[0] == "&&" else " "


def _strings_with_scripts(xml: bytes) -> Iterator[Element]:
    """Few of a workbook's strings have any: the others need no tree."""
    items = b"".join(item for item in _ITEM.findall(xml) if b"vertAlign" in item)
    with suppress(UnreadableDocument):
        if items:
            return parse_xml(b"<sst>" + items + b"</sst>").iterfind("{*}si")
    return parse_xml(xml).iterfind("{*}si")


def _pieces(xml: bytes) -> Iterator[tuple[int, int]]:
    """Where pieces of a sheet begin and end, between two rows: what is found in one at a time stays small."""
    begin = 0
    while begin < len(xml):
        end = xml.find(_ROW_END, begin + PIECE_BYTES)
        end = len(xml) if end < 0 else end + len(_ROW_END)
        yield begin, end
        begin = end


class FormatsByRow:
    """Formats as they come, handed out row by row."""

    def __init__(self, rows: Iterator[RowFormats]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def of_row(self, number: int) -> Formats:
        """By column; rows are asked for in their order."""
        while self._next is not None and self._next[0] < number:
            self._next = next(self._rows, None)
        return self._next[1] if self._next is not None and self._next[0] == number else {}
