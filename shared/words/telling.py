"""Owns whether a query's words say anything by themselves: function words, letters and digits are in every text."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.languages import guess, languages
from embedmill.shared.words.splitting import tokens
from embedmill.shared.words.written import signed_runs

_NO_NAMES = frozenset({"I", "AND", "OR", "NOT"})
"""Function words that are written large by others than names."""
_NO_NAMES_OF_ONE_LETTER = frozenset("AI")
_FUNCTIONAL_SIGNS = re.compile(
    "[\u3041-\u3096\u7684\u4e86\u662f\u5728\u548c\u4e0d\u4e5f\u5c31\u90fd\u800c\u4e0e\u8207\u6211]"
)
"""A sign of Hiragana, or one of those that hold a Chinese sentence together."""
ENOUGH_TOGETHER = 3
"""So many different words side by side say something, whatever they are: to be or not to be."""


def is_name(word: str, *, is_first: bool) -> bool:
    """Whether a function word is written as a name is: IT, The Who, vitamin A."""
    if word in _NO_NAMES or not word[0].isupper():
        return False
    return not is_first or (len(word) > 1 and word.isupper())


@lru_cache(maxsize=256)
def may_tell_nothing(query: str) -> tuple[str, ...]:
    """The different words of a query where each is a function word of some language, a letter or a digit; else none.

    None either of what is told by its signs, as `x != y`.
    """
    cut = tuple(dict.fromkeys(tokens(normalise(query))))
    are_bare = all(_is_single(token) or fold(token) in _functional() for token in cut)
    return cut if are_bare and not any(signed_runs(query)) else ()


def tell_in(cut: Sequence[str], text: str) -> bool:
    """Whether some of these words say something in a text: they are none of its language's function words, or names."""
    parts = text.split()
    spoken = [languages()[code] for code in guess(parts, text)]
    functional = frozenset[str]().union(*(language.words for language in spoken))
    return any(_tells(token, at, functional, text) for at, token in enumerate(cut))


def _tells(token: str, at: int, functional: frozenset[str], text: str) -> bool:
    if _is_single(token) and (token in _NO_NAMES_OF_ONE_LETTER or not token.isupper()):
        return False
    if _is_single(token) or is_name(token, is_first=not at):
        return token in tokens(normalise(text))
    return fold(token) not in functional


def _is_single(token: str) -> bool:
    return len(token) == 1 and (token.isascii() or _FUNCTIONAL_SIGNS.match(token) is not None)


@cache
def _functional() -> frozenset[str]:
    """The function words of all languages."""
    return frozenset[str]().union(*(language.words for language in languages().values()))
