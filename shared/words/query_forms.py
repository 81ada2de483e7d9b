"""Owns how the dates, numbers and numerals of a query are looked for in the forms that rows may have."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from embedmill.shared.words.cutting import term_id
from embedmill.shared.words.dates import dates_in
from embedmill.shared.words.grouped_numbers import numbers_in
from embedmill.shared.words.numerals import numerals_in
from embedmill.shared.words.other_forms import OtherForm
from embedmill.shared.words.query_words import AdjoinedWords, QueryWord, SpelledWords
from embedmill.shared.words.splitting import split, tokens

MOST_FORMS = 10
"""Dates, numbers and numerals of a query that are looked for in other forms."""


class QueryForm(NamedTuple):
    """What is looked for beside a date or a number of a query, and the terms that bring up rows to be read."""

    adjoined: tuple[AdjoinedWords, ...] = ()
    spelled: tuple[SpelledWords, ...] = ()
    hints: tuple[int, ...] = ()


def other_forms(text: str, words: Sequence[QueryWord]) -> list[QueryForm]:
    """The other forms of what a normalised query of these words has."""
    known = {word.text: word for word in words}
    telling = {word.text for word in words if not (word.functional or word.part_of)}
    return [_looked_for(form, known, telling) for form in islice(_forms_in(text), MOST_FORMS)]


def _forms_in(text: str) -> Iterator[OtherForm]:
    """What may have other forms; a date is no number."""
    dates = list(dates_in(text))
    yield from dates
    numbers = (*numbers_in(text), *numerals_in(text))
    yield from (form for form in numbers if not any(form.written in date.written for date in dates))


def _looked_for(form: OtherForm, known: dict[str, QueryWord], telling: set[str]) -> QueryForm:
    """Rows that have it as it is written come first, where it alone is asked for."""
    cut = list(map(split, tokens(form.written)))
    wholes = [known[one] for pieces in cut for one in pieces.wholes[:1] if one in known]
    parts = (one for pieces in cut for one in (*pieces.words, *pieces.grams))
    words = tuple(known[one] for one in parts if one in known) or tuple(wholes)
    is_named = telling.issubset({word.text for word in (*words, *wholes)}) or len(words) > 2
    if not words or (form.is_usual and not is_named):
        return QueryForm()
    is_one = len(cut) == 1
    whole = (*wholes, *words)[0].terms if is_one else ()
    terms = tuple(term for term in map(term_id, form.wholes) if term not in whole)
    adjoined = (AdjoinedWords(words, terms, is_named and is_one, whole),) if terms else ()
    if not form.pattern:
        return QueryForm(adjoined, hints=form.hints)
    spelled = [SpelledWords(words, (), is_named, whole, pattern=form.pattern)]
    if is_named:
        spelled.append(SpelledWords(words, (), is_named, pattern=rf"(?<!\w){re.escape(form.written)}(?!\w)"))
    return QueryForm(adjoined, tuple(spelled), form.hints)
