"""Reads a PDF: pdfium's text, its lines joined into paragraphs, with the outline's entries as headings."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from embedmill.shared.errors import EncryptedDocument, UnreadableDocument
from embedmill.workers.parsing.draft import Draft, clean, ranges
from embedmill.workers.parsing.pdf.annotations import Comment, Field, read_annotations
from embedmill.workers.parsing.pdf.hyphens import Words

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

OUTLINE_ENTRIES = 20_000
SHORT_LINE = 0.8
HEADING_LINES = 3

_WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD in fpdfview.h
_LINE_HYPHEN = re.compile("\ufffe\n?")
_ENDS_SENTENCE = re.compile(r"[.!?:;\u3002\uff01\uff1f]['\")\]\u201d\u2019]*$")
_STARTS_ITEM = re.compile(r"(?:[\u2022\u2023\u25aa\u25cf\u25e6\u2013*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
_NOT_WORD = re.compile(r"[\W_]+")

Outline = dict[int, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Page:
    """What a page holds: its lines, and what is filled in or was commented on."""

    lines: list[str]
    annotations: tuple[Field | Comment, ...]

    @property
    def is_silent(self) -> bool:
        return not any(self.lines) and not self.annotations


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when pdfium asks for a password; an owner's password alone does not stop reading."""
    with closing(_open(data)) as document:
        draft.title = document.get_metadata_value("Title")
        document.init_forms()
        pages = [_read_page(document, index) for index in range(len(document))]
        _note_pages(pages, draft)
        _write(pages, _outline(document), draft)
        _note_what_is_beside_the_pages(document, draft)


def _note_pages(pages: Sequence[Page | None], draft: Draft) -> None:
    silent = [number for number, page in enumerate(pages, start=1) if page and page.is_silent]
    damaged = [number for number, page in enumerate(pages, start=1) if page is None]
    for numbers, what in ((silent, "hold no text"), (damaged, "could not be read")):
        if numbers:
            draft.note(f"{len(numbers)} of {len(pages)} pages {what}: {ranges(numbers)}")


def _write(pages: Sequence[Page | None], outline: Outline, draft: Draft) -> None:
    words = Words()
    for page in pages:
        for line in page.lines if page else ():
            words.see(line)
    for index, page in enumerate(pages):
        if page:
            _write_page(page, number=index + 1, headings=outline.get(index, {}), words=words, draft=draft)


def _write_page(page: Page, *, number: int, headings: dict[str, int], words: Words, draft: Draft) -> None:
    for level, paragraph in _paragraphs(page.lines, headings, words):
        if level:
            draft.heading(paragraph, level=level, page=number)
        else:
            draft.paragraph(paragraph, page=number)
    for annotation in page.annotations:
        draft.paragraph(_told(annotation), page=number)


def _told(annotation: Field | Comment) -> str:
    match annotation:
        case Field(name, value) if value.startswith("["):
            return f"{value} {name}"
        case Field(name, value):
            return f"{name}: {value}" if name else value
        case Comment(author, text):
            return f"Comment by {author}: {text}" if author else f"Comment: {text}"


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
    """An XFA form, which pdfium cannot read, and attached files."""
    from pypdfium2 import PdfiumError
    from pypdfium2.raw import FORMTYPE_XFA_FOREGROUND, FORMTYPE_XFA_FULL

    if document.get_formtype() in (FORMTYPE_XFA_FOREGROUND, FORMTYPE_XFA_FULL):
        draft.note("what its XFA form holds beside its pages was left out")
    for number in range(min(document.count_attachments(), draft.limits.attachments)):
        try:
            name = document.get_attachment(number).get_name()
        except (PdfiumError, UnicodeDecodeError):
            name = f"number {number + 1}"
        draft.note(f"attachment left out: {name}")


def _read_page(document: "PdfDocument", index: int) -> Page | None:
    """What lies within the page's visible box; a spread cut into pages carries its other half outside.

    None of a page that is damaged.
    """
    from pypdfium2 import PdfiumError

    try:
        with closing(document[index]) as page, closing(page.get_textpage()) as text_page:
            form = document.formenv.raw if document.formenv else None
            return Page(_lines(text_page.get_text_bounded()), tuple(read_annotations(form, page.raw)))
    except PdfiumError:
        return None


def _lines(text: str) -> list[str]:
    """A word that goes on in the next line comes from pdfium without a line's end behind its hyphen."""
    return [line.strip() for line in _LINE_HYPHEN.sub("\ufffe\n", clean(text.replace("\x02", "\ufffe"))).split("\n")]


def _paragraphs(lines: list[str], headings: dict[str, int], words: Words) -> Iterator[tuple[int, str]]:
    """(heading level or 0, text): a paragraph ends at an empty line, a heading, or a short last line."""
    full = _full_width(lines)
    pending: list[str] = []
    position = 0
    while position < len(lines):
        level, taken = _heading_at(lines, position, headings)
        if pending and (level or not lines[position] or _STARTS_ITEM.match(lines[position])):
            yield 0, reduce(words.join, pending)
            pending = []
        if level:
            yield level, " ".join(lines[position : position + taken])
        elif lines[position]:
            pending.append(lines[position])
            if _ends_paragraph(lines[position], full):
                yield 0, reduce(words.join, pending)
                pending = []
        position += taken
    if pending:
        yield 0, reduce(words.join, pending)


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
