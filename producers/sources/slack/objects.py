"""The objects of a JSON array, one at a time: a day's messages and a list of users need not fit into memory."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from embedmill.shared.containers.entries import Damage

CHUNK_BYTES = 256 * 1024
MOST_OBJECT_CHARACTERS = 16 * 1024 * 1024
_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,]*")
_HALF_PAIRS = re.compile("[\ud800-\udfff]")


def read_objects(stream: BinaryIO) -> Iterator[Any]:
    """What an array holds; nothing of `null`. Raises Damage where it breaks off or is none."""
    reader = _ObjectReader(stream)
    reader.skip()
    if reader.has_only("null"):
        return
    if not reader.take("["):
        raise Damage("it is no list in JSON")
    while reader.skip() and not reader.take("]"):
        yield reader.read_one()
    if not reader.is_closed:
        raise Damage("it is cut short")


def without_half_pairs(text: str) -> str:
    """A text that can be written: JSON may hold halves of surrogate pairs."""
    return _HALF_PAIRS.sub("\ufffd", text)


class _ObjectReader:
    """Characters of a stream that are not read yet; a byte that is no UTF-8 costs its own character only."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._text = ""
        self._at = 0
        self._has_ended = False
        self.is_closed = False

    def skip(self) -> bool:
        """Pass over blanks and commas; whether anything follows."""
        while True:
            found = _BETWEEN.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return True
            if not self._more():
                return False

    def has_only(self, word: str) -> bool:
        """Whether nothing follows but a word, or nothing at all."""
        while len(self._text) - self._at <= len(word) and self._more():
            pass
        return self._text[self._at :].strip() in ("", word)

    def take(self, sign: str) -> bool:
        """Whether this sign was next; it is passed over."""
        if self._text[self._at : self._at + 1] != sign:
            return False
        self._at += 1
        self.is_closed = sign == "]"
        return True

    def read_one(self) -> Any:
        """The next value; raises Damage."""
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                if len(self._text) - self._at > MOST_OBJECT_CHARACTERS or not self._double():
                    raise Damage("a message in it is cut short, too large, or no JSON") from None
            else:
                return value

    def _double(self) -> bool:
        """Read on until twice as much is there, so that a long object is not tried too often; whether there is more."""
        before = len(self._text) - self._at
        while len(self._text) - self._at < 2 * before + 1 and self._more():
            pass
        return len(self._text) - self._at > before

    def _more(self) -> bool:
        if self._has_ended:
            return False
        data = self._stream.read(CHUNK_BYTES)
        self._has_ended = not data
        self._text = self._text[self._at :] + self._decode(data, final=self._has_ended)
        self._at = 0
        return True
