"""Owns how a filter is cut into words, texts in quotes and signs, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from embedmill.shared.errors import UsageError

EXAMPLE = 'for example: year >= 2020 and (team in ("a", "b") or not exists(draft)) and lang = en'
LONGEST = 10_000
"""Characters of a filter."""

Kind = Literal["word", "text", "sign", "end"]

_PARTS = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<double>\"(?:[^\"\\]|\\.)*\")|(?P<single>'(?:[^'\\]|\\.)*')"
    r"|(?P<sign>!=|<=|>=|[=<>~(),])"
    r"|(?P<word>[^\s()=!<>~,\"'“”„‘’«»]+)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\([\\\"'])")
_STRANGERS = {"==": "write =", "<>": "write !=", "=>": "write >=", "=<": "write <="}
_QUOTES = "“”„‘’«»"


@dataclass(frozen=True, slots=True)
class Token:
    """One part of a filter; `place` is the number of its first character, from 1."""

    kind: Kind
    text: str
    place: int

    @property
    def keyword(self) -> str:
        """What a word without quotes may mean to the grammar."""
        return self.text.lower() if self.kind == "word" else ""

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 40 else f"{self.text[:40]}…"
        return "the end" if self.kind == "end" else repr(shown)


def cut(text: str) -> list[Token]:
    """All parts, the end among them; raises UsageError for what is none."""
    if len(text) > LONGEST:
        raise UsageError(f"the filter is longer than {LONGEST:,} characters")
    if not text.isascii():
        _check_characters(text)
    return [*_cut(text), Token("end", "", len(text) + 1)]


def _cut(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        found = _PARTS.match(text, place)
        if found is None or text[place : place + 2] in _STRANGERS:
            raise _nothing_of_ours(text, place)
        kind, part = str(found.lastgroup), found[0]
        if kind in ("double", "single"):
            yield Token("text", _ESCAPE.sub(r"\1", part[1:-1]), place + 1)
        elif kind != "space":
            yield Token("sign" if kind == "sign" else "word", part, place + 1)
        place = found.end()


def _nothing_of_ours(text: str, place: int) -> UsageError:
    sign = text[place]
    hint = _STRANGERS.get(text[place : place + 2])
    if hint is None and sign in "\"'":
        return refusal(
            place + 1, f"a text begins with {sign} and does not end", f"add {sign}, or put it in other quotes"
        )
    if hint is None and sign in _QUOTES:
        hint = "write \" or '"
    shown = text[place : place + 2] if hint and sign not in _QUOTES else sign
    return refusal(place + 1, f"{shown!r} has no meaning here", hint or f"{shown!r} in a value needs quotes; {EXAMPLE}")


def _check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise refusal(error.start + 1, "this is no character", "the filter is not UTF-8") from None


def refusal(place: int, message: str, hint: str = EXAMPLE) -> UsageError:
    """The error about a place in a filter."""
    return UsageError(f"the filter cannot be read at character {place}: {message}", hint=hint)
