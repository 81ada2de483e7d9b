"""Owns the numbers of words: a word that was met has one, at which arrays hold what is known of it.

A word is what a text has between two places at which the tokens of OpenAI's encoding are always cut
(`shared.tokenizer`), so that a document is cut into words once. Who cuts texts by another rule, into what
stands between spaces or into letters and digits, finds his words within these.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from embedmill.shared.packed_words import SLOTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedmill.shared.packed_words import PackedWords

    Numbers = NDArray[np.intp]

MOST = 65_536
"""Words of a lexicon, some 150 bytes each; then another begins, with those of them that were met lately."""
LONGEST = 40
"""Characters of a word that has a number."""
NEW = -1
"""Stands for a word that has none. Arrays by number have a place more, which is its."""
MOST_TEXTS = 16_384
"""Texts whose words are remembered."""
MARK = "\0"
"""Stands before a word that no space precedes."""

T = TypeVar("T")


class MetLately:
    """Which of many numbers were met since three quarters of them were given."""

    def __init__(self, most: int) -> None:
        import numpy as np

        self._most = most
        self._is_late = False
        self._were_met = np.zeros(most + 1, np.bool_)

    def note(self, numbers: "NDArray[Any]", given: int) -> None:
        """Some were met when so many had been given."""
        if not self._is_late and 4 * given >= 3 * self._most:
            self._is_late = True
            self._were_met[:] = False
        self._were_met[numbers] = True

    def oldest(self, first: int = 0) -> "Numbers":
        """Those from `first` on, as far as with all before it they are half of all: what is met often was met early."""
        return first + self._were_met[first:-1].nonzero()[0][: max(self._most // 2 - first, 0)]


class Lexicon:
    """Words by number, and the tables of what is known of them. `is_first` says that no word was forgotten yet."""

    def __init__(
        self, words: Sequence[str] = (), tables: "Mapping[Callable[[], Any], Any] | None" = None, *, is_first: bool
    ) -> None:
        self.is_first = is_first
        self.words = list(words)
        self._numbers = {word: number for number, word in enumerate(words)}
        self._tables = dict(tables or {})
        self._lately = MetLately(MOST)
        self._lock = threading.Lock()

    def successor(self) -> "Lexicon":
        """Another one, with the words that were met lately, half of all at most, and what is known of these."""
        kept = self._lately.oldest()
        tables = {make: _keep(table, kept, make) for make, table in self._tables.items()}
        return Lexicon([self.words[number] for number in kept.tolist()], tables, is_first=False)

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
        self._lately.note(numbers, len(self.words))
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
        """What somebody knows of the words, made where it is not there.

        That is an array by number, or has a `kept` that tells the same of some words only, with numbers from 0 on.
        """
        found: T | None = self._tables.get(make)
        return self._tables.setdefault(make, make()) if found is None else found


def _keep(table: Any, kept: "Numbers", make: Callable[[], Any]) -> Any:
    import numpy as np

    if not isinstance(table, np.ndarray):
        return table.kept(kept)
    other = make()
    other[: len(kept)] = table[kept]
    return other


class _Keys:
    """The keys of words by their numbers, and the number of one word for each slot, if any has it.

    Another word of the same slot is not found here, nor is one that its key does not hold.
    """

    def __init__(self, numbers: "NDArray[np.int32] | None" = None, keys: "Sequence[NDArray[np.uint64]]" = ()) -> None:
        import numpy as np

        self._numbers = np.full(SLOTS, NEW, np.int32) if numbers is None else numbers
        self._first = np.zeros(MOST + 1, np.uint64)
        self._second = np.zeros(MOST + 1, np.uint64)
        for own, given in zip((self._first, self._second), keys, strict=False):
            own[: len(given)] = given
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

    def kept(self, numbers: "Numbers") -> Self:
        """The same of some words only, which have the numbers from 0 on there."""
        import numpy as np

        new = np.full(MOST + 1, NEW, np.int32)
        new[numbers] = np.arange(len(numbers))
        return type(self)(new[self._numbers], (self._first[numbers], self._second[numbers]))


class Latest:
    """The lexicon that has room, of those that there were one after the other."""

    def __init__(self) -> None:
        self._lexicon = Lexicon(is_first=True)
        self._lock = threading.Lock()

    def current(self) -> Lexicon:
        """What refers to another one stands as long as that is held."""
        if self._lexicon.is_full:
            with self._lock:
                if self._lexicon.is_full:
                    self._lexicon = self._lexicon.successor()
        return self._lexicon


latest = Latest()


def current() -> Lexicon:
    """The lexicon that has room."""
    return latest.current()


def bare(word: str) -> str:
    """A word without the mark and the line feeds behind it; empty where it is white space."""
    return word.removeprefix(MARK).rstrip("\n")


def spelled(word: str) -> str:
    """A word as it stands in a text, with the space before it."""
    return word[1:] if word.startswith(MARK) else f" {word}"


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
        """These words behind those of another text that ends with a line feed, so that no space precedes them."""
        import numpy as np

        # Behind its last line feed the other text has a word of a mark alone, in whose place our first one stands.
        first, others = int(self.numbers[0]), list(self.others)
        word = others.pop(0) if first == NEW else self.lexicon.words[first]
        if not word.startswith(MARK):
            word = f"{MARK}{word}"
            first = int(self.lexicon.meet([word])[0])
        numbers = np.concatenate((other.numbers, self.numbers[1:]), dtype=self.numbers.dtype)
        at = len(other.numbers) - 1
        before = other.others[: -1 if numbers[at] == NEW else None]
        numbers[at] = first
        return WordRun(self.lexicon, numbers, (*before, *([word] if first == NEW else ()), *others), is_composed=False)


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
