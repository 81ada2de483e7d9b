"""The offline token counter: cl100k_base counts, exact for OpenAI's models and a fair estimate for the others.

The library is tiktoken; its vocabulary comes from a file of ours, because tiktoken would load it from the network.
"""

import re
from binascii import a2b_base64
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise, repeat
from typing import TYPE_CHECKING, Any

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
_KNOWN_WORDS, _LONGEST_KNOWN = 65_536, 40
"""Words whose tokens are remembered, and characters of the longest."""
_FEW = 4
"""So many new words are encoded one by one."""
_SOME = 16
"""Where more than one word in so many is new, and more are met than can be remembered, the whole text is encoded."""
_PLACE = 32
_TOKENS = (1 << _PLACE) - 1
_NEW = -1
"""Places and tokens are counted in one number, the place above the lower 32 bits, so that one sum finds both."""
_JOINED = "\0"
"""Before what no space precedes: words are told apart and remembered without their spaces."""
_LAST_SPACE = 0x3000
_ODD = ("  ", "\n ", _JOINED, *filter(str.isspace, map(chr, {*range(_LAST_SPACE + 1)} - {0x20, 0x0A})))
"""What no text holds in which all white space is single blanks, and line feeds that no blank follows."""
_SPACE_CODE, _LINE_FEED_CODE = 0x20, 0x0A


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
        self._seams = _find_seams(self.text) if len(text) > _LONGEST_KNOWN else []
        self._counts: dict[tuple[int, int], int] = {}  # of what holds no seam and is no word

    def count(self, start: int, end: int) -> int:
        """Tokens of `text[start:end]`, exactly those that `count_tokens` tells of it."""
        seams = self._seams
        first = bisect_left(seams, start << _PLACE)
        last = bisect_left(seams, end + 1 << _PLACE, first) - 1
        if first > last:
            return self._count_end(start, end)
        tokens = (seams[last] - seams[first]) & _TOKENS
        begin, stop = seams[first] >> _PLACE, seams[last] >> _PLACE
        if start < begin:
            tokens += self._count_end(start, begin)
        return tokens + self._count_end(stop, end) if stop < end else tokens

    def _count_end(self, start: int, end: int) -> int:
        if end - start <= _LONGEST_KNOWN:
            return _words[_JOINED + self.text[start:end]] & _TOKENS
        found = self._counts.get((start, end))
        if found is None:
            found = self._counts[start, end] = count_tokens(self.text[start:end])
        return found


def _find_seams(text: str) -> list[int]:
    """Where the encoding always cuts, whatever stands before and after, and how many tokens there are before: packed.

    That is at the words: before a space that no white space precedes, and behind a line feed that none follows. A token
    that holds the space begins with it; one that holds the line feed has all of the white space before it, as it has at
    the end of a text. The looks ahead of the encoding's rules are for white space alone.
    """
    if any(map(text.__contains__, _ODD)):
        return _encode_whole(text)
    words = _cut_evenly(text)
    counts = list(map(_words.get, words, repeat(_NEW)))
    if new := list(_places(counts, _NEW)):
        if len(new) * _SOME > len(words) and _words.has_forgotten:
            return _encode_whole(text)
        for place, count in zip(new, _count_new([words[place] for place in new]), strict=True):
            counts[place] = count
    return list(accumulate(counts, initial=0))


def _places(counts: list[int], wanted: int) -> Iterator[int]:
    """Where a number stands: there are few in nearly every text, as words that are too long to be remembered."""
    place = -1
    with suppress(ValueError):
        while True:
            yield (place := counts.index(wanted, place + 1))


def _count_new(keys: Sequence[str]) -> Iterator[int]:
    """The counts of words: most are encoded as one text, since each by itself takes several times as long."""
    apart = [key for key in keys if _stands_apart(key) and not _words.knows(key)]
    together = dict(zip(apart, _count_together(apart), strict=True)) if len(apart) > _FEW else {}
    for key in keys:
        yield _words.keep(key, together[key]) if key in together else _words[key]


def _stands_apart(key: str) -> bool:
    """Whether no token goes beyond the word where another such word follows: it has a space before, and none behind."""
    return key != "" and key[0] != _JOINED and not key[-1].isspace()


def _count_together(keys: Sequence[str]) -> Iterator[int]:
    import numpy as np

    tokens = np.array(_encode(f" {' '.join(keys)}"), np.intp)
    sizes = [len(key) + 1 if key.isascii() else len(key.encode()) + 1 for key in keys]
    ends = np.cumsum(_token_lengths()[tokens])
    before = np.searchsorted(ends, np.cumsum(sizes), side="right").tolist()
    for key, (fewer, more) in zip(keys, pairwise([0, *before]), strict=True):
        yield (len(key) + 1 << _PLACE) + more - fewer


def _cut_evenly(text: str) -> list[str]:
    marked = text.replace("\n", f"\n {_JOINED}").replace(f" {_JOINED}\n", "\n")
    return f"{_JOINED}{marked}".split(" ")


def _encode_whole(text: str) -> list[int]:
    """The seams of a text whose words are not to be remembered: it is encoded at once."""
    import numpy as np

    is_ascii = text.isascii()
    codes = np.frombuffer(text.encode("ascii" if is_ascii else "utf-32-le"), np.uint8 if is_ascii else np.uint32)
    white = _white()[codes if is_ascii else np.minimum(codes, _LAST_SPACE + 1)]
    begins = (codes[1:] == _SPACE_CODE) & ~white[:-1] | (codes[:-1] == _LINE_FEED_CODE) & ~white[1:]
    places = np.concatenate(([0], 1 + np.flatnonzero(begins), [len(text)]))
    bytes_before = places if is_ascii else _bytes_before(codes)[places]
    ends = np.cumsum(_token_lengths()[np.array(_encode(text), np.intp)])
    seams: list[int] = ((places << _PLACE) + np.searchsorted(ends, bytes_before, side="right")).tolist()
    return seams


def _bytes_before(codes: "NDArray[Any]") -> "NDArray[np.int64]":
    """How many bytes of UTF-8 there are before each character, and before the end."""
    import numpy as np

    widths = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    return np.concatenate(([0], np.cumsum(widths))).astype(np.int64)


def _word(key: str) -> str:
    return key[1:] if key.startswith(_JOINED) else f" {key}"


def _count_word(key: str) -> int:
    word = _word(key)
    return (len(word) << _PLACE) + count_tokens(word)


@cache
def _white() -> "NDArray[np.bool_]":
    """Whether a character is white space, by its code: all that Python or the encoding take for it."""
    import numpy as np

    return np.array([chr(code).isspace() for code in range(_LAST_SPACE + 2)])


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
    # Ranks are numbers from 0 on, in the order of the file.
    lengths = np.fromiter(map(len, ranks), np.int64, len(ranks))
    encoding = Encoding(ENCODING, pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})
    # Only a copy of it could be asked for its ranks; counting has them in tables of its own, a third as large again.
    ranks.clear()
    return encoding, lengths


def _read_ranks() -> dict[bytes, int]:
    fields = files("embedmill.shared").joinpath(f"vocabulary/{ENCODING}.tiktoken").read_bytes().split()
    # The file has them in order, and numbers them.
    return dict(zip(map(a2b_base64, fields[::2]), range(len(fields) // 2), strict=True))


class _Words(Remembered[str, int]):
    """Characters and tokens of words and of parts of them; those of long ones are not remembered."""

    def keep(self, key: str, value: int) -> int:
        return super().keep(key, value) if len(key) <= _LONGEST_KNOWN else value


_words = _Words(_count_word, most=_KNOWN_WORDS)
