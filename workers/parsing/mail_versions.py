"""Owns which version of a mail's body is read: the plain one, unless it only says that there is another."""

import re
from collections.abc import Iterator
from html import unescape

LEAST_SAID = 0.2
"""Of a body's words in HTML, a plain version that says less is only a hint that there is one in HTML."""

LONGEST_HINT = 100
"""Words from which on a plain version says something itself."""

LEAST_SHARED = 0.5
"""Of a plain version's words, the share that the one in HTML has too; with fewer they say different things."""

LEAST_BESIDE = 0.5
"""Of the plain version's words, how many one in HTML must have that says something else: pictures have few."""

_TAG = re.compile(r"<[^<>]*>")
_SILENT = re.compile(r"<(style|script|title)\b", re.IGNORECASE)
_APART = re.compile(r"[\s<>]+")
_ADDRESS = "://", "@"
"""One of these makes an address of a word."""

_WORD = re.compile(r"\w{2,}")


def says_enough(plain: str, markup: str) -> bool:
    """Whether a plain version says what the one in HTML says; addresses of links are no words of it."""
    said, marked = len(plain.split()), len((text := _TAG.sub(" ", "".join(_spoken(markup)))).split())
    if said <= marked * LEAST_SAID or said > LONGEST_HINT:
        return said > marked * LEAST_SAID
    words = _words(" ".join(word for word in _APART.split(plain) if not any(sign in word for sign in _ADDRESS)))
    shared = words & _words(unescape(text))
    return len(shared) >= len(words) * LEAST_SHARED or marked < said * LEAST_BESIDE


def _spoken(markup: str) -> Iterator[str]:
    """Without what a page holds for programs."""
    at = 0
    while found := _SILENT.search(markup, at):
        yield markup[at : found.start()]
        end = markup.find(f"</{found[1]}", found.end())
        at = len(markup) if end < 0 else end
    yield markup[at:]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
