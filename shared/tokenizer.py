"""The offline token counter: cl100k_base counts, exact for OpenAI's models and a fair estimate for the others.

The library is tiktoken; its vocabulary comes from a file of ours, because tiktoken would load it from the network.
"""

import re
from binascii import a2b_base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from embedmill.shared.remembering import Remembered

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
_SHORT_CHARACTERS = 256
"""A shorter text is encoded each time it is asked about."""
_KNOWN_WORDS, _LONGEST_KNOWN = 65_536, 40
"""Words whose tokens are remembered, and characters of the longest."""
_FEW = 6
"""Where more than one word in so many is new, the whole text is encoded: that takes less than each by itself."""
_SPACE_CODE, _LINE_FEED_CODE = 0x20, 0x0A
_WHITE_CODES = 0x3001
"""No character from here on is white space."""

_Seams = tuple[list[int], list[int]]
"""Places in a text, its beginning and end among them, and how many tokens there are before each."""


def count_tokens(text: str) -> int:
    """Tokens of `text`; markers such as <|endoftext|> count as the plain text that they are in a document."""
    return len(_encode(_encodable(text)))


def count_many(texts: Sequence[str]) -> list[int]:
    """Tokens of each text, in order. A lone surrogate counts like a question mark; nothing raises."""
    return [count_tokens(text) for text in texts]


class CountedText:
    """A text of whose parts the tokens are counted often: it is cut into words once, a part at its ends only.

    A part is encoded as if it stood alone. Between two seams that makes no difference, so there the tokens of the whole
    text are counted.
    """

    def __init__(self, text: str) -> None:
        self.text = _encodable(text)
        self._counts: dict[tuple[int, int], int] = {}  # of what holds no seam and is no word
        self._seams, self._before = _find_seams(self.text) if len(text) >= _SHORT_CHARACTERS else ([], [])

    def count(self, start: int, end: int) -> int:
        """Tokens of `text[start:end]`, exactly those that `count_tokens` tells of it."""
        seams, before = self._seams, self._before
        first, last = bisect_left(seams, start), bisect_right(seams, end) - 1
        if first > last:
            return self._count_end(start, end)
        tokens = before[last] - before[first]
        if start < seams[first]:
            tokens += self._count_end(start, seams[first])
        return tokens + self._count_end(seams[last], end) if seams[last] < end else tokens

    def _count_end(self, start: int, end: int) -> int:
        if end - start <= _LONGEST_KNOWN:
            return _words[self.text[start:end]]
        found = self._counts.get((start, end))
        if found is None:
            found = self._counts[start, end] = count_tokens(self.text[start:end])
        return found


def _find_seams(text: str) -> _Seams:
    """Where the encoding always cuts, whatever stands before and after: at the words.

    That is before a space that no white space precedes, and behind a line feed that none follows. A token that holds
    the space begins with it; one that holds the line feed has all of the white space before it, as it has at the end of
    a text. The looks ahead of the encoding's rules are for white space alone.
    """
    import numpy as np

    codes = _codes(text)
    white = _white()[codes if codes.dtype == np.uint8 else np.minimum(codes, _WHITE_CODES)]
    begins = (codes[1:] == _SPACE_CODE) & ~white[:-1] | (codes[:-1] == _LINE_FEED_CODE) & ~white[1:]
    seams = [0, *(1 + np.flatnonzero(begins)).tolist(), len(text)]
    words = [text[start:end] for start, end in pairwise(seams)]
    counts = list(map(_words.get, words))
    if all(counts):
        return seams, list(accumulate(counts, initial=0))  # type: ignore[arg-type]
    if counts.count(None) * _FEW <= len(words):
        return seams, list(accumulate(map(_count_word, words), initial=0))
    return seams, _count_before(text, seams, codes)


def _count_before(text: str, seams: list[int], codes: "NDArray[np.integer]") -> list[int]:
    """How many tokens there are before each seam, by encoding all of the text; its words are remembered."""
    import numpy as np

    places = np.array(seams)
    if codes.dtype != np.uint8:
        width = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
        places = np.concatenate(([0], np.cumsum(width)))[places]
    ends = np.cumsum(_token_lengths()[np.array(_encode(text))])
    before: list[int] = np.searchsorted(ends, places, side="right").tolist()
    for (start, end), (fewer, more) in zip(pairwise(seams), pairwise(before), strict=True):
        if end - start <= _LONGEST_KNOWN:
            _words.keep(text[start:end], more - fewer)
    return before


def _codes(text: str) -> "NDArray[np.uint8 | np.uint32]":
    import numpy as np

    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


@cache
def _white() -> "NDArray[np.bool_]":
    """Whether a character is white space, by its code: all that Python or the encoding take for it."""
    import numpy as np

    return np.array([chr(code).isspace() for code in range(_WHITE_CODES + 1)])


def _count_word(text: str) -> int:
    """Tokens of a word or less, remembered unless it is long."""
    return _words[text] if len(text) <= _LONGEST_KNOWN else count_tokens(text)


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


_words = Remembered(count_tokens, most=_KNOWN_WORDS)
