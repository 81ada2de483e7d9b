"""Owns alternative texts: what an author says of a picture, and not the name of its file."""

import re

_NAME = re.compile(
    r"\S*\.(?:bmp|emf|gif|jpe?g|png|svg|tiff?|webp|wmf)|(?:https?:|data:|file:)\S*|\[\w+\]", re.IGNORECASE
)
_GENERATED = re.compile(r"\s*Description automatically generated(?: with \w+ confidence)?\.?\s*$", re.IGNORECASE)


def spoken(text: str) -> str:
    """On one line; "" where nothing is said, as by DocBook's icons (`[Tip]`), whose word stands beside them."""
    said = _GENERATED.sub("", " ".join(text.split()))
    return "" if _NAME.fullmatch(said) else said
