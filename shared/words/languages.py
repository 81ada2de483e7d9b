"""Owns the languages: which one a text is in, by its function words, and the stems of their words."""

import re
import threading
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain

import Stemmer

from embedmill.shared.words.folding import fold
from embedmill.shared.words.scripts import script_of

LONGEST_STEMMED = 40
SHORTEST_STEMMED = 3
ENOUGH_VOTES = 2
_NO_LETTERS = re.compile(r"[\x00-@\[-`{-\x7f]")
SHORT_TEXT = 8
"""Of a text of up to so many words one function word tells the language."""
OF_A_LETTER = 0.5
"""What a letter that few languages have is worth, in function words."""

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


@cache
def _votes() -> Mapping[str, tuple[str, ...]]:
    """The languages of which a word is a function word."""
    voted: dict[str, list[str]] = {}
    for language in languages().values():
        for word in language.words:
            voted.setdefault(word, []).append(language.code)
    return {word: tuple(codes) for word, codes in voted.items()}


@cache
def _voting() -> frozenset[str]:
    return frozenset(_votes())


def guess(tokens: Iterable[str], signs: str = "") -> Languages:
    """The language of each script, by distinct function words among the tokens and by rare letters among the signs.

    The one with most votes, the default one among equals; and the default one when there are too few.
    """
    words = set(tokens)
    votes = count_votes(words, signs)
    enough = ENOUGH_VOTES if len(words) > SHORT_TEXT else 1
    told = [code for code, count in votes.items() if count >= enough]
    spoken = dict(DEFAULTS)
    for code in sorted(told, key=lambda code: (votes[code], _rank()[code])) if told else ():
        spoken[languages()[code].script] = code
    return tuple(spoken.values())


def count_votes(words: Set[str], signs: str = "") -> Counter[str]:
    """How many of some words in small letters are function words of each language; rare letters count by a share."""
    votes: Counter[str] = Counter(chain.from_iterable(map(_votes().__getitem__, _voting().intersection(words))))
    if not signs.isascii():
        votes.update(_letters(set(signs)))
    return votes


def _letters(signs: set[str]) -> dict[str, float]:
    """What the letters of a text that few languages have are worth."""
    found = ((code, len(language.letters & signs)) for code, language in languages().items())
    return {code: OF_A_LETTER * count for code, count in found if count}


@cache
def _rank() -> Mapping[str, int]:
    """Which language is taken among equals: the default one of its script, then the first of the table."""
    order = [code for code in languages() if code not in DEFAULTS.values()]
    return {code: -at for at, code in enumerate([*DEFAULTS.values(), *order])}


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
