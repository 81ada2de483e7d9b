"""Owns the signs of a query: what is quoted, and what is excluded by a minus."""
# ruff: noqa: RUF001 - these are the very signs that are told apart

import re
from collections.abc import Iterator
from dataclasses import dataclass

_QUOTES = ('""', "“”", "„“", "„”", "””", "«»", "»«", "‹›", "「」", "『』", "＂＂")
WORDS_OF_A_SENTENCE = 3
"""So many words beside what is quoted are a sentence."""
_OF_BOOKS = "".join(pair[0] for pair in _QUOTES[1:])
_QUOTED = "|".join(f"{pair[0]}(?P<quoted{number}>[^{pair}]*){pair[1]}" for number, pair in enumerate(_QUOTES))
_PART = re.compile(rf"(?:(?<!\S)(?P<minus>[-−－])|(?<![^\s(\[]))(?:{_QUOTED})|(?<!\S)[-−－](?P<word>[.#@]?[^\W\d]\S*)")


@dataclass(frozen=True, slots=True)
class QueryPart:
    """A piece of a query; a sign is a phrase, or excludes, or both; what is neither is text."""

    text: str
    is_phrase: bool = False
    is_excluded: bool = False


def parts_of(query: str) -> Iterator[QueryPart]:
    """The parts of a query, in order.

    `"…"` is a phrase, `-word` and `-"…"` exclude. A minus before a digit is a number's; exclude a number as `-"40"`. A
    quotation mark without its other half is text, and so is everything else. Marks as books have them are text within
    a sentence, which quotes words to name them, and signs beside a word or two.
    """
    at = 0
    signs = list(_PART.finditer(query))
    is_sentence = len(_PART.sub(" ", query).split()) >= WORDS_OF_A_SENTENCE
    for match in signs:
        if is_sentence and not match["minus"] and match[0][0] in _OF_BOOKS:
            continue
        yield QueryPart(query[at : match.start()])
        yield _signed(match)
        at = match.end()
    yield QueryPart(query[at:])


def _signed(match: re.Match[str]) -> QueryPart:
    if match["word"]:
        return QueryPart(match["word"], is_excluded=True)
    quoted = next(text for number in range(len(_QUOTES)) if (text := match[f"quoted{number}"]) is not None)
    return QueryPart(quoted, is_phrase=True, is_excluded=bool(match["minus"]))
