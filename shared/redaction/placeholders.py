"""What stands in the place of a value: its type and a number, the same wherever the value stands in a document."""

import re

STEMS = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "MAC_ADDRESS": "MAC",
}
"""What placeholders call a type, where that is shorter than its name."""

_PLACEHOLDER = re.compile(r"\[([A-Z][A-Z_]{1,30})_([1-9][0-9]{0,8})\]")
_AT_END = re.compile(_PLACEHOLDER.pattern + r"\Z")
LONGEST = 44
"""Characters of a placeholder and the sign that may stand behind it."""


def stem_of(type_: str) -> str:
    """What placeholders call a type."""
    return STEMS.get(type_, type_)


class Placeholders:
    """The placeholders of one document.

    Those that stand in its text before are nobody's values: they stay, and their numbers are given to no other. So a
    text that was redacted is not changed by redacting it again.
    """

    def __init__(self, text: str) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}
        for stem, number in _PLACEHOLDER.findall(text) if "[" in text else ():
            self._last[stem] = max(self._last.get(stem, 0), int(number))

    def of(self, type_: str, normal: str) -> str:
        """The placeholder of a value, by its normal form."""
        stem = stem_of(type_)
        if (stem, normal) not in self._given:
            self._last[stem] = number = self._last.get(stem, 0) + 1
            self._given[stem, normal] = f"[{stem}_{number}]"
        return self._given[stem, normal]


def has_placeholder(text: str) -> bool:
    """Whether any stands in it."""
    return "[" in text and _PLACEHOLDER.search(text) is not None


def is_beside_placeholder(text: str, start: int, end: int) -> bool:
    """Whether a span is a placeholder, touches one, or is parted from one by a sign that goes on with a word."""
    if _PLACEHOLDER.fullmatch(text, start, end):
        return True
    if "]" in text[max(0, start - 2) : start] and _before(text, start):
        return True
    after = text[end : end + 2]
    return "[" in after and _PLACEHOLDER.match(text, end + (after[0] in "-.:_/@")) is not None


def _before(text: str, start: int) -> bool:
    before = text[max(0, start - LONGEST) : start]
    if before[-1] in "-.:_/":
        before = before[:-1]
    return _AT_END.search(before) is not None


def without_placeholders(text: str) -> str:
    """The text with line ends in their places, over which no word is about a value."""
    return _PLACEHOLDER.sub(lambda found: "\n" * len(found[0]), text) if "[" in text else text
