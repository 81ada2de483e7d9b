"""Owns signs that tell structure: what opens an item or a caption, and dots that lead to a page number."""

import re

BULLETS = "•‣▪●◦○■□◆◇►▸▶➢➤➔→✓✗✔✘❖\u2043"

BOXES = "☐☑☒"
"""What stands before a choice: each opens a paragraph."""

TICKS = "✓✗✔✘"
"""Those that say something by themselves."""

MARKER = re.compile(
    rf"(?P<bullet>[{BULLETS}·∙–—*-])\s+"
    r"|(?P<number>\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s+"
    r"|(?P<deep>\d{1,2}(?:\.\d{1,2}){1,3}[.)])\s+"
)
"""At the beginning of a line, with the blanks behind it."""

CAPTION = re.compile(
    r"(?:table|figure|fig\.|chart|exhibit|listing|tabelle|tab\.|abbildung|abb\.|tableau|tabla|figura|tabella|tabela|"
    r"таблица|рис\.|рисунок|表|図|图)\s*(?:\d+|[A-Z]|[IVX]+)(?:[.\-]\d+)*(?:\s*[.:|\u2013\u2014-]\s|$|\s+(?=[^\W\d_a-z]))",
    re.IGNORECASE,
)
"""At the beginning of a caption."""

CAPTION_OF_TABLE = re.compile(r"t|表|т", re.IGNORECASE)
"""What the caption of a table, and of no other thing, begins with."""


_LEADERS = re.compile(r"(?:(?:\. ?){4,}|\u2026{2,})\s*(?=[\dA-Za-z.-]{1,7}$)")


def is_marker(text: str) -> bool:
    """Whether a text is what opens an item, and nothing else."""
    return MARKER.fullmatch(f"{text} ") is not None


def has_leaders(text: str) -> bool:
    """Whether dots lead to a page number at its end."""
    return (text.count(".") > 3 or "\u2026\u2026" in text) and _LEADERS.search(text) is not None


def without_leaders(text: str) -> str:
    """The text with one sign for the dots."""
    return _LEADERS.sub("\u2026 ", text)
