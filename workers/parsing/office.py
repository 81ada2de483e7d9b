"""Owns Word documents: read as a stream of XML, so that memory does not grow with the number of paragraphs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.draft import Draft, count
from embedmill.workers.parsing.xml import Element, attribute, forget, local_name, parse_xml, stream_xml

DOCUMENT = "word/document.xml"
STYLES = "word/styles.xml"
CORE = "docProps/core.xml"
NOTES = ("word/footnotes.xml", "word/endnotes.xml")
RUNNING = ("word/header", "word/footer")
COMMENTS = "word/comments.xml"
LEFT_OUT = (("word/charts/chart", "chart"), ("word/diagrams/data", "diagram"), ("word/embeddings/", "embedded file"))

_CODE_STYLES = frozenset({"source code", "html preformatted", "code", "preformatted text", "macro"})
_STYLE_CHAIN = 20
_SPACES = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"}


@dataclass(frozen=True, slots=True)
class _Style:
    """What a paragraph style means: `level` 0 is no heading."""

    name: str
    level: int
    parent: str


def read(data: bytes, draft: Draft) -> None:
    """Paragraphs, headings, lists and tables of the body, then foot- and endnotes; headers and footers are left out."""
    archive = Archive(data, draft.limits)
    draft.title = core_title(archive)
    styles = _read_styles(archive)
    for part in (DOCUMENT, *(note for note in NOTES if note in archive)):
        with archive.open(part) as stream:
            _Body(draft, styles).read(stream_xml(stream))
    _note_what_is_left_out(archive, draft)


def _note_what_is_left_out(archive: Archive, draft: Draft) -> None:
    note_parts(archive, LEFT_OUT, draft)
    if COMMENTS in archive and (comments := len(list(parse_xml(archive.read(COMMENTS)).iterfind("{*}comment")))):
        draft.note(f"{count(comments, 'comment')} left out")
    # A page's number is no loss; words are.
    running = [part for part in archive.names if part.startswith(RUNNING) and part.endswith(".xml")]
    if any(_has_letters(parse_xml(archive.read(part))) for part in running):
        draft.note("headers and footers were left out")


def note_parts(archive: Archive, kinds: Iterable[tuple[str, str]], draft: Draft) -> None:
    """Notes how many parts of an office file are of kinds that are not read; a kind is a prefix and a noun."""
    for prefix, thing in kinds:
        if found := archive.count(prefix):
            draft.note(f"{count(found, thing)} left out")


def _has_letters(root: Element) -> bool:
    return any(character.isalpha() for character in paragraph_text(root))


def core_title(archive: Archive) -> str:
    """The title in an office package's properties."""
    if CORE not in archive:
        return ""
    return parse_xml(archive.read(CORE)).findtext("{http://purl.org/dc/elements/1.1/}title") or ""


def _read_styles(archive: Archive) -> dict[str, _Style]:
    if STYLES not in archive:
        return {}
    root = parse_xml(archive.read(STYLES))
    return {attribute(style, "styleId"): _read_style(style) for style in root.iterfind("{*}style")}


def _read_style(style: Element) -> _Style:
    name = _child_value(style, "{*}name").lower()
    outline = _child_value(style, "{*}pPr/{*}outlineLvl")
    return _Style(name, _heading_level(name, outline), _child_value(style, "{*}basedOn"))


def _child_value(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else attribute(found, "val")


def _heading_level(name: str, outline: str) -> int:
    """Outline levels count from 0; 9 is body text."""
    if outline.isdecimal():
        return int(outline) + 1 if int(outline) < 9 else 0
    if name == "title":
        return 1
    word, _, number = name.partition(" ")
    return int(number) if word == "heading" and number.isdecimal() else 0


class _Body:
    """Follows the stream of one part: where it stands in tables and fallbacks decides what a paragraph becomes."""

    def __init__(self, draft: Draft, styles: dict[str, _Style]) -> None:
        self._draft = draft
        self._styles = styles
        self._rows = 0
        self._fallbacks = 0
        self._table = draft.table()

    def read(self, events: Iterator[tuple[str, Element]]) -> None:
        for event, element in events:
            match local_name(element):
                case "Fallback":
                    self._step_fallback(event, element)
                case "tbl" if event == "start" and not self._rows:
                    self._table = self._draft.table()
                case "tr":
                    self._step_row(event, element)
                case "p" if event == "end" and not self._rows and not self._fallbacks:
                    self._add_paragraph(element)
                    forget(element)

    def _step_fallback(self, event: str, element: Element) -> None:
        """A fallback repeats, for old programs, what the choice before it says."""
        self._fallbacks += 1 if event == "start" else -1
        if event == "end":
            element.clear()

    def _step_row(self, event: str, element: Element) -> None:
        self._rows += 1 if event == "start" else -1
        if event == "end" and not self._rows:
            cells = [_cell_text(cell) for cell in element.iter("{*}tc") if _row_of(cell) is element]
            add = self._table.row if element.find("{*}trPr/{*}tblHeader") is None else self._table.head
            add(cells)
            forget(element)

    def _add_paragraph(self, element: Element) -> None:
        text = paragraph_text(element)
        style = self._styles.get(_child_value(element, "{*}pPr/{*}pStyle"), _Style("", 0, ""))
        own = _child_value(element, "{*}pPr/{*}outlineLvl")
        if level := _heading_level("", own) or self._inherited_level(style):
            self._draft.heading(text, level=level)
        elif style.name in _CODE_STYLES:
            self._draft.code(text)
        elif style.name.startswith("list") or element.find("{*}pPr/{*}numPr") is not None:
            self._draft.list_item(text)
        else:
            self._draft.paragraph(text)

    def _inherited_level(self, style: _Style) -> int:
        for _ in range(_STYLE_CHAIN):
            if style.level or style.parent not in self._styles:
                return style.level
            style = self._styles[style.parent]
        return 0


def paragraph_text(element: Element) -> str:
    """The text of a Word or drawing paragraph; deleted text and field codes have tags of their own."""
    return "".join(_pieces(element))


def _pieces(element: Element) -> Iterator[str]:
    for node in element.iter():
        name = local_name(node)
        if name == "t":
            yield node.text or ""
        elif name in _SPACES and local_name(node.getparent()) in {"r", "p"}:  # type: ignore[arg-type]
            yield _SPACES[name]


def _cell_text(cell: Element) -> str:
    return " ".join(filter(None, (paragraph_text(paragraph) for paragraph in cell.iter("{*}p"))))


def _row_of(cell: Element) -> Element | None:
    return next(cell.iterancestors("{*}tr"), None)
