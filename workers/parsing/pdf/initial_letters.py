"""Owns which text is an initial: one letter, far larger than the text beside it."""

LARGER = 1.8
"""Of a line's height: so much larger an initial is."""

LONGER = 3
"""Signs: a text of so many is no initial."""

QUOTES = "\"'\u201c\u201e\u2018\u00ab\u00bf\u00a1"


def is_letter(text: str) -> bool:
    """Whether it is a capital alone, maybe with a sign that opens a speech."""
    return len(text) < LONGER and text.lstrip(QUOTES).isupper()


def is_initial(text: str, size: float, of_size: float) -> bool:
    """Whether a text beside letters of `of_size` may be an initial, of which those are no script."""
    return size > LARGER * of_size and is_letter(text)
