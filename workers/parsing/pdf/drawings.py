"""Owns what is drawn on a page beside its text: the rules of tables, and how much of it is a picture."""

import ctypes
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from struct import iter_unpack
from typing import Any, NamedTuple

from embedmill.workers.parsing.pdf.calls import address, by_address

MOST_OBJECTS = 20_000
MOST_PATHS = 4_000
"""A page with more paths is a drawing, whose lines are no rules."""
MOST_SEGMENTS = 400
DEEPEST_FORM = 3
STRAIGHT = 1.0
"""Points: a line that leaves the straight by less is upright or level."""
SHORTEST = 6.0
"""Points: a shorter line is a part of a sign or of a drawing."""

Matrix = tuple[float, float, float, float, float, float]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Rule(NamedTuple):
    """A straight line at `at` (x of an upright one, y of a level one) from `start` to `end`, in points."""

    at: float
    start: float
    end: float


@dataclass(slots=True)
class Drawings:
    """Level and upright rules of a page, the share of it that its largest picture covers, and its number of paths."""

    level: list[Rule] = field(default_factory=list)
    upright: list[Rule] = field(default_factory=list)
    picture: float = 0.0
    paths: int = 0

    def without_rules(self) -> "Drawings":
        """The same, where its lines mean nothing for the text."""
        return Drawings(picture=self.picture, paths=self.paths)


def read_drawings(page: Any, area: float) -> Drawings:
    """What is drawn on a page of that area in square points. `page` is pdfium's handle."""
    from pypdfium2 import raw

    found = Drawings()
    for thing, kind, matrix in _objects(raw, page):
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            found.picture = max(found.picture, _area(thing, matrix) / max(area, 1.0))
        else:
            found.paths += 1
            if found.paths <= MOST_PATHS:
                _add_rules(raw, thing, matrix, found)
    return found if found.paths <= MOST_PATHS else found.without_rules()


def _objects(raw: Any, page: Any) -> Iterator[tuple[Any, int, Matrix]]:
    """The paths and pictures of a page, also of those forms that it is put together from."""
    count, around = min(raw.FPDFPage_CountObjects(page), MOST_OBJECTS), address(page)
    things = map(by_address("FPDFPage_GetObject", ctypes.c_void_p, ctypes.c_int), repeat(around), range(count))
    kinds = map(by_address("FPDFPageObj_GetType", ctypes.c_int), things)
    for index in [index for index, kind in enumerate(kinds) if kind != raw.FPDF_PAGEOBJ_TEXT]:
        yield from _inner(raw, raw.FPDFPage_GetObject(page, index), IDENTITY, 0)


def _inner(raw: Any, thing: Any, matrix: Matrix, depth: int) -> Iterator[tuple[Any, int, Matrix]]:
    kind = raw.FPDFPageObj_GetType(thing)
    if kind in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE):
        yield thing, kind, matrix
    elif kind == raw.FPDF_PAGEOBJ_FORM and depth < DEEPEST_FORM:
        inside = _product(_matrix(raw, thing), matrix)
        for index in range(min(raw.FPDFFormObj_CountObjects(thing), MOST_OBJECTS)):
            yield from _inner(raw, raw.FPDFFormObj_GetObject(thing, index), inside, depth + 1)


def _matrix(raw: Any, thing: Any) -> Matrix:
    found = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(thing, found):
        return IDENTITY
    return found.a, found.b, found.c, found.d, found.e, found.f


def _product(inner: Matrix, outer: Matrix) -> Matrix:
    a, b, c, d, e, f = inner
    x, y = _moved(outer, e, f)
    return (
        a * outer[0] + b * outer[2],
        a * outer[1] + b * outer[3],
        c * outer[0] + d * outer[2],
        c * outer[1] + d * outer[3],
        x,
        y,
    )


def _moved(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _bounds(thing: Any, matrix: Matrix) -> tuple[float, float]:
    """Width and height of an object on the page."""
    edges = (ctypes.c_float * 4)()
    begin = ctypes.addressof(edges)
    if not by_address("FPDFPageObj_GetBounds", ctypes.c_int, *[ctypes.c_void_p] * 4)(
        address(thing), begin, begin + 4, begin + 8, begin + 12
    ):
        return 0.0, 0.0
    left, bottom, right, top = edges
    x0, y0 = _moved(matrix, left, bottom)
    x1, y1 = _moved(matrix, right, top)
    return abs(x1 - x0), abs(y1 - y0)


def _area(thing: Any, matrix: Matrix) -> float:
    width, height = _bounds(thing, matrix)
    return width * height


def _add_rules(raw: Any, path: Any, matrix: Matrix, found: Drawings) -> None:
    if max(_bounds(path, matrix)) < SHORTEST or not _is_drawn(raw, path):
        return
    for (x0, y0), (x1, y1) in _strokes(raw, path, _product(_matrix(raw, path), matrix)):
        if abs(y1 - y0) < STRAIGHT and abs(x1 - x0) >= SHORTEST:
            found.level.append(Rule((y0 + y1) / 2, min(x0, x1), max(x0, x1)))
        elif abs(x1 - x0) < STRAIGHT and abs(y1 - y0) >= SHORTEST:
            found.upright.append(Rule((x0 + x1) / 2, min(y0, y1), max(y0, y1)))


def _is_drawn(raw: Any, path: Any) -> bool:
    filled, stroked = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(path, filled, stroked)
    return bool(filled.value or stroked.value)


def _strokes(raw: Any, path: Any, matrix: Matrix) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The straight parts of a path, on the page."""
    count = min(raw.FPDFPath_CountSegments(path), MOST_SEGMENTS)
    segments = list(
        map(by_address("FPDFPath_GetPathSegment", ctypes.c_void_p, ctypes.c_int), repeat(address(path)), range(count))
    )
    kinds = list(map(by_address("FPDFPathSegment_GetType", ctypes.c_int), segments))
    closes = list(map(by_address("FPDFPathSegment_GetClose", ctypes.c_int), segments))
    if raw.FPDF_SEGMENT_LINETO not in kinds and not any(closes):
        return
    start = point = (0.0, 0.0)
    for kind, place, is_closed in zip(kinds, _points(segments), closes, strict=True):
        before, point = point, _moved(matrix, *place)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield before, point
        if is_closed:
            yield point, start
            point = start


def _points(segments: Sequence[int]) -> Iterator[tuple[float, float]]:
    """Where segments end, written into one buffer."""
    buffer = (ctypes.c_float * (2 * len(segments)))()
    begin, size = ctypes.addressof(buffer), ctypes.sizeof(buffer)
    point = by_address("FPDFPathSegment_GetPoint", None, ctypes.c_void_p, ctypes.c_void_p)
    deque(map(point, segments, range(begin, begin + size, 8), range(begin + 4, begin + size, 8)), maxlen=0)
    return iter_unpack("=2f", buffer)
