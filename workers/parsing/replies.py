"""Owns who says what in a mail's text: quoted lines and the replies between them are paragraphs of their own."""

import re
from collections.abc import Iterator
from itertools import groupby

from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.text import read_text

_QUOTED = re.compile(r"[ \t]{0,3}>")
_MARKS = re.compile(">+")
_SIGNATURE = re.compile(r"(?m)^-- ?$")


def read_body(text: str, draft: Draft) -> None:
    """A quotation keeps its `>`, so that a reply right below it is not taken for a part of it; a signature is apart."""
    said, *signature = _SIGNATURE.split(text, maxsplit=1)
    for is_quoted, lines in _runs(said):
        if is_quoted:
            for paragraph in _quotations(lines):
                draft.paragraph(paragraph)
        else:
            read_text("\n".join(lines), draft)
    for words in signature:
        draft.paragraph(f"-- \n{words.strip()}" if words.strip() else "")


def unflowed(text: str, *, keeps_blanks: bool) -> str:
    """Lines that end in a blank go on in the next one of the same depth (RFC 3676); a signature's line does not."""
    lines: list[str] = []
    depth, is_open = "", False
    for line in text.replace("\r\n", "\n").split("\n"):
        marks = _MARKS.match(line)
        quoted = marks[0] if marks else ""
        words = line[len(quoted) :].removeprefix(" ")
        is_signature = words == "-- "
        if is_open and quoted == depth and not is_signature:
            lines[-1] += words
        else:
            lines.append(f"{quoted} {words}" if quoted else words)
        depth, is_open = quoted, words.endswith(" ") and not is_signature
        if is_open and not keeps_blanks:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _runs(text: str) -> Iterator[tuple[bool, list[str]]]:
    lines = text.replace("\r\n", "\n").split("\n")
    for is_quoted, run in groupby(lines, key=lambda line: _QUOTED.match(line) is not None):
        yield is_quoted, list(run)


def _quotations(lines: list[str]) -> Iterator[str]:
    """Paragraphs of a quotation, which a line of nothing but signs parts."""
    for is_blank, run in groupby(lines, key=lambda line: not line.strip("> \t")):
        if not is_blank:
            yield "\n".join(run)
