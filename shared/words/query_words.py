"""Owns the words of a query by its tokens: identifiers, their parts, and what else they may be written as."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from embedmill.shared.words.cutting import alternatives, term_id, terms_in
from embedmill.shared.words.spellings import drawn_together, other_wholes, written_out
from embedmill.shared.words.splitting import Pieces, close, has_wholes_within, take_apart

PART_SHARE = 0.1
"""Of a part's weight beside its identifier, which some row holds: parts that are loose never outweigh it."""
LOOSE_PART_SHARE = 0.2
"""The same for a word with a hyphen, whose parts alone mean as much: `well-known`."""
FAINT_SHARE = 0.01
"""Of a part of what is one word for the cutter, as A and 320 of A320, where no row holds that: it only brings up rows
that may hold it apart."""
WHOLE_SHARE = 0.5
"""Of a Korean word with its particles, beside its pairs of syllables."""
CLOSED_SHARE = 0.5
"""Of an identifier, for its form without hyphens, which PX1098C holds as PX-1098-C does; the rest is for the latter."""
COMPOUNDING = ("de", "nl", "sv", "da", "no", "fi")
_LINKS = ("", "s", "es", "n", "en", "er", "e")
SHORTEST_COMPOUNDED = 3
WITH_UMLAUTS = ("de", "sv", "da", "no", "fi")


@dataclass(frozen=True, slots=True)
class QueryWord:
    """One word of a query with the terms that stand for it (a stem for each language, say) and its share of weight.

    A row holds one of the terms at most, but for words that are written with and without their marks. `part_of` has the
    terms of the identifier of which it is a part: it counts little where any row holds that one. A `functional` word
    only holds others together, in the language that the query seems to be in: it counts nothing where it is common.
    """

    text: str
    terms: tuple[int, ...]
    weight: float = 1.0
    part_of: tuple[int, ...] = ()
    part_share: float = 1.0
    functional: bool = False
    spare: tuple[int, ...] = ()
    """Terms of other spellings that may be other words too: they stand for it where no row has it as it is written."""


@dataclass(frozen=True, slots=True)
class AdjoinedWords:
    """Words side by side in a query that may be one identifier, with the terms of that; it adds to theirs."""

    words: tuple[QueryWord, ...]
    terms: tuple[int, ...]
    is_named: bool
    """Whether nothing else is asked for, or it has so many parts that it can be nothing else."""
    whole: tuple[int, ...] = ()
    """The terms of what they are as one word in the query; rows that have it so come first."""


@dataclass(frozen=True, slots=True)
class SpelledWords:
    """Letters and numbers of a query that a row may hold side by side and in another spelling: RFC 2616 for RFC-2616.

    No term stands for that, so rows are read for them; those that hold them are worth so much more.
    """

    words: tuple[QueryWord, ...]
    parts: tuple[str, ...]
    is_named: bool
    whole: tuple[int, ...] = ()
    written: str = ""
    """The terms of the identifier as it is written, and that, folded; none where its words stand apart."""
    signs: str = ""
    """What is looked for with its signs, folded, where these are what its words leave out."""
    pattern: str = ""
    """The regular expression that finds it in a folded text, where it has other words there: a date, a number."""


def words_of_token(token: str, pieces: Pieces) -> Iterator[QueryWord]:
    """The words of a token that was split into these pieces: identifiers before their parts."""
    wholes = [*_wholes_of(pieces)]
    if has_wholes_within(token):
        wholes[1:] = (replace(within, part_of=wholes[0].terms, part_share=PART_SHARE) for within in wholes[1:])
    part_of = tuple(term for whole in wholes for term in whole.terms)
    part_share = LOOSE_PART_SHARE if pieces.loose else PART_SHARE
    part_weight = 1.0
    if take_apart(token):
        part_share, part_weight = 0.0, FAINT_SHARE
    if pieces.grams:
        yield from _overlapping(pieces, wholes)
    else:
        yield from wholes
    for word, shown in zip(pieces.words, pieces.shown, strict=True):
        terms = (*alternatives(word, shown), *_other_letters(word, shown))
        spare = _spare(word) if not part_of and word == shown else ()
        yield QueryWord(word, terms, part_weight, part_of=part_of, part_share=part_share, spare=spare)


def _other_letters(word: str, shown: str) -> tuple[int, ...]:
    """The terms of a word with its umlauts as two letters; of one without, those with them where these are usual."""
    if word != shown:
        out = written_out(shown)
        return alternatives(out, out) if out != word else ()
    return tuple(chain.from_iterable(terms_in(drawn, WITH_UMLAUTS) for drawn in drawn_together(word)))


def compound_terms(one: str, other: str) -> tuple[int, ...]:
    """Two words as one, as texts have it whose languages make one of them: Haustürschlüssel for Haustür Schlüssel."""
    if not (one + other).isalpha() or not (one + other).isascii() or min(len(one), len(other)) < SHORTEST_COMPOUNDED:
        return ()
    joined = (f"{one}{link}{other}" for link in _LINKS)
    return tuple(dict.fromkeys(chain.from_iterable(terms_in(word, COMPOUNDING) for word in joined)))


def _spare(word: str) -> tuple[int, ...]:
    """What a plain word may be written as too: a name with an umlaut in a text of any language, or a tag."""
    if not word.isalpha():
        return ()
    drawn = chain.from_iterable(alternatives(other, other) for other in drawn_together(word))
    return (term_id(f"#{word}"), *drawn)


def _wholes_of(pieces: Pieces) -> Iterator[QueryWord]:
    """Identifiers as they are written; each counts as one together with its closed form."""
    for whole in pieces.wholes:
        weight = CLOSED_SHARE if close(whole) in pieces.closed else 1.0
        others = tuple(map(term_id, other_wholes(whole)))
        yield QueryWord(whole, (*alternatives(whole, whole), *others), weight)
    yield from (QueryWord(closed, (term_id(closed),), CLOSED_SHARE) for closed in pieces.closed)


def _overlapping(pieces: Pieces, wholes: Sequence[QueryWord]) -> Iterator[QueryWord]:
    """Pairs of signs, which count together as the words that they are; a Korean word with its particle adds half."""
    yield from (replace(whole, weight=WHOLE_SHARE) for whole in wholes)
    share = pieces.length / len(pieces.grams)
    yield from (QueryWord(gram, (term_id(gram),), share) for gram in pieces.grams)
