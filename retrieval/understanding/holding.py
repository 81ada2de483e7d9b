"""Owns what a model may neither add to a question nor take from it: codes, quoted text, words of our prompts."""

import json
import re
from collections.abc import Iterator
from functools import cache

from embedmill.retrieval.expansion.units import codes_of
from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.queries import parse_text
from embedmill.shared.words.signs import parts_of
from embedmill.shared.words.splitting import tokens

MOST_BORROWED = 1
"""Words of the prompt's examples that the question does not have, and that may be a language's own."""

_EXAMPLES = re.compile(r"^# Examples$(.*?)(?=^# |\Z)", re.MULTILINE | re.DOTALL)


def borrows(subquery: str, own: frozenset[str], prompt: str) -> bool:
    """Whether it has a name of the prompt's examples, or several of their words, that the question does not have."""
    names, vocabulary = _examples(prompt)
    new = words_of(subquery) - own
    return not new.isdisjoint(names) or len(new & vocabulary) > MOST_BORROWED


@cache
def _examples(prompt: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names in a prompt's examples, and all of their words."""
    found = _EXAMPLES.search(prompt)
    lines = [line.removeprefix("Question: ") for line in found[1].splitlines() if line] if found else []
    shown = [text for line in lines for text in _texts(line)]
    names = {fold(token) for text in shown for token in tokens(normalise(text))[1:] if token[0].isupper()}
    return frozenset(names), frozenset(word for text in shown for word in words_of(text))


def _texts(line: str) -> list[str]:
    return list(_strings(json.loads(line))) if line.startswith("{") else [line]


def _strings(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list | dict):
        for each in node.values() if isinstance(node, dict) else node:
            yield from _strings(each)


def words_of(text: str) -> frozenset[str]:
    """The words that say something."""
    return frozenset(word.text for word in parse_text(text).words if not word.functional)


def codes(text: str) -> frozenset[str]:
    """The codes and numbers."""
    return frozenset(map(fold, codes_of(text)))


def quoted(text: str) -> frozenset[str]:
    """What stands in quotation marks."""
    return frozenset(" ".join(fold(part.text).split()) for part in parts_of(text) if part.is_phrase)
