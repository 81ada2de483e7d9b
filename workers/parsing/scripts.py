"""Owns marks in running text: scripts apart from their base, as `10^-3` and `H_2O`, and `~~what is struck~~`."""

import re
from collections.abc import Iterable
from itertools import groupby

SUPER = "^"
SUB = "_"
STRUCK = "~"
"""Before the mark of a script, or alone."""

MarkedPiece = tuple[str, str]
"""A mark, \"\" for none, and the text that has it."""

_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|re|e|ème|o|a|os|as)\Z", re.IGNORECASE)
_ONE_WORD = re.compile(r"[-+−–±]?(?:[^\W_]|[.,])*[^\W_][-+−–]?|[^\w\s()\[\]]+")
_BRACKETED = re.compile(r"\[.*\]|\(.*\)", re.DOTALL)


def script(mark: str, text: str, before: str) -> str:
    """What is raised or lowered behind the text `before`; an ordinal's ending and a mark in brackets need no sign."""
    inner = text.strip()
    if not inner or inner[0] in "^_":
        return text
    base = before[-1:]
    if not base or base.isspace() or _BRACKETED.fullmatch(inner) or (base.isdigit() and _ORDINAL.match(inner)):
        return text
    tail = text[len(text.rstrip()) :]
    return f"{mark}{inner}{tail}" if _ONE_WORD.fullmatch(inner) else f"{mark}({inner}){tail}"


def marked(pieces: Iterable[MarkedPiece]) -> str:
    """The pieces as one text; neighbours of one mark are marked together."""
    pieces = list(pieces)
    if not any(mark for mark, _ in pieces):
        return "".join([text for _, text in pieces])
    out = ""
    for is_struck, group in groupby(pieces, key=lambda piece: piece[0].startswith(STRUCK)):
        text = _scripted(group, out)
        out += _struck(text) if is_struck else text
    return out


def _scripted(pieces: Iterable[MarkedPiece], before: str) -> str:
    out = before
    for mark, group in groupby(pieces, key=lambda piece: piece[0].lstrip(STRUCK)):
        text = "".join(piece for _, piece in group)
        out += script(mark, text, out) if mark else text
    return out[len(before) :]


def _struck(text: str) -> str:
    inner = text.strip()
    return text.replace(inner, f"~~{inner}~~") if inner else text
