"""Numbers of list items are written as the program that made them shows them."""

import pytest

from embedmill.workers.parsing.numerals import numeral


@pytest.mark.parametrize(
    ("number", "style", "written"),
    [
        (7, "decimal", "7"), (7, "decimal-zero", "07"), (3, "letters", "c"), (28, "letters", "ab"),
        (28, "repeated-letters", "bb"), (28, "REPEATED-LETTERS", "BB"), (1994, "roman", "mcmxciv"), (9, "ROMAN", "IX"),
        (4000, "roman", "4000"), (0, "letters", "0"), (-2, "roman", "-2"), (12, "ordinal", "12th"),
        (21, "ordinal", "21st"), (3, "circled", "③"), (25, "chinese", "二十五"), (10, "chinese", "十"),
        (5, "none", ""), (5, "unheard of", "5"),
    ],
)  # fmt: skip
def test_a_number_is_written_in_the_style_of_its_list(number: int, style: str, written: str) -> None:
    assert numeral(number, style) == written
