"""Owns RTF's syntax: groups, control words with their numbers, escaped bytes, and text."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a token is."""

    OPEN = "{"
    CLOSE = "}"
    WORD = "word"
    OPTIONAL = "optional"
    BYTES = "bytes"


class Token(NamedTuple):
    r"""`word` is a control word's or symbol's name, `number` what stands behind it; `data` are bytes of text.

    An OPTIONAL word has `\\*` before it. A WORD without a name stands for words that mean nothing to the reader.
    """

    kind: Kind
    word: str = ""
    number: int | None = None
    data: bytes = b""


_WORD = rb"\\(?!bin(?![A-Za-z]))[A-Za-z]{1,32}(?:-?\d{1,10})? ?"
_TOKEN = re.compile(
    rb"(?P<text>[^\\{}\r\n\0]+)|(?P<brace>[{}])|(?P<run>(?:" + _WORD + rb")+)|\\'(?P<hex>[0-9A-Fa-f]{2})"
    rb"|\\bin(?P<bin>-?\d{1,10})? ?|\\\*\s*(?P<optional>" + _WORD + rb")|\\(?P<symbol>[^A-Za-z])",
    re.DOTALL,
)
_PARTS = re.compile(rb"\\([A-Za-z]+)(-?\d+)?")
_BRACE = re.compile(rb"[{}]|\\bin(?P<bin>-?\d{1,10}) ?|\\[^a-zA-Z]", re.DOTALL)
_MOST_REMEMBERED = 4096


class Tokens:
    r"""In order; the binary data behind `\\bin` is passed over, however it looks. `known` are the words that count."""

    def __init__(self, data: bytes, known: frozenset[str]) -> None:
        self._data = data
        self._known = known
        self._position = 0
        self._met: dict[bytes, tuple[Token, ...]] = {}

    def __iter__(self) -> Iterator[Token]:
        """What was not skipped."""
        while match := _TOKEN.search(self._data, self._position):
            self._position = match.end()
            if match.lastgroup == "text":
                yield Token(Kind.BYTES, "", None, match[0])
            elif match.lastgroup == "bin":
                self._position += max(int(match["bin"]), 0)
            else:
                yield from self._met.get(match[0]) or self._remember(match)

    def skip_group(self) -> None:
        """What is left of the innermost group; its end comes next."""
        depth = 0
        while match := _BRACE.search(self._data, self._position):
            if match[0] == b"}" and depth == 0:
                self._position = match.start()
                return
            self._position = match.end() + max(int(match["bin"] or 0), 0)
            depth += {b"{": 1, b"}": -1}.get(match[0], 0)
        self._position = len(self._data)

    def _remember(self, match: re.Match[bytes]) -> tuple[Token, ...]:
        """Few runs of control words make up a file, so that each is looked at once."""
        tokens = self._read(match)
        if len(self._met) < _MOST_REMEMBERED:
            self._met[match[0]] = tokens
        return tokens

    def _read(self, match: re.Match[bytes]) -> tuple[Token, ...]:
        match match.lastgroup:
            case "brace":
                return (Token(Kind.OPEN if match[0] == b"{" else Kind.CLOSE),)
            case "hex":
                return (Token(Kind.BYTES, data=bytes.fromhex(match["hex"].decode())),)
            case "symbol":
                return (Token(Kind.WORD, match["symbol"].decode("latin-1")),)
            case "optional":
                return tuple(_words(match["optional"], Kind.OPTIONAL))
        found = tuple(token for token in _words(match[0], Kind.WORD) if token.word in self._known)
        return found or (Token(Kind.WORD),)


def _words(run: bytes, kind: Kind) -> Iterator[Token]:
    for word, number in _PARTS.findall(run):
        yield Token(kind, word.decode(), int(number) if number else None)
