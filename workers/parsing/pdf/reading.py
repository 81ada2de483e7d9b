"""Reads a PDF, all pages before any is told: what repeats, what is large and what is a word shows over all of them."""

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from embedmill.shared.errors import EncryptedDocument, ParserLimitExceeded, UnreadableDocument
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.pdf.aligned import carry_over, with_aligned_tables
from embedmill.workers.parsing.pdf.annotations import Comment
from embedmill.workers.parsing.pdf.cellwise import with_cellwise_rows
from embedmill.workers.parsing.pdf.columns import in_order
from embedmill.workers.parsing.pdf.columnwise import with_columnwise_rows
from embedmill.workers.parsing.pdf.counters import mark_counters
from embedmill.workers.parsing.pdf.fields import place_fields
from embedmill.workers.parsing.pdf.fonts import Fonts
from embedmill.workers.parsing.pdf.headings import body_size, find_headings
from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from embedmill.workers.parsing.pdf.initials import with_initials
from embedmill.workers.parsing.pdf.line_numbers import without_line_numbers
from embedmill.workers.parsing.pdf.lines import Line
from embedmill.workers.parsing.pdf.outline import read_outline
from embedmill.workers.parsing.pdf.pages import PdfPage, read_page
from embedmill.workers.parsing.pdf.ruled import with_ruled_tables
from embedmill.workers.parsing.pdf.running import drop_running_lines
from embedmill.workers.parsing.pdf.silent import read_silent_pages
from embedmill.workers.parsing.pdf.tables import Part
from embedmill.workers.parsing.pdf.tags import is_tagged
from embedmill.workers.parsing.pdf.turned_cells import with_turned_cells
from embedmill.workers.parsing.pdf.writing import PageWriter

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

TYPEWRITTEN = 0.8
"""Of a document's letters: with more in a fixed-width font, it is the document's own."""

MOST_SIGNATURES = 100

_WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD in fpdfview.h
_NAMELESS = "(anonymous)"  # the title that ReportLab gives to a document without one


def read(data: bytes, draft: Draft) -> None:
    """EncryptedDocument when pdfium asks for a password; an owner's password alone does not stop reading."""
    with closing(_open(data)) as document:
        title = document.get_metadata_value("Title")
        draft.title = "" if title == _NAMELESS else title
        document.init_forms()
        pages = _read_pages(document, draft)
        drop_running_lines(pages, body_size([line for page in pages if page for line in page.lines]))
        read_silent_pages(document, pages, draft)
        _write(document, pages, draft)
        _note_what_is_beside_the_pages(document, draft)


def _open(data: bytes) -> "PdfDocument":
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        return PdfDocument(data)
    except PdfiumError as error:
        if error.err_code == _WRONG_PASSWORD:
            raise EncryptedDocument("the PDF is encrypted and asks for a password") from None
        raise UnreadableDocument("the PDF is damaged or cut short") from None


def _read_pages(document: "PdfDocument", draft: Draft) -> list[PdfPage | None]:
    fonts, tagged, characters = Fonts(), is_tagged(document.raw), 0
    pages: list[PdfPage | None] = []
    for index in range(len(document)):
        page = read_page(document, index, fonts, tagged=tagged)
        pages.append(page)
        characters += sum(len(line.text) for line in page.lines) if page else 0
        if characters > draft.limits.output_chars:
            raise ParserLimitExceeded(
                f"it holds more than {draft.limits.output_chars:,} characters of text",
                setting="EMBEDMILL_PARSER_CHARACTERS",
            )
    return pages


def _write(document: "PdfDocument", pages: Sequence[PdfPage | None], draft: Draft) -> None:
    lines = [line for page in pages if page for line in page.lines]
    body = body_size([line for page in pages if page and not page.scanned for line in page.lines]) or body_size(lines)
    for page in pages:
        if page and page.scanned:
            _liken(page.lines, body)
    words = DocumentWords([line.text for page in pages if page for line in page.lines])
    for cell in (cell for line in lines for cell in line.cells if not cell.text.isascii()):
        cell.text = words.mended(cell.text)
    told = [_parts(page, words) if page else [] for page in pages]
    carry_over(told, words)
    headings = find_headings(told, read_outline(document), body)
    writer = PageWriter(draft, headings, words, code=not _is_typewritten(lines))
    for index, (page, parts) in enumerate(zip(pages, told, strict=True)):
        if page:
            writer.write(parts, index, page.box)
            for comment in page.comments:
                writer.paragraph(_told(comment))
    writer.close()


def _liken(lines: Sequence[Line], body: float) -> None:
    """Gives the text of a scanned page the size of the document's, by which headings are judged."""
    usual = body_size(lines)
    for line in lines:
        line.size *= body / usual


def _parts(page: PdfPage, words: DocumentWords) -> list[Part]:
    """A page in reading order, with its tables; text in other directions comes last."""
    lines = with_initials(without_line_numbers(with_turned_cells(page), page.drawings.level), words)
    lines = with_columnwise_rows(place_fields(lines, page.fields))
    parts = with_ruled_tables(in_order(lines, page.drawings.level), page.drawings, words)
    parts = with_cellwise_rows(parts, page.drawings.level, words)
    mark_counters(parts)
    parts = with_aligned_tables(parts, page.drawings.level, words)
    for turned in page.turned:
        parts += with_aligned_tables(in_order(turned, ()), (), words)
        for line in turned:
            line.alone = True
    return parts


def _is_typewritten(lines: Sequence[Line]) -> bool:
    """Whether a fixed-width font is the document's own, and no sign of code."""
    letters = [(len(line.text), line.fixed) for line in lines]
    return sum(count for count, fixed in letters if fixed) > TYPEWRITTEN * sum(count for count, _ in letters)


def _told(comment: Comment) -> str:
    return f"Comment by {comment.author}: {comment.text}" if comment.author else f"Comment: {comment.text}"


def _count_signatures(document: "PdfDocument") -> int:
    """Those that were given; a field that waits for one has no contents."""
    from pypdfium2 import raw

    places = range(min(raw.FPDF_GetSignatureCount(document.raw), MOST_SIGNATURES))
    fields = [raw.FPDF_GetSignatureObject(document.raw, place) for place in places]
    return sum(raw.FPDFSignatureObj_GetContents(field, None, 0) > 0 for field in fields)


def _note_what_is_beside_the_pages(document: "PdfDocument", draft: Draft) -> None:
    """An XFA form, which pdfium cannot read, digital signatures, whose names it does not tell, and attached files."""
    from pypdfium2 import PdfiumError
    from pypdfium2.raw import FORMTYPE_XFA_FOREGROUND, FORMTYPE_XFA_FULL

    if document.get_formtype() in (FORMTYPE_XFA_FOREGROUND, FORMTYPE_XFA_FULL):
        draft.note("what its XFA form holds beside its pages was left out")
    if signed := _count_signatures(document):
        draft.note(f"{signed} digital signature{'s' * (signed > 1)} left out")
    for number in range(min(document.count_attachments(), draft.limits.attachments)):
        try:
            name = document.get_attachment(number).get_name()
        except (PdfiumError, UnicodeDecodeError):
            name = f"number {number + 1}"
        draft.note(f"attachment left out: {name}")
