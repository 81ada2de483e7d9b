"""Other opinions of what stands in a file: extractors that share no code with our parsers, for `bench fidelity`.

Each gives words in their order, the rows of tables and the headings, as far as it knows of any; None where its program
or library is missing, or fails.
"""

import csv
import email
import io
import json
import re
import shutil
import subprocess
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import policy
from html.parser import HTMLParser

_WORD = re.compile(r"\w+")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3})")
_SPACED = re.compile(r"\b[^\W\d_](?: [^\W\d_]\b){2,}")
_TAG = re.compile(rb"<[^>]+>")
_RAW_PARTS = re.compile(r"(?:word/(?:document|footnotes|endnotes)|ppt/slides/slide\d+|content)\.xml")
_ASIDE = re.compile(r"(?:^|[ _-])nav(?:$|[ _-]|igation|header|footer|bar)|footer|breadcrumb|headerlink")
RUNNING = 3
"""Pages that have a line at one edge, from which on it is a running one."""
_VOID = {"br", "hr", "img", "input", "link", "meta", "area", "col", "wbr"}
_SILENT = {"script", "style", "title", "noscript", "template"}
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$", re.MULTILINE)


def words_of(text: str) -> list[str]:
    """The words by which texts are compared: `12,553` is a number, `t h e i r` a word, an accent its letter's."""
    text = unicodedata.normalize("NFC", text.casefold())
    return _WORD.findall(_SPACED.sub(lambda found: found[0].replace(" ", ""), _GROUPED.sub("", text)))


@dataclass(frozen=True, slots=True)
class Reference:
    """What an extractor found."""

    words: list[str]
    rows: list[list[str]] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)


Extractor = Callable[[bytes], Reference | None]


def _reference(text: str, rows: list[str] | None = None, headings: list[str] | None = None) -> Reference:
    counted = [words_of(row) for row in rows or ()]
    titles = [" ".join(words_of(heading)) for heading in headings or ()]
    return Reference(words_of(text), [row for row in counted if row], [title for title in titles if title])


def _pdftotext(data: bytes) -> Reference | None:
    """Words by poppler, headings from the outline."""
    text = _by_poppler(data)
    return None if text is None else _reference(text, headings=_outline(data))


def _pdftotext_without_running_lines(data: bytes) -> Reference | None:
    """The same without the first and the last line of pages, where three pages have them, but for their numbers."""
    text = _by_poppler(data)
    if text is None:
        return None
    pages = [[line for line in page.splitlines() if line.strip()] for page in text.split("\f")]
    edges = Counter(edge for page in pages for edge in {_folded(line) for line in (*page[:1], *page[-1:])})
    kept = [
        line
        for page in pages
        for place, line in enumerate(page)
        if 0 < place < len(page) - 1 or edges[_folded(line)] < RUNNING
    ]
    return _reference("\n".join(kept), headings=_outline(data))


def _folded(line: str) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "0", line.strip())


def _by_poppler(data: bytes) -> str | None:
    if (program := shutil.which("pdftotext")) is None:
        return None
    run = subprocess.run([program, "-q", "-enc", "UTF-8", "-", "-"], input=data, capture_output=True, check=True)
    return run.stdout.decode("utf-8", "replace")


def _outline(data: bytes) -> list[str]:
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PdfDocument(data) as document:
            return [entry.get_title() for entry in document.get_toc(max_depth=6)]
    except (PdfiumError, UnicodeDecodeError, ValueError):
        return []


def _python_docx(data: bytes) -> Reference | None:
    from docx import Document
    from docx.table import Table

    document = Document(io.BytesIO(data))
    parts: list[str] = []
    rows: list[str] = []
    headings: list[str] = []
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            rows += [" ".join(cell.text for cell in row.cells) for row in item.rows]
            parts += rows[-len(item.rows) :] if len(item.rows) else []
            continue
        parts.append(item.text)
        if item.style is not None and (item.style.name or "").startswith("Heading"):
            headings.append(item.text)
    return _reference("\n".join(parts), rows, headings)


def _python_pptx(data: bytes) -> Reference | None:
    from pptx import Presentation

    parts: list[str] = []
    rows: list[str] = []
    headings: list[str] = []
    for slide in Presentation(io.BytesIO(data)).slides:
        if (title := slide.shapes.title) is not None:
            headings.append(title.text)
        for shape in slide.shapes:
            if shape.has_text_frame:
                parts.append(shape.text_frame.text)
            if shape.has_table:
                found = [" ".join(cell.text for cell in row.cells) for row in shape.table.rows]
                rows += found
                parts += found
        if slide.has_notes_slide:
            parts.append(slide.notes_slide.notes_text_frame.text)
    return _reference("\n".join(parts), rows, headings)


def _raw_xml(data: bytes) -> Reference | None:
    """All text of the parts that hold it, paragraphs apart, tags out."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = sorted((name for name in archive.namelist() if _RAW_PARTS.fullmatch(name)), key=lambda n: (len(n), n))
        source = b"\n".join(archive.read(name) for name in names)
    broken = re.sub(
        rb"</(?:w:p|a:p|text:p|text:h)>|<(?:w:br|w:tab|text:tab|text:s|text:line-break)\b", rb"\n\g<0>", source
    )
    return _reference(_unescaped(_TAG.sub(b"", broken).decode("utf-8", "replace")))


def _unescaped(text: str) -> str:
    from html import unescape

    return unescape(text)


def _sheets(data: bytes) -> Reference | None:
    """The cells of a workbook as they are stored, sheet by sheet."""
    return _workbook(data, [])


def _sheets_as_shown(data: bytes) -> Reference | None:
    """Numbers with the decimals, in percent and with the sign for zero that their formats ask for."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        styles = archive.read("xl/styles.xml").decode("utf-8", "replace")
    own = dict(re.findall(r'<numFmt numFmtId="(\d+)" formatCode="([^"]*)"', styles))
    known = {"1": "0", "2": "0.00", "3": "#,##0", "4": "#,##0.00", "9": "0%", "10": "0.00%"} | own
    cells = re.search(r"<cellXfs.*?</cellXfs>", styles, re.DOTALL)
    return _workbook(
        data, [known.get(number, "") for number in re.findall(r'numFmtId="(\d+)"', cells[0])] if cells else []
    )


def _workbook(data: bytes, formats: list[str]) -> Reference:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)]
        strings = archive.read("xl/sharedStrings.xml") if "xl/sharedStrings.xml" in archive.namelist() else b""
        sheets = [archive.read(name) for name in sorted(names, key=lambda name: (len(name), name))]
    shared = [_plain(text) for text in re.findall(rb"<si>(.*?)</si>", strings, re.DOTALL)]
    rows = [
        _cells(row, shared, formats) for sheet in sheets for row in re.findall(rb"<row\b.*?</row>", sheet, re.DOTALL)
    ]
    text = "\n".join(" ".join(row) for row in rows)
    return _reference(text, [" ".join(row) for row in rows if len(row) > 1])


def _cells(row: bytes, shared: list[str], formats: list[str]) -> list[str]:
    cells = re.findall(rb"<c\b([^>]*[^/>])>(?:(?!</c>).)*?<(?:v|t)\b[^>]*>([^<]*)</", row, re.DOTALL)
    return [
        shared[int(value)] if b't="s"' in kind else _as_shown(_plain(value), _format(kind, formats))
        for kind, value in cells
    ]


def _format(attributes: bytes, formats: list[str]) -> str:
    found = re.search(rb'\bs="(\d+)"', attributes)
    number = int(found[1]) if found else len(formats)
    return formats[number] if number < len(formats) else ""


def _as_shown(value: str, code: str) -> str:
    sections = re.sub(r'"[^"]*"|\\.|_.', "", _unescaped(code)).split(";")
    if not re.search("[0#]", code) or not re.fullmatch(r"-?[\d.]+(?:[eE][-+]?\d+)?", value):
        return value
    number = float(value)
    if number == 0 and len(sections) > 2 and not re.search("[0#]", sections[2]):
        return ""
    scaled = abs(number) * (100 if "%" in sections[0] else 1)
    decimals = re.search(r"\.([0#]+)", sections[0])
    return f"{scaled:.{len(decimals[1]) if decimals else 0}f}"


def _plain(source: bytes) -> str:
    return _unescaped(_TAG.sub(b"", source).decode("utf-8", "replace"))


class _ReferencePage(HTMLParser):
    """Text, rows and headings of a page, without what calls itself navigation or a footer.

    A row of which one cell has words arranges a page, as boxes around notes do, and is none of a table.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.rows: list[str] = []
        self.headings: list[str] = []
        self._silent = 0
        self._aside, self._depth = "", 0
        self._marks: list[tuple[str, int]] = []
        self._cells: list[list[int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = " ".join(value or "" for name, value in attrs if name in {"class", "id", "role"})
        if tag == self._aside or (not self._aside and (tag in {"nav", "footer"} or _ASIDE.search(names))):
            self._aside, self._depth = tag, self._depth + (tag not in _VOID)
        self._silent += tag in _SILENT
        self.parts.append(" " if tag not in {"b", "i", "em", "strong", "span", "a", "code", "sub", "sup"} else "")
        if tag == "tr" or re.fullmatch("h[1-6]", tag):
            self._marks.append((tag, len(self.parts)))
            self._cells += [[]] if tag == "tr" else []
        if tag in {"td", "th"} and self._cells:
            self._cells[-1].append(len(self.parts))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        if tag == self._aside:
            self._depth -= 1
        if not self._depth:
            self._aside = ""
        if self._marks and self._marks[-1][0] == tag:
            text = "".join(self.parts[self._marks.pop()[1] :])
            if tag != "tr":
                self.headings.append(text)
            elif self._has_cells(self._cells.pop()):
                self.rows.append(text)

    def _has_cells(self, begins: list[int]) -> bool:
        ends = [*begins[1:], len(self.parts)]
        return sum(bool("".join(self.parts[slice(*span)]).strip()) for span in zip(begins, ends, strict=True)) > 1

    def handle_data(self, data: str) -> None:
        if not self._silent and not self._aside:
            self.parts.append(data)


def _html(data: bytes) -> Reference | None:
    page = _ReferencePage()
    page.feed(data.decode("utf-8", "replace"))
    return _reference("".join(page.parts), page.rows, page.headings)


def _markdown(data: bytes) -> Reference | None:
    """The source itself: marks are no words."""
    text = data.decode("utf-8", "replace")
    rows = [line for line in text.splitlines() if line.startswith("|") and not re.fullmatch(r"[|:\s-]+", line)]
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return _reference(text, rows, [match[2] for match in _HEADING.finditer(outside)])


def _source(data: bytes) -> Reference | None:
    return _reference(data.decode("utf-8", "replace"))


def _separated(data: bytes) -> Reference | None:
    text = data.decode("utf-8", "replace")
    return _reference(text, [" ".join(row) for row in csv.reader(io.StringIO(text))])


def _values(data: bytes) -> Reference | None:
    try:
        return _reference("\n".join(_strings(json.loads(data))))
    except ValueError:
        return _source(data)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _mail(data: bytes) -> Reference | None:
    """The plain body as the standard library has it."""
    body = email.message_from_bytes(data, policy=policy.default).get_body(preferencelist=("plain", "html"))
    if body is None:
        return None
    try:
        content = str(body.get_content())
    except (LookupError, KeyError):
        return None
    return _html(content.encode()) if body.get_content_type() == "text/html" else _reference(content)


def _safely(extractor: Extractor) -> Extractor:
    def extract(data: bytes) -> Reference | None:
        try:
            return extractor(data)
        # A reference that fails has no opinion; its errors are no finding about us.
        except Exception:  # noqa: BLE001
            return None

    return extract


_BY_SUFFIX: dict[str, tuple[Extractor, ...]] = {
    ".csv": (_separated,),
    ".docx": (_python_docx, _raw_xml),
    ".eml": (_mail,),
    ".htm": (_html,),
    ".html": (_html,),
    ".json": (_values, _source),
    ".md": (_markdown,),
    ".odt": (_raw_xml,),
    ".pdf": (_pdftotext, _pdftotext_without_running_lines),
    ".pptx": (_python_pptx, _raw_xml),
    ".txt": (_source,),
    ".xlsx": (_sheets, _sheets_as_shown),
}
REFERENCES = {suffix: tuple(map(_safely, extractors)) for suffix, extractors in _BY_SUFFIX.items()}
"""Extractors by the ending of a file's name."""
