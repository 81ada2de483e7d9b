"""Owns what a query writes that rows may write otherwise, and how they are found then: no index is asked for more."""

from typing import NamedTuple


class OtherForm(NamedTuple):
    """Something in a query, as it is `written` there, folded.

    `wholes` are its other forms that are one word. Where it is several words, rows are read for it: `hints` are terms
    that such rows hold, and `pattern` is the regular expression that finds it in a folded text.
    """

    written: str
    wholes: tuple[str, ...]
    hints: tuple[int, ...]
    pattern: str
    is_usual: bool = False
    """Whether many texts hold it, as a number of four digits: other forms count only where it alone is asked for."""
