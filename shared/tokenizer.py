"""The offline token counter: cl100k_base counts, exact for OpenAI's models and a fair estimate for the others.

The library is tiktoken; its vocabulary comes from a file of ours, because tiktoken would load it from the network.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from embedmill.shared.lexicon import MARK, MOST, NEW, TextWords, WordRun, current, is_plain, spelled
from embedmill.shared.packed_words import PackedWords
from embedmill.shared.ranked_tokens import ENCODING, read_tokens
from embedmill.shared.remembering import Remembered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tiktoken import Encoding

# How the encoding cuts a text before it looks for tokens; from tiktoken's definition of it.
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_LONGEST_SPACE = 100_000
_KNOWN_PARTS, _LONGEST_KNOWN = 16_384, 40
"""Parts of words whose tokens are remembered, and characters of the longest."""
_FEW = 4
"""So many new words are encoded one by one."""
_SOME = 4
"""Where more than one word in so many is new, and more are met than can be remembered, the whole text is encoded."""
_PLACE = 32
_TOKENS = (1 << _PLACE) - 1
"""Places and tokens are counted in one number, the place above the lower 32 bits, so that one sum finds both."""
_LAST_SPACE = 0x3000
_ODD_PAIRS = ("  ", "\n ")
_ODD_SPACES = (MARK, *filter(str.isspace, map(chr, {*range(_LAST_SPACE + 1)} - {0x20, 0x0A})))
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
    text are counted. `words` are its words, where it was cut into some.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.words: TextWords | None = None
        self._counts: dict[tuple[int, int], int] = {}  # of what holds no seam and is no word
        if len(text) > _LONGEST_KNOWN:
            self._seams, self.words = _find_seams(text)
        else:
            self._seams = [0, (len(text) << _PLACE) + _parts[text]]

    def count(self, start: int, end: int) -> int:
        """Tokens of `text[start:end]`, exactly those that `count_tokens` tells of it."""
        seams = self._seams
        first = seams[bisect_left(seams, start << _PLACE)]
        last = seams[bisect_left(seams, end + 1 << _PLACE) - 1]
        begin, stop = first >> _PLACE, last >> _PLACE
        if start == begin and stop == end:
            return (last - first) & _TOKENS
        if first > last:
            return self._count_part(start, end)
        tokens = (last - first) & _TOKENS
        if start < begin:
            tokens += self._count_part(start, begin)
        return tokens + self._count_part(stop, end) if stop < end else tokens

    def find_start(self, tail: int, end: int, most: int) -> int | None:
        """Where the last words up to a place begin that have at most so many tokens, none before `tail` above 0.

        It is looked for as `bisect` does among the words behind white space; None if not even the last word fits.
        Only a text that was cut into words is asked, and a part that holds no blank before a line feed.
        """
        seams, text = self._seams, self.text
        low, stop = bisect_left(seams, tail << _PLACE), bisect_left(seams, end << _PLACE)
        if seams[low] >> _PLACE == tail and text[tail] != " ":
            low += 1
        if low >= stop:
            return None
        last, high = seams[bisect_left(seams, end + 1 << _PLACE) - 1], stop
        rest = self._count_part(last >> _PLACE, end) if last >> _PLACE < end else 0
        while low < high:
            middle = (low + high) // 2
            place = seams[middle] >> _PLACE
            is_spaced = text[place] == " "
            first = seams[middle + is_spaced]
            if first > last:
                tokens = self._count_part(place + is_spaced, end)
            else:
                tokens = ((last - first) & _TOKENS) + rest
                if is_spaced:
                    tokens += self._count_part(place + 1, first >> _PLACE)
            if tokens > most:
                low = middle + 1
            else:
                high = middle
        if low >= stop:
            return None
        place = seams[low] >> _PLACE
        return place + (text[place] == " ")

    def _count_part(self, start: int, end: int) -> int:
        if end - start <= _LONGEST_KNOWN:
            return _parts[self.text[start:end]]
        found = self._counts.get((start, end))
        if found is None:
            found = self._counts[start, end] = count_tokens(self.text[start:end])
        return found


def _holds_any(text: str, some: Iterable[str]) -> bool:
    return any(map(text.__contains__, some))


def cut_into_words(text: str) -> "WordRun | None":
    """The words of a short text; None where it is spaced oddly."""
    if _holds_any(text, (*_ODD_PAIRS, *_ODD_SPACES)):
        return None
    words, lexicon = _marked(text).split(" "), current()
    numbers = lexicon.find(words)
    if new := [word for word, number in zip(words, numbers.tolist(), strict=True) if number == NEW]:
        lexicon.meet(new)
        numbers = lexicon.find(words)
    others = tuple(word for word, number in zip(words, numbers.tolist(), strict=True) if number == NEW)
    return WordRun(lexicon, numbers.astype("i4"), others, is_composed=False)


def _find_seams(text: str) -> "tuple[list[int], TextWords | None]":
    """Where the encoding always cuts, whatever stands before and after, and how many tokens there are before: packed.

    That is at the words: before a space that no white space precedes, and behind a line feed that none follows. A token
    that holds the space begins with it; one that holds the line feed has all of the white space before it, as it has at
    the end of a text. The looks ahead of the encoding's rules are for white space alone.
    """
    import numpy as np

    # Of the odd pairs, the first would make a word of nothing, and the second one of a mark alone.
    if MARK in text or not (words := PackedWords(_marked(text))).are_apart:
        return _encode_whole(text), None
    lexicon = current()
    known = lexicon.table(_make_counts)
    numbers = lexicon.find_packed(words)
    counts = known.take(numbers)
    new = (counts == 0).nonzero()[0]
    if len(new):
        met = words.words(new)
        too_many = len(new) * _SOME > len(words) and not lexicon.is_first
        if too_many or (not all(map(is_plain, met)) and _holds_any(text, _ODD_SPACES)):
            return _encode_whole(text), None
        numbers[new], counts[new] = lexicon.meet(met), _count_new(met)
        new = new[numbers[new] != NEW]
        known[numbers[new]] = counts[new]
    seams = np.zeros(len(counts) + 1, np.int64)
    counts.cumsum(out=seams[1:])
    others = tuple(words.words((numbers == NEW).nonzero()[0]))
    return seams.tolist(), TextWords(lexicon, numbers, seams[1:] >> _PLACE, others)


def _make_counts() -> "NDArray[np.int64]":
    """Characters and tokens of words, packed, by their numbers."""
    import numpy as np

    return np.zeros(MOST + 1, np.int64)


def _count_new(words: Sequence[str]) -> list[int]:
    """The counts of words: most are encoded as one text, since each by itself takes several times as long."""
    apart = list(dict.fromkeys(filter(_stands_apart, words)))
    counts = dict(zip(apart, _count_together(apart), strict=True)) if len(apart) > _FEW else {}
    for word in words:
        if word not in counts:
            counts[word] = _count_word(word)
    return list(map(counts.__getitem__, words))


def _stands_apart(key: str) -> bool:
    """Whether no token goes beyond the word where another such word follows: it has a space before, and none behind."""
    return key != "" and key[0] != MARK and not key[-1].isspace()


def _count_together(keys: Sequence[str]) -> Iterator[int]:
    import numpy as np

    keys = list(map(_encodable, keys))
    tokens = np.array(_encode(f" {' '.join(keys)}"), np.intp)
    sizes = [len(key) + 1 if key.isascii() else len(key.encode()) + 1 for key in keys]
    ends = np.cumsum(_token_lengths()[tokens])
    before = np.searchsorted(ends, np.cumsum(sizes), side="right").tolist()
    for key, (fewer, more) in zip(keys, pairwise([0, *before]), strict=True):
        yield (len(key) + 1 << _PLACE) + more - fewer


def _marked(text: str) -> str:
    """The text with a mark before each word that no space precedes, and with a space before that, but at its begin."""
    marked = text.replace("\n", f"\n {MARK}").replace(f" {MARK}\n", "\n")
    return f"{MARK}{marked}"


def _encode_whole(text: str) -> list[int]:
    """The seams of a text whose words are not to be remembered: it is encoded at once."""
    import numpy as np

    text = _encodable(text)
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


def _count_word(key: str) -> int:
    word = spelled(key)
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

    tokens = read_tokens()
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    ranks = dict(zip(tokens, range(len(tokens)), strict=True))
    del tokens
    encoding = Encoding(ENCODING, pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})
    # Only a copy of it could be asked for its ranks; counting has them in tables of its own, a third as large again.
    ranks.clear()
    return encoding, lengths


_parts = Remembered(count_tokens, most=_KNOWN_PARTS)
"""Tokens of parts of words."""
