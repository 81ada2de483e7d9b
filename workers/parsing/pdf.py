"""Owns PDF: pdfium's text, its lines joined into paragraphs, with the outline's entries as headings."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from embedmill.shared.errors import EncryptedDocument, UnreadableDocument
from embedmill.workers.parsing.draft import Draft, clean, ranges

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

OUTLINE_ENTRIES = 20_000
SHORT_LINE = 0.8
HEADING_LINES = 3

_WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD in fpdfview.h
_LINE_HYPHEN = re.compile("[\ufffe\x02]\r?\n?")
_ENDS_SENTENCE = re.compile(r"[.!?:;\u3002\uff01\uff1f]['\")\]\u201d\u2019]*$")
_STARTS_ITEM = re.compile(r"(?:[\u2022\u2023\u25aa\u25cf\u25e6\u2013*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
_NOT_WORD = re.compile(r"[\W_]+")

Outline = dict[int, dict[str, int]]


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when pdfium asks for a password; an owner's password alone does not stop reading."""
    with closing(_open(data)) as document:
        draft.title = document.get_metadata_value("Title")
        outline = _outline(document)
        damaged: list[int] = []
        silent: list[int] = []
        for page in range(len(document)):
            before = draft.chars
            if not _read_page(document, page, draft, outline.get(page, {})):
                damaged.append(page + 1)
            elif draft.chars == before:
                silent.append(page + 1)
        for pages, what in ((silent, "hold no text"), (damaged, "could not be read")):
            if pages:
                draft.note(f"{len(pages)} of {len(document)} pages {what}: {ranges(pages)}")
        _note_what_is_beside_the_pages(document, draft)


def _open(data: bytes) -> "PdfDocument":
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        return PdfDocument(data)
    except PdfiumError as error:
        if error.err_code == _WRONG_PASSWORD:
            raise EncryptedDocument("the PDF is encrypted and asks for a password") from None
        raise UnreadableDocument("the PDF is damaged or cut short") from None


def _outline(document: "PdfDocument") -> Outline:
    """Page index to {folded title: level}; a damaged outline costs only its headings."""
    from pypdfium2 import PdfiumError

    outline: Outline = {}
    try:
        for count, entry in enumerate(document.get_toc(max_depth=6)):
            destination = entry.get_dest()
            if destination is not None and (page := destination.get_index()) is not None and count < OUTLINE_ENTRIES:
                outline.setdefault(page, {})[_folded(entry.get_title())] = entry.level + 1
    except (PdfiumError, UnicodeDecodeError, ValueError):
        return outline
    return outline


def _note_what_is_beside_the_pages(document: "PdfDocument", draft: Draft) -> None:
    """Values of form fields and attached files are no text of a page."""
    from pypdfium2 import PdfiumError
    from pypdfium2.raw import FORMTYPE_NONE

    if document.get_formtype() != FORMTYPE_NONE:
        draft.note("what is filled into its form was left out")
    for number in range(min(document.count_attachments(), draft.limits.attachments)):
        try:
            name = document.get_attachment(number).get_name()
        except (PdfiumError, UnicodeDecodeError):
            name = f"number {number + 1}"
        draft.note(f"attachment left out: {name}")


def _read_page(document: "PdfDocument", index: int, draft: Draft, headings: dict[str, int]) -> bool:
    """Whether the page could be read."""
    text = _page_text(document, index)
    if text is None:
        return False
    for level, paragraph in _paragraphs(_lines(text), headings):
        if level:
            draft.heading(paragraph, level=level, page=index + 1)
        else:
            draft.paragraph(paragraph, page=index + 1)
    return True


def _page_text(document: "PdfDocument", index: int) -> str | None:
    """What lies within the page's visible box; a spread cut into pages carries its other half outside."""
    from pypdfium2 import PdfiumError

    try:
        with closing(document[index]) as page, closing(page.get_textpage()) as text_page:
            return str(text_page.get_text_bounded())
    except PdfiumError:
        return None


def _lines(text: str) -> list[str]:
    """A hyphen at a line's end comes as U+FFFE or U+0002 from pdfium: the word goes on in the next line."""
    return [line.strip() for line in clean(_LINE_HYPHEN.sub("", text)).split("\n")]


def _paragraphs(lines: list[str], headings: dict[str, int]) -> Iterator[tuple[int, str]]:
    """(heading level or 0, text): a paragraph ends at an empty line, a heading, or a short last line."""
    full = _full_width(lines)
    pending: list[str] = []
    position = 0
    while position < len(lines):
        level, taken = _heading_at(lines, position, headings)
        if pending and (level or not lines[position] or _STARTS_ITEM.match(lines[position])):
            yield 0, " ".join(pending)
            pending = []
        if level:
            yield level, " ".join(lines[position : position + taken])
        elif lines[position]:
            pending.append(lines[position])
            if _ends_paragraph(lines[position], full):
                yield 0, " ".join(pending)
                pending = []
        position += taken
    if pending:
        yield 0, " ".join(pending)


def _heading_at(lines: list[str], position: int, headings: dict[str, int]) -> tuple[int, int]:
    """The level of the outline's entry that starts here, 0 for none, and the number of lines it takes.

    A page number above a heading folds to nothing and must not be taken into it.
    """
    if not headings or not _folded(lines[position]):
        return 0, 1
    for taken in range(1, HEADING_LINES + 1):
        level = headings.get(_folded(" ".join(lines[position : position + taken])), 0)
        if level:
            return level, taken
    return 0, 1


def _ends_paragraph(line: str, full: int) -> bool:
    return len(line) < SHORT_LINE * full and _ENDS_SENTENCE.search(line) is not None


def _full_width(lines: list[str]) -> int:
    """The length that lines of running text reach: the upper quartile."""
    lengths = sorted(len(line) for line in lines if line)
    return lengths[len(lengths) * 3 // 4] if lengths else 0


def _folded(text: str) -> str:
    """Letters and digits only; a section's number stands on the page but often not in the outline."""
    return _NOT_WORD.sub("", text).casefold().lstrip("0123456789")
