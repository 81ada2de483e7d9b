"""Owns the other forms of a word in languages whose texts have words as they stand, as no stemmer is known for them.

A query asks for these forms too, so no index has to be made for it: Ukrainian and Bulgarian endings, Hebrew prefixes,
Bengali cases; and Greek endings, of which Snowball makes different stems.
"""
# ruff: noqa: RUF001 - letters of other scripts that look like Latin ones

import re
from collections.abc import Iterator, Sequence
from functools import cache

SHORTEST = 3
"""Letters that are left of a word without its ending."""

_SLAVIC = (
    "а у и і ю я ї е є о ою ею єю ом ем єм ові еві єві ів їв ей ам ям ами ями ах ях ий ій ого ому им их ими "
    "ът ят та то те ите ове овете"
).split()
_GREEK = "οσ ου ο ον οι ων ουσ α ασ εσ η ησ εισ εωσ εων ι ιο ια ιου ιων".split()
_BENGALI = "ে র ের কে তে টি টা গুলি গুলো রা য় েই ও".split()
_HEBREW = "ה ב ל מ ש ו כ וה שה מה לה בה כש וב ול".split()
_OF_UKRAINIAN = frozenset("іїєґ")
_CLOSED = re.compile(r"і(?=[^аеиіоуюяєї]\Z)")
_OPEN = re.compile(r"[ое](?=[^аеиіоуюяєї]\Z)")
_SCRIPTS = {
    "cyrillic": "\u0400-\u04ff",
    "greek": "\u0370-\u03ff",
    "hebrew": "\u05d0-\u05ea",
    "bengali": "\u0980-\u09ff",
}


def inflected(word: str) -> tuple[str, ...]:
    """The other forms that a folded word may have; none of a script whose words are stemmed or stand as they are."""
    if word.isascii() or len(word) < SHORTEST:
        return ()
    script = next((name for name, pattern in _patterns().items() if pattern.fullmatch(word)), "")
    match script:
        case "cyrillic":
            forms = set(_slavic(word))
        case "greek":
            forms = set(_ended(_base(word, _GREEK), _GREEK))
        case "bengali":
            forms = {*_ended(word, _BENGALI), *_ended(_base(word, _BENGALI), _BENGALI)}
        case "hebrew":
            forms = set(_prefixed(word))
        case _:
            return ()
    return tuple(sorted(forms - {word}))


def _slavic(word: str) -> Iterator[str]:
    """With the vowel that Ukrainian has in closed syllables: договір and договору, осінь."""
    base = _base(word, _SLAVIC)
    if base == word:
        yield from _ended(base, _SLAVIC)
        for vowel in "ое":
            opened = _CLOSED.sub(vowel, base)
            yield from _ended(opened, _SLAVIC) if opened != base else ()
    else:
        yield from _ended(base, _SLAVIC)
        yield _OPEN.sub("і", base)


def _base(word: str, endings: Sequence[str]) -> str:
    """A word without the longest of some endings, as far as enough is left."""
    long_first = sorted(endings, key=len, reverse=True)
    return next(
        (word[: -len(one)] for one in long_first if word.endswith(one) and len(word) - len(one) >= SHORTEST), word
    )


def _ended(base: str, endings: Sequence[str]) -> Iterator[str]:
    yield base
    yield from (base + ending for ending in endings)


def _prefixed(word: str) -> Iterator[str]:
    """With the article and what else is written as one with a word, and without."""
    yield from (prefix + word for prefix in _HEBREW)
    yield from (word[len(one) :] for one in _HEBREW if word.startswith(one) and len(word) - len(one) >= SHORTEST)


def is_ukrainian(word: str) -> bool:
    """Whether it has a letter that Russian lacks: short texts with its forms may have been taken for Russian."""
    return not _OF_UKRAINIAN.isdisjoint(word)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(f"[{signs}]+") for name, signs in _SCRIPTS.items()}
