"""Owns signs with a meaning for the structure: what opens an item of a list, and dots that lead to a page number."""

import re

BULLETS = "•‣▪●◦○■□◆◇►▸▶➢➤➔→✓✗✔✘❖\u2043"

MARKER = re.compile(
    rf"(?P<bullet>[{BULLETS}·∙–—*-])\s+"
    r"|(?P<number>\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s+"
    r"|(?P<deep>\d{1,2}(?:\.\d{1,2}){1,3}[.)])\s+"
)
"""At the beginning of a line, with the blanks behind it."""

_LEADERS = re.compile(r"(?:(?:\. ?){4,}|\u2026{2,})\s*(?=[\dA-Za-z.-]{1,7}$)")


def has_leaders(text: str) -> bool:
    """Whether dots lead to a page number at its end."""
    return (".." in text or ". ." in text or "\u2026\u2026" in text) and _LEADERS.search(text) is not None


def without_leaders(text: str) -> str:
    """The text with one sign for the dots."""
    return _LEADERS.sub("\u2026 ", text)
