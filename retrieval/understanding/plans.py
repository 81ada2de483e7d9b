"""Owns the checking of sub-queries: what a model made of a question is hostile input, and little of it is believed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embedmill.retrieval.understanding.holding import borrows, codes, quoted, words_of
from embedmill.shared.providers.models.lists import read_items

SUBQUERIES = "subqueries"
FEWEST, MOST = 2, 4
LONGEST = 200
"""Characters of a sub-query."""

_NUMBERED = re.compile(r"^[ \t]*(?:[-*•]|\(?\d{1,2}[.):])[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
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
    kept = {code for subquery in held for code in codes(subquery)}
    if lost := [code for code in codes(question) if code not in kept]:
        return Plan((), f"the sub-queries leave out {lost[0]}", is_whole)
    return Plan(tuple(held), "" if is_whole else "the model was cut off", is_whole)


def _held(question: str, said: Iterable[object], prompt: str) -> list[str]:
    own = words_of(question)
    seen = {own}
    held = []
    for each in said:
        subquery = " ".join(each.split()) if isinstance(each, str) else ""
        words = words_of(subquery) if 0 < len(subquery) <= LONGEST else frozenset()
        if (
            words & own
            and words not in seen
            and _is_to_the_letter(subquery, question)
            and not borrows(subquery, own, prompt)
        ):
            held.append(subquery)
            seen.add(words)
    return held


def _is_to_the_letter(subquery: str, question: str) -> bool:
    return codes(subquery) <= codes(question) and quoted(subquery) <= quoted(question)
