"""Owns one page as it is read: its lines by the direction of their text, its rules, and what lies on it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedmill.workers.parsing.pdf.annotations import Comment, Field, read_annotations
from embedmill.workers.parsing.pdf.drawings import Drawings, read_drawings
from embedmill.workers.parsing.pdf.fonts import Fonts
from embedmill.workers.parsing.pdf.garbled import has_no_meaning, is_garbled
from embedmill.workers.parsing.pdf.lines import Line, build_lines
from embedmill.workers.parsing.pdf.tags import read_tags
from embedmill.workers.parsing.pdf.words import Box, Stretch, read_stretches

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

ANGLE_DIGITS = 1
"""Digits of an angle in radians: text that is turned alike belongs together."""


@dataclass(slots=True)
class PdfPage:
    """`lines` are those of the direction that most of its text has; `turned` are the others, direction by direction.

    `angles` are these directions, in radians. Where that of `lines` is not upright, no rules are kept. `garbled`: its
    text says nothing; `scanned`: OCR read it; `only_runs`: all its lines are running ones.
    """

    box: Box
    lines: list[Line]
    turned: list[list[Line]]
    angles: list[float]
    drawings: Drawings
    fields: list[Field]
    comments: list[Comment]
    garbled: bool
    scanned: bool = False
    only_runs: bool = False

    @property
    def holds_text(self) -> bool:
        return bool(self.lines or self.fields or self.comments)


def read_page(document: "PdfDocument", index: int, fonts: Fonts, *, tagged: bool) -> PdfPage | None:
    """None of a page that is damaged. Text outside the visible box is another page's, as in spreads that were cut."""
    from pypdfium2 import PdfiumError

    try:
        with closing(document[index]) as page, closing(page.get_textpage()) as text_page:
            left, bottom, right, top = box = page.get_bbox()
            drawings = read_drawings(page.raw, (right - left) * (top - bottom))
            stretches = list(read_stretches(text_page.raw, box, drawings.upright))
            form = document.formenv.raw if document.formenv else None
            annotations = list(read_annotations(form, page.raw))
            upright, *turned = _directions(stretches)
            if not _is_upright(upright):
                drawings = drawings.without_rules()
            tags = read_tags(page.raw) if tagged else {}
            lines = build_lines(upright, text_page.raw, fonts, drawings.upright, tags)
            return PdfPage(
                box,
                lines,
                [build_lines(stretches, text_page.raw, fonts) for stretches in turned],
                [stretches[0].angle for stretches in turned],
                drawings,
                [found for found in annotations if isinstance(found, Field)],
                [found for found in annotations if isinstance(found, Comment)],
                garbled=has_no_meaning(stretches, text_page.raw) or is_garbled(lines),
            )
    except PdfiumError:
        return None


def _directions(stretches: Iterable[Stretch]) -> list[list[Stretch]]:
    """Stretches by their angle, the most text first; at least one, which may be empty."""
    found: dict[float, list[Stretch]] = defaultdict(list)
    for stretch in stretches:
        found[round(stretch.angle, ANGLE_DIGITS)].append(stretch)
    if len(found) < 2:
        return list(found.values()) or [[]]
    return sorted(found.values(), key=_letters, reverse=True)


def _letters(stretches: Sequence[Stretch]) -> int:
    return sum([len(word.text) for stretch in stretches for word in stretch.words])


def _is_upright(stretches: list[Stretch]) -> bool:
    return not stretches or not round(stretches[0].angle, ANGLE_DIGITS)
