"""Owns what is asked: the text, what its signs mean, and what that asks of every row that a search may find."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

from embedmill.retrieval.expansion.expansion import AddedName
from embedmill.shared.errors import UsageError
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.providers.vectorstores.exact import selects
from embedmill.shared.providers.vectorstores.rows import Selection, VectorRow
from embedmill.shared.words.naming import read_name
from embedmill.shared.words.phrases import Phrase
from embedmill.shared.words.queries import WordQuery, parse_query
from embedmill.shared.words.query_words import QueryWord
from embedmill.shared.words.telling import ENOUGH_TOGETHER, may_tell_nothing, tell_in

Mode = Literal["dense", "lexical", "hybrid"]
MODES: tuple[Mode, ...] = get_args(Mode)

MOST_REQUIRED = 200
"""Different words of phrases that stores are told, as each costs a pass; rows that are read are held to all."""


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """A query as it was read once for the whole search."""

    text: str
    words: WordQuery
    mode: Mode
    where: Condition | None = None
    added: tuple[AddedName, ...] = ()
    """Other names of what it names: they find and weigh, and nothing is asked of a row for them."""

    @property
    def terms(self) -> tuple[int, ...]:
        """All terms that may add to a score, be they the user's, of other spellings, or added."""
        added = (term for name in self.added for word in name.words for term in word.terms)
        return tuple(dict.fromkeys((*self.words.counted_terms, *added)))

    @property
    def asks(self) -> bool:
        """Whether anything is looked for: signs and exclusions alone are no query."""
        return bool(self.words.words) or any(map(_is_telling, self.words.plain))

    @property
    def selection(self) -> Selection:
        """What stores are told: the filter, the words of the phrases, and none of what is excluded."""
        return Selection(
            self.where,
            tuple(dict.fromkeys(terms for phrase in self.words.phrases for terms in phrase.required))[:MOST_REQUIRED],
            frozenset(term for word in self.words.excluded for term in word.terms),
        )

    @property
    def reads_rows(self) -> bool:
        """Whether a row's text has to be read to know if it may be found: stores know of words, not of phrases."""
        return bool(self.words.phrases or self.words.excluded_phrases)

    def is_met_by(self, row: VectorRow) -> bool:
        """Whether a row holds every phrase, and none that is excluded."""
        fields = _fields(row)
        return _hold_all(self.words.phrases, fields) and not _hold_any(self.words.excluded_phrases, fields)

    def as_written(self, row: VectorRow) -> bool:
        """Whether a row holds all of the query as it is written."""
        whole = _phrase(self.words.plain)
        if whole.held_by(row.title, row.section, row.text):
            return True
        return whole.may_be_named(row.uri) and whole.held_by(*_named(row))

    @property
    def has_numbers_alone(self) -> bool:
        """Whether no word of it has a letter: no cosine tells one number from another."""
        return bool(self.words.words) and not any(sign.isalpha() for word in self.words.words for sign in word.text)

    def tells_in(self, row: VectorRow) -> bool:
        """Whether holding the words says anything of a row: function words, a letter or a digit alone say nothing."""
        words = may_tell_nothing(self.words.plain)
        if not words or tell_in(words, row.text):
            return True
        return len(words) >= ENOUGH_TOGETHER and self.as_written(row)

    def shows(self, row: VectorRow) -> bool:
        """Whether a row may stand beside a hit: the filter and what is excluded hold for it too."""
        allowed = replace(self.selection, required=())
        return selects(allowed, row) and not _hold_any(self.words.excluded_phrases, _fields(row))


def ask(text: str, *, mode: Mode = "hybrid", where: Condition | None = None) -> SearchQuestion:
    """Read a query; raises UsageError for what is none."""
    if not isinstance(text, str):
        raise UsageError(f"a query is a text, and not {type(text).__name__}")
    if mode not in MODES:
        raise UsageError(f"{mode!r} is no search mode", hint=f"Use {', '.join(MODES[:-1])} or {MODES[-1]}.")
    return SearchQuestion(text, parse_query(text), mode, where)


_phrase = lru_cache(maxsize=8)(Phrase)


def _fields(row: VectorRow) -> tuple[str, ...]:
    return row.title, *_named(row), row.section, row.text


def _named(row: VectorRow) -> tuple[str, str]:
    name = read_name(row.uri)
    return name.text, name.bare_text


def texts_of(words: Iterable[QueryWord]) -> list[str]:
    """The words as they are shown: not the parts of what is one word, which count where no row holds that."""
    return [word.text for word in words if word.part_share]


def _is_telling(character: str) -> bool:
    """Letters, digits and pictures say something; punctuation does not."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "So"


def _hold_all(phrases: Iterable[Phrase], fields: tuple[str, ...]) -> bool:
    return all(phrase.held_by(*fields) for phrase in phrases)


def _hold_any(phrases: Iterable[Phrase], fields: tuple[str, ...]) -> bool:
    return any(phrase.held_by(*fields) for phrase in phrases)
