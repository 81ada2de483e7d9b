"""Owns pages whose text is missing or says nothing: they are read from their picture if that is wanted, and noted."""

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from embedmill.shared.errors import NoText
from embedmill.workers.parsing.draft import Draft, ranges
from embedmill.workers.parsing.pdf.ocr import UNSURE, Ocr, OcrFailed
from embedmill.workers.parsing.pdf.pages import PdfPage
from embedmill.workers.parsing.pdf.running import MARGIN

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

SMALLEST_PICTURE = 0.05
"""Of a page: text that a smaller picture may hold is not worth reading."""
SCAN = 0.3
"""Of a page: a picture that is no smaller may be of a page."""
WHOLE = 0.85
"""Of a page: a picture that is no smaller is one of the page."""
STAMP = 8
"""Words that a scanner or an archive puts into the margin, at the most."""
MANY_PATHS = 200
"""Letters that are drawn as outlines are at least so many on a page."""

OFF = "OCR is off: EMBEDMILL_OCR=auto reads such pages from their picture, with the program tesseract"


def read_silent_pages(document: "PdfDocument", pages: Sequence[PdfPage | None], draft: Draft) -> None:
    """Puts what OCR reads into the pages that want it, and notes which pages hold no text, or none that can be read.

    NoText, with the reason, where OCR is on and failed, and no page has any.
    """
    wanting = [index for index, page in enumerate(pages) if page and _wants_ocr(page)]
    notes = _read(document, pages, wanting, draft) if wanting else []
    if notes and draft.limits.ocr_pages and all(page is None or _is_silent(page) for page in pages):
        raise NoText(f"it was read and holds no text: {notes[-1]}")
    _note(draft, pages, "hold no text", [page is not None and _is_silent(page) for page in pages])
    _note(draft, pages, "hold text that cannot be read", [page is not None and page.garbled for page in pages])
    _note(draft, pages, "could not be read", [page is None for page in pages])
    for note in notes:
        draft.note(note)


def _wants_ocr(page: PdfPage) -> bool:
    shows = page.drawings.picture >= SMALLEST_PICTURE or page.drawings.paths >= MANY_PATHS
    return page.garbled or (_is_silent(page) and shows)


def _is_silent(page: PdfPage) -> bool:
    """Whether a page has no text of its own: none, or a stamp on the picture of a page, that all pages have or one."""
    if page.scanned:
        return False
    is_stamped = (page.only_runs and page.drawings.picture >= SCAN) or _is_marked(page)
    return is_stamped or not (page.holds_text or page.only_runs)


def _is_marked(page: PdfPage) -> bool:
    """Whether a few words in the margin are all that stands on a picture of the whole page."""
    if page.drawings.picture < WHOLE or not page.lines or page.fields or page.comments or any(page.turned):
        return False
    _, bottom, _, top = page.box
    margin = MARGIN * (top - bottom)
    words = sum(line.text.count(" ") + 1 for line in page.lines)
    return words <= STAMP and all(not bottom + margin < line.base < top - margin for line in page.lines)


def _read(document: "PdfDocument", pages: Sequence[PdfPage | None], wanting: Sequence[int], draft: Draft) -> list[str]:
    """What there is to note of it."""
    if not draft.limits.ocr_pages:
        return [OFF]
    ocr = Ocr(draft.limits)
    read: list[int] = []
    unsure: list[int] = []
    notes: list[str] = []
    for index in wanting:
        try:
            confidence = _read_page(ocr, document, index, pages)
        except OcrFailed as failure:
            notes.append(str(failure))
            break
        if confidence:
            read.append(index + 1)
        if 0 < confidence < UNSURE:
            unsure.append(index + 1)
    if unsure:
        notes.insert(0, f"OCR is unsure of what it read: pages {ranges(unsure)}")
    if read:
        languages = "+".join(draft.limits.ocr_languages)
        notes.insert(
            0, f"{len(read)} of {len(pages)} pages were read from their picture (OCR, {languages}): {ranges(read)}"
        )
    return notes


def _read_page(ocr: Ocr, document: "PdfDocument", index: int, pages: Sequence[PdfPage | None]) -> float:
    """How sure OCR is of what it put into the page; 0 where it found nothing."""
    page = pages[index]
    assert page
    with closing(document[index]) as opened:
        reading = ocr.read(opened, page.box)
    if not reading.lines:
        return 0.0
    page.lines, page.turned, page.garbled, page.scanned = reading.lines, [], False, True
    return reading.confidence


def _note(draft: Draft, pages: Sequence[PdfPage | None], what: str, are: Sequence[bool]) -> None:
    numbers = [number for number, is_one in enumerate(are, start=1) if is_one]
    if numbers:
        draft.note(f"{len(numbers)} of {len(pages)} pages {what}: {ranges(numbers)}")
