"""Owns how far a scanned page is tilted: the angle at which its lines part most clearly from what is between them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

FARTHEST = 10.0  # degrees
STEPS = (0.5, 0.1)
LEAST = 0.3
"""Degrees that are worth straightening: tesseract takes less in its stride."""
EVIDENCE = 1.08
"""So much clearer than upright ones the lines must be."""

_STRIP = 12  # pixels
_DARK = 0.75  # of the mean brightness


class Picture(NamedTuple):
    """Grey pixels, a byte each, row by row."""

    width: int
    height: int
    pixels: bytes


def tilt_of(picture: Picture) -> float:
    """In degrees, positive where lines fall to the right; 0 where nothing shows it. Some 72 dots an inch are enough."""
    strips = _ink(picture)
    upright = _clearness(strips, picture, 0.0)
    best = 0.0
    for step, reach in zip(STEPS, (FARTHEST, STEPS[0]), strict=True):
        near = [best + step * number for number in range(-round(reach / step), round(reach / step) + 1)]
        best = max(near, key=lambda angle: (_clearness(strips, picture, angle), -abs(angle)))
    is_certain = _clearness(strips, picture, best) > EVIDENCE * upright
    return best if is_certain and abs(best) >= LEAST else 0.0


def _ink(picture: Picture) -> list[list[int]]:
    """For upright strips of the picture, the dark pixels of each row, with room above and below."""
    width, height, pixels = picture
    limit = int(_DARK * sum(pixels) / max(len(pixels), 1))
    dark = pixels.translate(bytes(value < limit for value in range(256)))
    room = [0] * _room(picture)
    return [
        [*room, *(sum(dark[row * width + left : row * width + left + _STRIP]) for row in range(height)), *room]
        for left in range(0, width - _STRIP + 1, _STRIP)
    ]


def _room(picture: Picture) -> int:
    return math.ceil(picture.width / 2 * math.tan(math.radians(FARTHEST + STEPS[0]))) + 1


def _clearness(strips: Sequence[Sequence[int]], picture: Picture, angle: float) -> int:
    """Larger where rows at that angle are full or empty."""
    slope, room = math.tan(math.radians(angle)), _room(picture)
    shifts = [room + round((_STRIP * (number + 0.5) - picture.width / 2) * slope) for number in range(len(strips))]
    rows = zip(*(strip[at : at + picture.height] for strip, at in zip(strips, shifts, strict=True)), strict=False)
    return sum(ink * ink for ink in map(sum, rows))
