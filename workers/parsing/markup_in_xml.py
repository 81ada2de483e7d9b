"""Owns telling HTML that stands as a text in XML from words that only look like it."""

import re

_CLOSED = re.compile(
    r"</(?:p|div|b|i|a|ul|ol|li|td|tr|table|span|h[1-6]|strong|em|code|pre)>|<br[ ]?/?>", re.IGNORECASE
)


def is_markup(text: str) -> bool:
    """It holds an element of HTML that is closed."""
    return "<" in text and _CLOSED.search(text) is not None
