"""Owns the languages: which one a text is in, by its function words, and the stems of their words."""

import re
import struct
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import accumulate, chain, pairwise

import numpy as np
import Stemmer
from numpy.typing import NDArray

from embedmill.shared.words.folding import fold
from embedmill.shared.words.scripts import script_of

LONGEST_STEMMED = 40
SHORTEST_STEMMED = 3
ENOUGH_VOTES = 2
_NO_LETTERS = re.compile(r"[\x00-@\[-`{-\x7f]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
SHORT_TEXT = 8
"""Of a text of up to so many words one function word tells the language."""
OF_A_WORD, OF_A_LETTER = 2, 1
"""What a function word is worth, and a letter that few languages have."""
LANE_BITS = 16
"""Of the votes for one language, which no text fills."""

DEFAULTS = {
    "latin": "en",
    "cyrillic": "ru",
    "greek": "el",
    "arabic": "ar",
    "hebrew": "he",
    "devanagari": "hi",
    "armenian": "hy",
    "tamil": "ta",
}
"""What a text is taken for that tells nothing of its language, by script: a wrong guess costs a stem, never a word."""

Languages = tuple[str, ...]
"""The language of each script of a text, in the order of `DEFAULTS`."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language; `words` are its function words, folded and as they are written; `stemmer` is empty without one."""

    code: str
    script: str
    stemmer: str
    words: frozenset[str]
    letters: frozenset[str]


@cache
def languages() -> Mapping[str, Language]:
    """Every language by its code, in the order of the table."""
    table = tomllib.loads(files(__package__).joinpath("languages.toml").read_text("utf-8"))
    return {code: _language(code, entry) for code, entry in table.items()}


def _language(code: str, entry: Mapping[str, str]) -> Language:
    written = entry["words"].split()
    words = frozenset(written) | frozenset(map(fold, written))
    return Language(code, script_of(written[0]), entry.get("stemmer", ""), words, frozenset(entry.get("letters", "")))


@cache
def of_script(script: str) -> tuple[Language, ...]:
    """The languages of one script."""
    return tuple(language for language in languages().values() if language.script == script)


@dataclass(frozen=True, slots=True)
class _Votes:
    """What words and letters vote for, as whole numbers with a lane for each language, so that a sum adds all of them.

    Lanes of a script stand side by side, the language first that is taken among equals; those of Latin letters first.
    """

    words: Mapping[str, int]
    letters: Mapping[str, int]
    scripts: tuple[tuple[str, ...], ...]
    read: struct.Struct

    @property
    def lanes(self) -> int:
        """How many languages there are."""
        return self.read.size // 2

    def cast(self, words: Set[str], signs: str) -> int:
        """The votes of a text."""
        cast = sum(map(self.words.__getitem__, self.words.keys() & words))
        if signs.isascii():
            return cast
        return cast + self.cast_letters(signs)

    def cast_letters(self, signs: str) -> int:
        """The votes of rare letters, none of which is of ASCII."""
        rare = self.letters.keys() & set("".join(_BEYOND_ASCII.findall(signs)))
        return sum(map(self.letters.__getitem__, rare))

    def count(self, cast: int) -> dict[str, float]:
        """The votes for each language that has any, in words."""
        counts = zip(chain.from_iterable(self.scripts), self.read_lanes(cast), strict=True)
        return {code: count / OF_A_WORD for code, count in counts if count}

    def elect(self, cast: int, enough: int) -> Languages:
        """The language of each script with the most votes, the default one with too few."""
        counts = self.read_lanes(cast)
        first, *others = self.scripts
        if not any(counts[len(first) :]):
            return (_most(first, counts, enough), *(codes[0] for codes in others))
        ends = list(accumulate(map(len, self.scripts), initial=0))
        lanes = (counts[begin:end] for begin, end in pairwise(ends))
        return tuple(_most(codes, ours, enough) for codes, ours in zip(self.scripts, lanes, strict=True))

    def read_lanes(self, cast: int) -> tuple[int, ...]:
        """The votes by lane."""
        return self.read.unpack(cast.to_bytes(self.read.size, "little"))


def _most(codes: Sequence[str], counts: Sequence[int], enough: int) -> str:
    """The first of the languages with the most votes; the first of all when these are too few."""
    most = max(counts)
    return codes[counts.index(most)] if most >= enough else codes[0]


@cache
def _votes() -> _Votes:
    scripts = tuple(tuple(_ranked(script)) for script in DEFAULTS)
    lanes = {code: LANE_BITS * lane for lane, code in enumerate(chain.from_iterable(scripts))}
    words, letters = Counter[str](), Counter[str]()
    for code, lane in lanes.items():
        words.update(dict.fromkeys(languages()[code].words, OF_A_WORD << lane))
        letters.update(dict.fromkeys(languages()[code].letters, OF_A_LETTER << lane))
    return _Votes(dict(words), dict(letters), scripts, struct.Struct(f"<{len(lanes)}H"))


def _ranked(script: str) -> Iterator[str]:
    """The languages of a script: the default one, then the others as the table has them."""
    yield DEFAULTS[script]
    yield from (language.code for language in of_script(script) if language.code != DEFAULTS[script])


def guess(tokens: Iterable[str], signs: str = "") -> Languages:
    """The language of each script, by distinct function words among the tokens and by rare letters among the signs.

    The one with most votes, the default one among equals; and the default one when there are too few.
    """
    words = set(tokens)
    cast = _votes().cast(words, signs)
    return _votes().elect(cast, OF_A_WORD * (ENOUGH_VOTES if len(words) > SHORT_TEXT else 1))


def count_votes(words: Set[str], signs: str = "") -> dict[str, float]:
    """How many of some words in small letters are function words of each language; rare letters count by a share."""
    return _votes().count(_votes().cast(words, signs))


def voters() -> Mapping[str, Sequence[int]]:
    """All function words, each with the lanes of the languages that it speaks for."""
    found: dict[str, list[int]] = {}
    for lane, code in enumerate(chain.from_iterable(_votes().scripts)):
        for word in languages()[code].words:
            found.setdefault(word, []).append(lane)
    return found


def add_up(voices: NDArray[np.intp], owners: NDArray[np.intp], most: int) -> NDArray[np.int64]:
    """The votes of function words by owner and lane, of shape (most, lanes): of each word the lanes, and its owner."""
    lanes = _votes().lanes
    return OF_A_WORD * np.bincount(owners * lanes + voices, minlength=most * lanes).reshape(most, lanes)


def add_letters(votes: NDArray[np.int64], signs: str) -> None:
    """Add the votes of rare letters to those of a text."""
    if cast := _votes().cast_letters(signs):
        votes += _votes().read_lanes(cast)


def elect_each(votes: NDArray[np.int64], is_short: Callable[[int], bool]) -> list[Languages]:
    """The languages of many texts as `guess` tells them; `is_short` is asked where it decides."""
    begins = [0, *accumulate(map(len, _votes().scripts))]
    chosen = [_elect(votes[:, begin:end], is_short) for begin, end in pairwise(begins)]
    return [_spoken(places) for places in zip(*chosen, strict=True)]


def _elect(votes: NDArray[np.int64], is_short: Callable[[int], bool]) -> list[int]:
    most = votes.max(axis=1)
    best = np.where(most >= OF_A_WORD, votes.argmax(axis=1), 0)
    for text in np.flatnonzero((most >= OF_A_WORD) & (most < OF_A_WORD * ENOUGH_VOTES) & (best != 0)).tolist():
        if not is_short(text):
            best[text] = 0
    found: list[int] = best.tolist()
    return found


@lru_cache(maxsize=1024)
def _spoken(places: tuple[int, ...]) -> Languages:
    return tuple(codes[place] for codes, place in zip(_votes().scripts, places, strict=True))


def stems(word: str, shown: str, language: Language) -> tuple[str, ...]:
    """The stems of a folded word: that of its written form, and that of the folded one, for who leaves marks out.

    Empty for a function word, and where no stemmer is known; whether the word `may_be_inflected` is asked before.
    """
    if not language.stemmer or word in language.words:
        return ()
    stemmer = _stemmer(language.stemmer)
    stem: str = stemmer.stemWord(word)
    if shown == word:
        return (stem,)
    other = fold(stemmer.stemWord(shown)) or word
    return (stem,) if other == stem else (other, stem)


def may_be_inflected(word: str) -> bool:
    """What has digits or signs is a name, and what is very long is data."""
    return SHORTEST_STEMMED <= len(word) <= LONGEST_STEMMED and not _NO_LETTERS.search(word)


class _Stemmers(threading.local):
    """Snowball's stemmers keep state while they work: each thread has its own."""

    def __init__(self) -> None:
        self.by_name: dict[str, Stemmer.Stemmer] = {}


_OURS = _Stemmers()


def _stemmer(name: str) -> "Stemmer.Stemmer":
    if name not in _OURS.by_name:
        _OURS.by_name[name] = Stemmer.Stemmer(name, 0)
    return _OURS.by_name[name]
