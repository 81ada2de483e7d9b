"""Owns RTF's syntax: groups, control words with their numbers, escaped bytes, and text."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class RtfTokenKind(StrEnum):
    """What a token is."""

    OPEN = "{"
    CLOSE = "}"
    WORD = "word"
    OPTIONAL = "optional"
    BYTES = "bytes"


class RtfToken(NamedTuple):
    r"""`word` is a control word's or symbol's name, `number` what stands behind it; `data` are bytes of text.

    An OPTIONAL word has `\\*` before it. A WORD without a name stands for words that mean nothing to the reader.
    """

    kind: RtfTokenKind
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


class RtfTokens:
    r"""In order; the binary data behind `\\bin` is passed over, however it looks. `known` are the words that count."""

    def __init__(self, data: bytes, known: frozenset[str]) -> None:
        self._data = data
        self._known = known
        self._position = 0
        self._met: dict[bytes, tuple[RtfToken, ...]] = {}

    def __iter__(self) -> Iterator[RtfToken]:
        """What was not skipped."""
        while match := _TOKEN.search(self._data, self._position):
            self._position = match.end()
            if match.lastgroup == "text":
                yield RtfToken(RtfTokenKind.BYTES, "", None, match[0])
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

    def take_group(self) -> bytes:
        """The same as it is written."""
        begin = self._position
        self.skip_group()
        return self._data[begin : self._position]

    def _remember(self, match: re.Match[bytes]) -> tuple[RtfToken, ...]:
        """Few runs of control words make up a file, so that each is looked at once."""
        tokens = self._read(match)
        if len(self._met) < _MOST_REMEMBERED:
            self._met[match[0]] = tokens
        return tokens

    def _read(self, match: re.Match[bytes]) -> tuple[RtfToken, ...]:
        match match.lastgroup:
            case "brace":
                return (RtfToken(RtfTokenKind.OPEN if match[0] == b"{" else RtfTokenKind.CLOSE),)
            case "hex":
                return (RtfToken(RtfTokenKind.BYTES, data=bytes.fromhex(match["hex"].decode())),)
            case "symbol":
                return (RtfToken(RtfTokenKind.WORD, match["symbol"].decode("latin-1")),)
            case "optional":
                return tuple(_words(match["optional"], RtfTokenKind.OPTIONAL))
        found = tuple(token for token in _words(match[0], RtfTokenKind.WORD) if token.word in self._known)
        return found or (RtfToken(RtfTokenKind.WORD),)


def _words(run: bytes, kind: RtfTokenKind) -> Iterator[RtfToken]:
    for word, number in _PARTS.findall(run):
        yield RtfToken(kind, word.decode(), int(number) if number else None)
