"""The offline token counter: cl100k_base counts, exact for OpenAI's models and a fair estimate for the others.

The library is tiktoken; its vocabulary comes from a file of ours, because tiktoken would load it from the network.
"""

import re
from binascii import a2b_base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tiktoken import Encoding

ENCODING = "cl100k_base"
# How the encoding cuts a text before it looks for tokens; from tiktoken's definition of it.
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_LONGEST_SPACE = 100_000
# A shorter text is encoded each time it is asked about.
_SHORT_CHARACTERS = 256


def count_tokens(text: str) -> int:
    """Tokens of `text`; markers such as <|endoftext|> count as the plain text that they are in a document."""
    return len(_encode(_encodable(text)))


def count_many(texts: Sequence[str]) -> list[int]:
    """Tokens of each text, in order. A lone surrogate counts like a question mark; nothing raises."""
    return [count_tokens(text) for text in texts]


class CountedText:
    """A text of whose parts the tokens are counted often: it is encoded once, of a part only what is at its ends.

    A part is encoded as if it stood alone. Between two seams that makes no difference, so there the tokens of the whole
    text are counted.
    """

    def __init__(self, text: str) -> None:
        self.text = _encodable(text)
        self._counts: dict[tuple[int, int], int] = {}
        self._seams, self._before = _find_seams(self.text) if len(text) >= _SHORT_CHARACTERS else ([], [])

    def count(self, start: int, end: int) -> int:
        """Tokens of `text[start:end]`, exactly those that `count_tokens` tells of it."""
        part = (start, end)
        if part not in self._counts:
            self._counts[part] = self._count(start, end)
        return self._counts[part]

    def _count(self, start: int, end: int) -> int:
        # A seam at the very end was one because of what follows, which the part does not have.
        first, last = bisect_right(self._seams, start), bisect_left(self._seams, end) - 1
        if first >= last:
            return count_tokens(self.text[start:end])
        head = _count_end(self.text[start : self._seams[first]])
        return head + self._before[last] - self._before[first] + _count_end(self.text[self._seams[last] : end])


def _find_seams(text: str) -> tuple[list[int], list[int]]:
    """Where the encoding always cuts, whatever stands before and after, and how many tokens there are before.

    That is behind an ASCII letter which no letter follows, but another ASCII character.
    """
    import numpy as np

    # In UTF-8, all bytes of other characters are above those of ASCII.
    encoded = np.frombuffer(text.encode(), dtype=np.uint8)
    is_letter = ((encoded | 0x20) - np.uint8(ord("a"))) < 26
    places = 1 + np.flatnonzero(is_letter[:-1] & ~is_letter[1:] & (encoded[1:] < 0x80))
    tokens = np.array(_encode(text))
    before = np.searchsorted(np.cumsum(_token_lengths()[tokens]), places, side="right")
    seams = places if text.isascii() else np.cumsum((encoded & 0xC0) != 0x80)[places - 1]
    return seams.tolist(), before.tolist()


@lru_cache(maxsize=65536)
def _count_end(text: str) -> int:
    return count_tokens(text)


def _encode(text: str) -> list[int]:
    encode = _encoding().encode_ordinary
    if len(text) <= _LONGEST_SPACE:
        return encode(text)
    return [token for part in _without_long_space(text) for token in encode(part)]


def _without_long_space(text: str) -> Iterator[str]:
    """The text in parts: tiktoken's regular expressions overflow their stack in a million spaces."""
    start = 0
    for space in _SPACE.finditer(text):
        for cut in range(space.start() + _LONGEST_SPACE, space.end(), _LONGEST_SPACE):
            yield text[start:cut]
            start = cut
    yield text[start:]


def _encodable(text: str) -> str:
    return text if text.isascii() else _LONE_SURROGATE.sub("?", text)


def load_vocabulary() -> None:
    """Load what counting needs, which the first count does otherwise."""
    _vocabulary()


def _encoding() -> "Encoding":
    return _vocabulary()[0]


def _token_lengths() -> "NDArray[np.int64]":
    """Bytes of each token, by rank."""
    return _vocabulary()[1]


@cache
def _vocabulary() -> "tuple[Encoding, NDArray[np.int64]]":
    # Reading it takes a tenth of a second, which a command that counts nothing should not pay.
    import numpy as np
    from tiktoken import Encoding

    ranks = _read_ranks()
    lengths = np.zeros(len(ranks), dtype=np.int64)
    lengths[list(ranks.values())] = list(map(len, ranks))
    return Encoding(ENCODING, pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={}), lengths


def _read_ranks() -> dict[bytes, int]:
    fields = files("embedmill.shared").joinpath(f"vocabulary/{ENCODING}.tiktoken").read_bytes().split()
    return dict(zip(map(a2b_base64, fields[::2]), map(int, fields[1::2]), strict=True))
