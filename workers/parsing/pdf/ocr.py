"""Owns reading pictures of pages with tesseract, a program that is found when it is needed, within bounds of time."""

import csv
import math
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, Any

from embedmill.shared.death_signal import send_at_parents_end
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.pdf.lines import CELL_GAP, Line, cells_of
from embedmill.workers.parsing.pdf.tilt import Picture, tilt_of
from embedmill.workers.parsing.pdf.words import Box, Word

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

PROGRAM = "tesseract"
PACKAGE = "tesseract-ocr"
"""Its package in Debian; those of languages begin with the same words."""
DOTS_PER_INCH = 200
MOST_PIXELS = 40_000_000
UNSURE = 60.0
"""Percent: below this mean confidence a page is noted."""
SHARE_OF_TIME = 0.7
"""Of a document's time: the rest is for reading its structure."""
LEAST_SECONDS = 1.0
LIST_SECONDS = 20.0
SAME_SIZE = 0.4
"""Boxes of words are as high as their letters: lines that differ less have one size."""

_PAGE_MODE = "1"  # finds the page's direction too; upright pages are read no worse
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "TESSDATA_PREFIX")


@dataclass(frozen=True, slots=True)
class PageReading:
    """What was read of a page, and how sure the program is of it, in percent."""

    lines: list[Line]
    confidence: float


class OcrFailed(Exception):
    """The program is missing, lacks a language, took too long, or failed; the message says which."""


class Ocr:
    """Reads pages of one document until its time or its number of pages is used up."""

    def __init__(self, limits: ParserLimits) -> None:
        self._languages = "+".join(limits.ocr_languages)
        self._pages_left = limits.ocr_pages
        self._until = min(monotonic() + limits.seconds, limits.deadline) - (1 - SHARE_OF_TIME) * limits.seconds

    def read(self, page: "PdfPage", box: Box) -> PageReading:
        """OcrFailed when the page cannot be read, and for every page beyond the bounds."""
        seconds = self._until - monotonic()
        if self._pages_left <= 0 or seconds < LEAST_SECONDS:
            raise OcrFailed("OCR stopped at its limit of time or pages")
        self._pages_left -= 1
        picture, scale = _picture(page)
        table = _run(
            [_program(), "stdin", "stdout", "-l", self._languages, "--psm", _PAGE_MODE, "tsv"], picture, seconds
        )
        return _reading(table, scale, box)


def missing_languages(languages: Sequence[str]) -> list[str]:
    """Those that the program lacks; OcrFailed without the program."""
    try:
        answer = subprocess.run([_program(), "--list-langs"], capture_output=True, timeout=LIST_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        raise OcrFailed(f"{PROGRAM} does not list its languages") from None
    return [language for language in languages if language not in answer.stdout.decode("utf-8", "replace").split()]


def _program() -> str:
    found = shutil.which(PROGRAM)
    if found is None:
        raise OcrFailed(f"OCR needs the program {PROGRAM} (Debian: {PACKAGE}), which is not there")
    return found


def _picture(page: "PdfPage") -> tuple[bytes, float]:
    """The page as a grey picture in PGM, straightened where it is tilted, and its pixels a point."""
    width, height = page.get_size()
    most = (MOST_PIXELS / max(width * height, 1)) ** 0.5
    tilt = tilt_of(_render(page, min(1.0, most)))
    scale = min(DOTS_PER_INCH / 72, most)
    wide, high, pixels = _render_straight(page, scale, tilt) if tilt else _render(page, scale)
    return b"P5 %d %d 255\n" % (wide, high) + pixels, scale


def _render(page: "PdfPage", scale: float) -> Picture:
    with closing(page.render(scale=scale, grayscale=True)) as bitmap:
        return _pixels(bitmap)


def _render_straight(page: "PdfPage", scale: float, tilt: float) -> Picture:
    """Turned around the middle of the page by as much as it is tilted, in degrees."""
    from pypdfium2 import PdfBitmap, raw

    width, height = page.get_size()
    wide, high = math.ceil(width * scale), math.ceil(height * scale)
    along, across = scale * math.cos(math.radians(tilt)), scale * math.sin(math.radians(tilt))
    left = (wide - along * width - across * height) / 2
    top = (high + across * width - along * height) / 2
    matrix = raw.FS_MATRIX(along, -across, across, along, left, top)
    with closing(PdfBitmap.new_native(wide, high, raw.FPDFBitmap_Gray)) as bitmap:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, wide, high)
        whole = raw.FS_RECTF(0, 0, wide, high)
        raw.FPDF_RenderPageBitmapWithMatrix(bitmap.raw, page.raw, matrix, whole, raw.FPDF_ANNOT | raw.FPDF_GRAYSCALE)
        return _pixels(bitmap)


def _pixels(bitmap: Any) -> Picture:
    rows, wide, stride = memoryview(bitmap.buffer), bitmap.width, bitmap.stride
    pixels = b"".join(bytes(rows[row * stride : row * stride + wide]) for row in range(bitmap.height))
    return Picture(wide, bitmap.height, pixels)


def _run(command: Sequence[str], data: bytes, seconds: float) -> str:
    """What the program prints. It has one thread, and dies with this process or when its time is over."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"OMP_THREAD_LIMIT": "1"},
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
    ) as process:
        try:
            printed, errors = process.communicate(data, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise OcrFailed("OCR stopped at its limit of time or pages") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise OcrFailed(_why(errors))
    return printed.decode("utf-8", "replace")


def _die_with_parent() -> None:
    send_at_parents_end(signal.SIGKILL)


def _why(errors: bytes) -> str:
    if b"Failed loading language" in errors or b"Error opening data file" in errors:
        return f"OCR lacks one of its languages (Debian: {PACKAGE}-…)"
    return "OCR failed"


def _reading(table: str, scale: float, box: Box) -> PageReading:
    """The words of tesseract's table, in its order of blocks, paragraphs and lines, at their places on the page."""
    rows = [row for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE) if _is_word(row)]
    lines = [
        _line([_word(row, scale, box) for row in words])
        for _, words in groupby(rows, key=lambda row: (row["block_num"], row["par_num"], row["line_num"]))
    ]
    sure = sum(float(row["conf"]) for row in rows) / max(len(rows), 1)
    return PageReading(_evened(lines), sure)


def _is_word(row: dict[str, Any]) -> bool:
    return row["level"] == "5" and bool((row["text"] or "").strip())


def _word(row: dict[str, Any], scale: float, box: Box) -> Word:
    left, top, width, height = (float(row[name]) / scale for name in ("left", "top", "width", "height"))
    return Word(row["text"], box[0] + left, box[0] + left + width, box[3] - top - height, height, 0)


def _line(words: list[Word]) -> Line:
    size = median(word.size for word in words)
    return Line(cells_of(words, 2 * CELL_GAP * size), median(word.base for word in words), size)


def _evened(lines: list[Line]) -> list[Line]:
    """Lines of nearly one height have the same."""
    usual = median(line.size for line in lines) if lines else 0.0
    for line in lines:
        if abs(line.size - usual) < SAME_SIZE * usual:
            line.size = usual
    return lines
