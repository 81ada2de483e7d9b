"""Owns the numbers of words: a word that was met has one, at which arrays hold what is known of it.

A word is what a text has between two places at which the tokens of OpenAI's encoding are always cut
(`shared.tokenizer`), so that a document is cut into words once. Who cuts texts by another rule, into what
stands between spaces or into letters and digits, finds his words within these.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from embedmill.shared.packed_words import SLOTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedmill.shared.packed_words import PackedWords

    Numbers = NDArray[np.intp]

MOST = 65_536
"""Words of a lexicon, some 150 bytes each; then another begins."""
LONGEST = 40
"""Characters of a word that has a number."""
NEW = -1
"""Stands for a word that has none. Arrays by number have a place more, which is its."""
MOST_TEXTS = 16_384
"""Texts whose words are remembered."""
MARK = "\0"
"""Stands before a word that no space precedes."""

T = TypeVar("T")


class Lexicon:
    """Words by number, and the tables of what is known of them. `is_first` says that no word was forgotten yet."""

    def __init__(self, *, is_first: bool) -> None:
        self.is_first = is_first
        self.words: list[str] = []
        self._numbers: dict[str, int] = {}
        self._tables: dict[Callable[[], Any], Any] = {}
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        return len(self.words) >= MOST

    def find(self, words: Sequence[str]) -> "Numbers":
        """The number of each word, NEW where it has none."""
        import numpy as np

        return np.fromiter(map(self._numbers.get, words, repeat(NEW)), np.intp, len(words))

    def find_packed(self, packed: "PackedWords") -> "NDArray[np.int32]":
        """The same of a text's words, most of which are told by their keys and need not be made."""
        known = self.table(_Keys)
        numbers, is_known = known.find(packed)
        places = (~is_known).nonzero()[0]
        if len(places):
            numbers[places] = self.find(packed.words(places))
            known.learn(packed, places[packed.is_whole[places] & (numbers[places] != NEW)], numbers)
        return numbers

    def meet(self, words: Iterable[str]) -> "Numbers":
        """The same of words that get one now, as far as there is room."""
        import numpy as np

        with self._lock:
            return np.fromiter(map(self._meet, words), np.intp)

    def _meet(self, word: str) -> int:
        number = self._numbers.get(word, NEW)
        if number == NEW and len(word) <= LONGEST and is_plain(word) and not self.is_full:
            number = len(self.words)
            self.words.append(word)
            self._numbers[word] = number
        return number

    def table(self, make: Callable[[], T]) -> T:
        """What somebody knows of the words, made where it is not there."""
        found: T | None = self._tables.get(make)
        return self._tables.setdefault(make, make()) if found is None else found


class _Keys:
    """The keys of words by their numbers, and the number of one word for each slot, if any has it.

    Another word of the same slot is not found here, nor is one that its key does not hold.
    """

    def __init__(self) -> None:
        import numpy as np

        self._numbers = np.full(SLOTS, NEW, np.int32)
        self._first = np.zeros(MOST + 1, np.uint64)
        self._second = np.zeros(MOST + 1, np.uint64)
        self._second[NEW] = 1  # no word has this key

    def find(self, packed: "PackedWords") -> "tuple[NDArray[np.int32], NDArray[np.bool_]]":
        """A number for each word, and whether it is its own."""
        numbers = self._numbers.take(packed.slots)
        return numbers, (self._first.take(numbers) == packed.first) & (self._second.take(numbers) == packed.second)

    def learn(self, packed: "PackedWords", places: "Numbers", numbers: "NDArray[np.int32]") -> None:
        """Keep the keys of words at some places, each of which has a number, where their slots are free.

        What a slot says is true only with the key, which another thread may be looking at: that is written first.
        """
        places = places[self._numbers[packed.slots[places]] == NEW]
        if not len(places):
            return
        of = numbers[places]
        self._first[of], self._second[of] = packed.first[places], packed.second[places]
        self._numbers[packed.slots[places]] = of


class Latest:
    """The lexicon that has room, of those that there were one after the other."""

    def __init__(self) -> None:
        self.lexicon = Lexicon(is_first=True)


latest = Latest()


def current() -> Lexicon:
    """The lexicon that has room; what refers to another one stands as long as that is held."""
    if latest.lexicon.is_full:
        latest.lexicon = Lexicon(is_first=False)
    return latest.lexicon


def bare(word: str) -> str:
    """A word without the mark and the line feeds behind it; empty where it is white space."""
    return word.removeprefix(MARK).rstrip("\n")


def is_plain(word: str) -> bool:
    """Whether no white space stands in it, nor anything else that is not seen; others have no number."""
    return bare(word).isprintable()


class WordRun(NamedTuple):
    """The words of a part of a text by their numbers; `others` are those that have none, in order."""

    lexicon: Lexicon
    numbers: "NDArray[np.int32]"
    others: Sequence[str]
    is_composed: bool
    """Whether `shared.words` reads them as they stand, so that it may take these words for the text's."""

    def behind(self, other: "WordRun") -> "WordRun":
        """These words behind those of another text."""
        import numpy as np

        numbers = np.concatenate((other.numbers, self.numbers))
        return WordRun(self.lexicon, numbers, (*other.others, *self.others), is_composed=False)


@dataclass(frozen=True, slots=True)
class TextWords:
    """The words of a text by their numbers, and where each ends; `others` are those that have none, in order."""

    lexicon: Lexicon
    numbers: "NDArray[np.int32]"
    ends: "NDArray[np.int64]"
    others: Sequence[str]

    def runs(self, spans: Sequence[tuple[int, int]], *, is_composed: bool) -> list[WordRun]:
        """The words of parts that begin and end at white space, or where the text does."""
        firsts = self.ends.searchsorted([start for start, _ in spans], side="right").tolist()
        lasts = (self.ends.searchsorted([end for _, end in spans]) + 1).tolist()
        others: Sequence[Sequence[str]] = [()] * len(spans)
        if self.others:
            import numpy as np

            new = np.flatnonzero(self.numbers == NEW)
            begins, ends = new.searchsorted(firsts).tolist(), new.searchsorted(lasts).tolist()
            others = [self.others[begin:end] for begin, end in zip(begins, ends, strict=True)]
        return [
            WordRun(self.lexicon, self.numbers[first:last], some, is_composed)
            for first, last, some in zip(firsts, lasts, others, strict=True)
        ]


class Recalled:
    """The words of texts that are soon asked for again, by text."""

    def __init__(self) -> None:
        self._runs: dict[str, WordRun] = {}

    def note(self, runs: Mapping[str, WordRun]) -> None:
        """Remember the words of some texts until they are forgotten, as far as there is room."""
        if len(self._runs) < MOST_TEXTS:
            self._runs |= runs

    def find(self, texts: Sequence[str]) -> list[WordRun | None]:
        """The words of each text; None for those that are not remembered."""
        if not self._runs:
            return [None] * len(texts)
        lexicon = current()
        return [run if run is not None and run.lexicon is lexicon else None for run in map(self._runs.get, texts)]

    def forget(self) -> None:
        self._runs = {}


recalled = Recalled()
