"""Owns super- and subscripts in running text: apart from their base, as `10^-3` and `H_2O`."""

import re

SUPER = "^"
SUB = "_"

_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|re|e|ème|o|a|os|as)\Z", re.IGNORECASE)
_ONE_WORD = re.compile(r"[-+−–±]?[\w.,]*\w[-+−–]?|[^\w\s()\[\]]+")
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
