"""A scanned page is straightened by the angle of its lines."""

import math

import pytest

from embedmill.workers.parsing.pdf.tilt import Picture, tilt_of

WIDTH, HEIGHT = 480, 320


def lines(tilt: float) -> Picture:
    """Black lines of broken words on white paper, falling to the right by so many degrees."""
    rows = [bytearray(b"\xff" * WIDTH) for _ in range(HEIGHT)]
    for base in range(40, HEIGHT - 40, 14):
        for column in range(30, WIDTH - 30):
            row = base + round((column - WIDTH / 2) * math.tan(math.radians(tilt)))
            for thick in range(5 if column % 40 > 6 else 0):
                if 0 <= row + thick < HEIGHT:
                    rows[row + thick][column] = 0
    return Picture(WIDTH, HEIGHT, b"".join(rows))


@pytest.mark.parametrize("tilt", [-4.0, 1.5, 7.0])
def test_the_angle_of_the_lines_is_found(tilt: float) -> None:
    assert tilt_of(lines(tilt)) == pytest.approx(tilt, abs=0.2)


@pytest.mark.parametrize(
    "picture",
    [
        lines(0.0),
        lines(0.1),
        Picture(WIDTH, HEIGHT, b"\xff" * WIDTH * HEIGHT),
        Picture(1, 1, b"\0"),
        Picture(0, 0, b""),
    ],
)
def test_what_stands_upright_or_has_no_lines_is_left_as_it_is(picture: Picture) -> None:
    assert tilt_of(picture) == 0.0
