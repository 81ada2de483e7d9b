"""Owns plain text: paragraphs between empty lines, and titles that are underlined."""

import re

from embedmill.workers.parsing.draft import Draft, clean

TITLE_CHARS = 120

_PARAGRAPH_BREAK = re.compile(r"\n(?:[ \t]*\n)+")
_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\Z")


def read(data: bytes, draft: Draft) -> None:
    """Text in whatever encoding it turns out to be."""
    read_text(draft.decode(data), draft)


def read_text(text: str, draft: Draft) -> None:
    """A form feed parts paragraphs as an empty line does."""
    levels: dict[str, int] = {}
    for paragraph in _PARAGRAPH_BREAK.split(clean(text.replace("\f", "\n\n")).strip("\n")):
        _read_paragraph(paragraph, draft, levels)


def _read_paragraph(paragraph: str, draft: Draft, levels: dict[str, int]) -> None:
    title, mark, rest = _split_title(paragraph)
    if title:
        draft.heading(title, level=levels.setdefault(mark, len(levels) + 1))
    draft.paragraph(rest)


def _split_title(paragraph: str) -> tuple[str, str, str]:
    """The title, its underline's character and what follows; an overline is taken for decoration."""
    lines = paragraph.split("\n", 3)
    if len(lines) > 2 and _UNDERLINE.match(lines[0].rstrip()) and lines[0].rstrip() == lines[2].rstrip():
        return lines[1].strip(), lines[0][0] * 2, "\n".join(lines[3:])
    if len(lines) > 1 and _is_underline(lines[1].rstrip(), lines[0].rstrip()):
        return lines[0].strip(), lines[1][0], "\n".join(lines[2:])
    return "", "", paragraph


def _is_underline(line: str, title: str) -> bool:
    """Within two characters of the title's length, as AsciiDoc asks; a ruler under a table's head is longer."""
    if not _UNDERLINE.match(line) or not 0 < len(title) <= TITLE_CHARS or title[0] in " \t":
        return False
    return abs(len(line) - len(title)) <= 2 and any(character.isalnum() for character in title)
