"""Owns the checking of sub-queries: what a model made of a question is hostile input, and little of it is believed."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from embedmill.retrieval.understanding.units import codes_of
from embedmill.shared.providers.models.lists import read_items
from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.queries import parse_text
from embedmill.shared.words.signs import parts_of
from embedmill.shared.words.splitting import tokens

SUBQUERIES = "subqueries"
FEWEST, MOST = 2, 4
LONGEST = 200
"""Characters of a sub-query."""
MOST_BORROWED = 1
"""Words of the prompt's examples that the question does not have, and that may be a language's own."""

_NUMBERED = re.compile(r"^[ \t]*(?:[-*•]|\(?\d{1,2}[.):])[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_EXAMPLES = re.compile(r"^# Examples$(.*?)(?=^# |\Z)", re.MULTILINE | re.DOTALL)
_AROUND = " \t\"'`*“”„«»"


@dataclass(frozen=True, slots=True)
class Plan:
    """The sub-queries of a question that were held, none where it is looked for as a whole; `why` says why it is."""

    subqueries: tuple[str, ...] = ()
    why: str = ""
    is_whole: bool = True
    """Whether the answer that it was made of was; one that was cut off is not worth keeping."""


def read_subqueries(answer: str) -> tuple[list[object], bool] | None:
    """What an answer lists, as JSON or else by numbers, and whether it was whole; None for one that lists nothing."""
    try:
        return read_items(answer, SUBQUERIES)
    except ValueError:
        listed = [found.strip(_AROUND) for found in _NUMBERED.findall(answer)]
        return (list(listed), True) if listed else None


def check_plan(question: str, said: Sequence[object], *, prompt: str, is_whole: bool = True) -> Plan:
    """The sub-queries that may be searched for, four at most; none where fewer than two are left.

    Each shares a word with the question and has no code, number or quoted text but the question's; it says nothing
    that another says or the question as a whole, and nothing of the prompt's examples.
    """
    if len(said) < FEWEST:
        return Plan((), "the model finds one question in it", is_whole)
    held = _held(question, said, prompt)[:MOST]
    if len(held) < FEWEST:
        return Plan((), f"{len(said) - len(held)} of {len(said)} sub-queries were not held", is_whole)
    kept = {code for subquery in held for code in _codes(subquery)}
    if lost := [code for code in _codes(question) if code not in kept]:
        return Plan((), f"the sub-queries leave out {lost[0]}", is_whole)
    return Plan(tuple(held), "" if is_whole else "the model was cut off", is_whole)


def _held(question: str, said: Iterable[object], prompt: str) -> list[str]:
    own = _words(question)
    seen = {own}
    held = []
    for each in said:
        subquery = " ".join(each.split()) if isinstance(each, str) else ""
        words = _words(subquery) if 0 < len(subquery) <= LONGEST else frozenset()
        if (
            words & own
            and words not in seen
            and _is_to_the_letter(subquery, question)
            and not _borrows(subquery, own, prompt)
        ):
            held.append(subquery)
            seen.add(words)
    return held


def _is_to_the_letter(subquery: str, question: str) -> bool:
    return _codes(subquery) <= _codes(question) and _quoted(subquery) <= _quoted(question)


def _borrows(subquery: str, own: frozenset[str], prompt: str) -> bool:
    """Whether it has a name of the prompt's examples, or several of their words, that the question does not have."""
    names, vocabulary = _examples(prompt)
    new = _words(subquery) - own
    return not new.isdisjoint(names) or len(new & vocabulary) > MOST_BORROWED


@cache
def _examples(prompt: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names in a prompt's examples, and all of their words."""
    found = _EXAMPLES.search(prompt)
    lines = [line.removeprefix("Question: ") for line in found[1].splitlines() if line] if found else []
    shown = [text for line in lines for text in _texts(line)]
    names = {fold(token) for text in shown for token in tokens(normalise(text))[1:] if token[0].isupper()}
    return frozenset(names), frozenset(word for text in shown for word in _words(text))


def _texts(line: str) -> list[str]:
    return list(json.loads(line)[SUBQUERIES]) if line.startswith("{") else [line]


def _words(text: str) -> frozenset[str]:
    return frozenset(word.text for word in parse_text(text).words if not word.functional)


def _codes(text: str) -> frozenset[str]:
    return frozenset(map(fold, codes_of(text)))


def _quoted(text: str) -> frozenset[str]:
    return frozenset(" ".join(fold(part.text).split()) for part in parts_of(text) if part.is_phrase)
