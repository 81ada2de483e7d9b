"""Owns what a user's query says: words, "phrases" and -exclusions; everything else is text."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, pairwise, repeat

from embedmill.shared.words.cutting import alternatives, term_id
from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.languages import guess, languages
from embedmill.shared.words.phrases import Phrase, pieces_of
from embedmill.shared.words.query_forms import other_forms
from embedmill.shared.words.query_words import (
    FAINT_SHARE,
    PART_SHARE,
    AdjoinedWords,
    QueryWord,
    SpelledWords,
    compound_terms,
    words_of_token,
)
from embedmill.shared.words.signs import QueryPart, parts_of
from embedmill.shared.words.spellings import in_one_form, name_and_number
from embedmill.shared.words.splitting import Pieces, split, take_apart, tokens
from embedmill.shared.words.telling import is_name
from embedmill.shared.words.weighing import SATURATION, WordCounts, Wording, rarity
from embedmill.shared.words.written import signed_runs

MOST_WORDS = 1000
"""Distinct words that are looked for; a longer query says so in its notes."""
MOST_COUNTED = 5 * MOST_WORDS
"""Tokens of a query whose parts are counted, for what its notes say."""
MOST_PHRASES = 100
"""Distinct phrases that are held to, and as many that are excluded; a query with more says so in its notes."""
SHORT_QUERY = 2
"""Queries of so many words keep their function words: `vitamin a`, `the who`."""
SHOUTED = 4
"""So many words in capitals are a sentence; fewer are names, as DIN EN 12."""
_RUN_OF_WORDS = re.compile(r"(?<![^\s(\[\"'])[^\W_]+(?:\+\+|#)?(?:\s[^\W_]+(?:\+\+|#)?)+(?![^\s.,;:!?)\]\"'])")
"""Words of letters and digits alone, one space between; a language's name may end with signs."""
_NO_LETTERS = frozenset("aiI")
"""Words of one letter."""
FEW_WORDS = 3
"""Beside an identifier and with it, in a query that is about it: a longer one is a question about more."""
MOST_ADJOINED = 5
"""Words side by side that may be an identifier whose hyphens are left out: CVE 2021 44228."""
LONGEST_NAMED = 100
_NUMERAL = re.compile(r"[A-Z]|[IVXLC]{2,5}")
MOST_COMPOUNDED = 6
"""Words of a query of which two side by side may be one in German, Dutch and Nordic texts."""
MOST_TRIED = 100
"""Such identifiers that are looked for in a query."""
LONGEST_FORMED = 1000
"""So much of a query is read for dates and numbers that have other forms."""
MOST_SPELLED = 100
"""Parts of an identifier that is looked for as it may be written otherwise; a longer one is found as it is written."""
ADJOINED_SHARE, NAMED_SHARE = 0.5, 4.0
"""Of the weights of its words, for such an identifier. The latter lifts it above texts that hold the words apart, also
in a text of three times the mean length."""
SPELLED_SHARE, HELD_SHARE = 2.0, 0.4
"""The same for rows that were read and hold it in whatever spelling, beside other words that are asked for; and where
some row holds it as the query writes it: behind that one, and before its parts apart."""
SIGNED_SHARE = 1.0
"""And for rows that hold words with the signs of the query, beside other words: foo() in a question about more."""
COMMON_SHARE = 0.01
"""Of the rows: a function word of the query's language that fewer hold is none here, as `hat` in English texts."""
USUAL_SHARE, ENOUGH_ROWS = 0.5, 100
"""A word that more of the rows hold, where there are enough of them, tells none from the others."""


@dataclass(frozen=True, slots=True)
class WordQuery:
    """A query as its user meant it.

    `words` has the phrases' words too. `plain` is the text without signs and
    exclusions: what is embedded. `excluded` words are excluded in every form by which they would be found, as `-cars`
    excludes a car; `-"cars"` excludes that form alone, and is an excluded phrase. `notes` say what was left out.
    """

    plain: str
    words: tuple[QueryWord, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[QueryWord, ...] = ()
    excluded_phrases: tuple[Phrase, ...] = ()
    notes: tuple[str, ...] = field(default=())
    adjoined: tuple[AdjoinedWords, ...] = ()
    spelled: tuple[SpelledWords, ...] = ()
    hints: tuple[int, ...] = ()
    """Terms that bring up rows which are read for another form of what is asked for, and say nothing by themselves."""

    @property
    def terms(self) -> tuple[int, ...]:
        """All terms that may add to a score."""
        adjoined = (term for some in self.adjoined for term in some.terms)
        return tuple(dict.fromkeys((*(term for word in self.words for term in word.terms), *adjoined, *self.hints)))

    @property
    def counted_terms(self) -> tuple[int, ...]:
        """These, and those of other spellings, of which it has to be known whether some row holds them."""
        return tuple(dict.fromkeys((*self.terms, *(term for word in self.words for term in word.spare))))

    def as_held(self, counted: WordCounts) -> "WordQuery":
        """The query with other spellings of those of its words that no row holds."""
        held = counted.holding or {}
        words = (
            word if any(map(held.get, word.terms)) else replace(word, terms=(*word.terms, *word.spare))
            for word in self.words
        )
        return replace(self, words=tuple(words)) if any(word.spare for word in self.words) else self


def parse_query(text: str) -> WordQuery:
    """The parts of a query. One that only excludes is text: there is nothing from which to exclude."""
    parts = [part for part in parts_of(text) if part.text.strip()]
    wanted = [part for part in parts if not part.is_excluded]
    if not any(_has_words(part.text) for part in wanted):
        parts = wanted = [QueryPart(text)]
    plain = " ".join(part.text.strip() for part in wanted)
    distinct = dict.fromkeys(parts)
    excluded, excluded_phrases = _exclusions(part for part in distinct if part.is_excluded)
    phrases = [
        Phrase(part.text) for part in distinct if not part.is_excluded and part.is_phrase and _has_words(part.text)
    ]
    read = parse_text(plain)
    return WordQuery(
        plain,
        read.words,
        tuple(phrases[:MOST_PHRASES]),
        excluded,
        tuple(excluded_phrases[:MOST_PHRASES]),
        (*read.notes, *_phrase_notes(phrases, "held to"), *_phrase_notes(excluded_phrases, "excluded")),
        read.adjoined,
        read.spelled,
        read.hints,
    )


def parse_text(text: str) -> WordQuery:
    """A query without signs, as one that nobody typed: quotation marks and minuses in it mean nothing."""
    normal = in_one_form(normalise(text))
    cut = list(dict.fromkeys(tokens(normal)))
    words, count = _words_of(cut[:MOST_COUNTED])
    adjoined = _adjoined(normal, words)
    spelled = (*_spelled(cut, words, adjoined), *_signed(text, words))
    spelled += tuple(_side_by_side_as_asked(normal, words, {some.parts for some in spelled}))
    forms = other_forms(normal[:LONGEST_FORMED], words)
    adjoined += (*(some for form in forms for some in form.adjoined), *_compounds(normal, words))
    spelled += tuple(some for form in forms for some in form.spelled)
    hints = tuple(dict.fromkeys(term for form in forms for term in form.hints))
    return WordQuery(text, words, notes=_notes(cut, count), adjoined=adjoined, spelled=spelled, hints=hints)


def _spelled(
    cut: Sequence[str], words: Sequence[QueryWord], adjoined: Sequence[AdjoinedWords]
) -> tuple[SpelledWords, ...]:
    """What may be spelled otherwise: identifiers of letters and numbers, and words side by side that may be one."""
    known = {word.text: word for word in words}
    spelled = [SpelledWords(some.words, _parts_of(some.words), some.is_named) for some in adjoined]
    functional = {word.text for word in words if word.functional}
    asked = sum(token.lower() not in functional for token in cut)
    for token in islice(cut, MOST_TRIED):
        pieces = take_apart(token) or split(token)
        parts = tuple(filter(None, map(known.get, pieces.words)))
        numbers = sum(map(str.isdecimal, pieces.words))
        whole = next(map(known.get, pieces.wholes), None)
        if whole is None or len(parts) != len(pieces.atoms) or len(parts) > MOST_SPELLED:
            continue
        is_lettered = asked == 1 or any(len(word.text) == 1 for word in parts)
        if is_lettered if pieces.loose else 0 < numbers < len(parts):
            named = tuple(map(fold, name_and_number(token))) or _parts_of(parts)
            spelled.append(SpelledWords(parts, named, len(parts) > 2 or asked == 1, whole.terms, whole.text))
    return tuple(spelled)


def _signed(text: str, words: Sequence[QueryWord]) -> Iterator[SpelledWords]:
    """What is written with signs that no word holds; it is named where nothing else is asked for."""
    known = {word.text: word for word in words}
    telling = {word.text for word in words if not (word.functional or word.part_of)}
    for run in islice(signed_runs(text), MOST_TRIED):
        parts = tuple(filter(None, map(known.get, dict.fromkeys(run.words))))
        if parts:
            is_named = telling.issubset((*run.words, *run.wholes))
            yield SpelledWords(parts, _parts_of(parts), is_named, signs=run.written)


def _side_by_side_as_asked(
    text: str, words: Sequence[QueryWord], known: Collection[tuple[str, ...]]
) -> Iterator[SpelledWords]:
    """All of a query of a few words of which one is a number, a letter or a numeral: these mean little elsewhere."""
    if len(text) > LONGEST_NAMED:
        return
    cut = tokens(text)
    if not 2 <= len(cut) <= MOST_ADJOINED + 1 or not any(map(_is_number_of, cut[1:], cut)):
        return
    parts = tuple(chain.from_iterable(split(token).atoms for token in cut))
    telling = tuple(word for word in words if not word.functional)
    if telling and parts not in known:
        yield SpelledWords(telling, parts, is_named=True, written=fold(text))


def _is_number_of(token: str, before: str) -> bool:
    """Whether one of two words side by side numbers the other: 5 and B, and 5 of 5 km."""
    return any(map(str.isdecimal, token + before)) or _NUMERAL.fullmatch(token) is not None


def _parts_of(words: Iterable[QueryWord]) -> tuple[str, ...]:
    return tuple(word.text for word in words)


def _adjoined(text: str, words: Sequence[QueryWord]) -> tuple[AdjoinedWords, ...]:
    """What words side by side may be an identifier of, where hyphens are left out: with digits, or a letter alone."""
    known = {word.text: word for word in words}
    telling = {word.text for word in words if not word.functional}
    asked = sum(not word.functional and not word.part_of for word in words)
    found: dict[str, AdjoinedWords] = {}
    for some in islice(_side_by_side(text), MOST_TRIED):
        parts = tuple(filter(None, map(known.get, map(fold, some))))
        letters = [word.text for word in parts if not word.text.isdecimal()]
        if len(parts) < len(some) or (letters and telling.isdisjoint(letters)):
            continue
        pieces = split("-".join(some))
        for term in (pieces.closed or pieces.wholes if letters or len(some) > 2 else ())[:1]:
            found[term] = AdjoinedWords(parts, alternatives(term, term), len(some) > 2 or asked == len(some))
    return tuple(found.values())


def _compounds(text: str, words: Sequence[QueryWord]) -> Iterator[AdjoinedWords]:
    """What two words of a query of a few may be as one, in texts of languages that write such as one."""
    known = {word.text: word for word in words}
    cut = tokens(text) if len(words) <= MOST_COMPOUNDED else []
    for one, other in pairwise(filter(None, map(known.get, map(fold, cut)))):
        # Words that any sentence has are no part of a compound, and each pair has some forty terms to be counted.
        if not (one.functional or other.functional) and (terms := compound_terms(one.text, other.text)):
            yield AdjoinedWords((one, other), terms, is_named=len(cut) == 2)


def _side_by_side(text: str) -> Iterator[list[str]]:
    """Up to `MOST_ADJOINED` words with nothing but spaces between, one of them with digits; or a letter and a word."""
    for run in _RUN_OF_WORDS.finditer(text):
        words = run[0].split()
        yield from ([one, other] for one, other in pairwise(words) if _is_lettered(one, other))
        numbers = [at for at, word in enumerate(words) if not word.isalpha()]
        begins = {at - before for at in numbers for before in range(MOST_ADJOINED) if at >= before}
        for begin in sorted(begins):
            for end in range(begin + 2, min(begin + MOST_ADJOINED, len(words)) + 1):
                if not all(map(str.isalpha, words[begin:end])):
                    yield words[begin:end]


def _is_lettered(one: str, other: str) -> bool:
    """Whether one of two words is a letter alone, and no word: USB C, e mail."""
    return (one + other).isalpha() and min(len(one), len(other)) == 1 and _NO_LETTERS.isdisjoint((one, other))


def _has_words(text: str) -> bool:
    return any(split(token).atoms for token in tokens(normalise(text)))


def _phrase_notes(phrases: Sequence[Phrase], meant: str) -> tuple[str, ...]:
    left = len(phrases) - MOST_PHRASES
    return (f"the last {left:,} of {len(phrases):,} different phrases are not {meant}",) if left > 0 else ()


def _notes(cut: Sequence[str], count: int) -> tuple[str, ...]:
    """What is said of a query whose first tokens have so many words; those that are not counted are one word each."""
    if count <= MOST_WORDS:
        return ()
    parts = ", parts of words with them" if count > len(cut[:MOST_COUNTED]) else ""
    about = "about " if len(cut) > MOST_COUNTED else ""
    total = count + len(cut[MOST_COUNTED:])
    left = total - MOST_WORDS
    return (f"the query has {about}{total:,} different words{parts}; the last {left:,} are not looked for",)


def _words_of(cut: Sequence[str]) -> tuple[tuple[QueryWord, ...], int]:
    """The first distinct words of a query's tokens, identifiers before their parts; and how many there are of all."""
    functional = _functional(cut[:MOST_WORDS])
    distinct: dict[str, QueryWord] = {}
    beyond: set[str] = set()
    for token in cut:
        pieces = take_apart(token) or split(token)
        if len(distinct) >= MOST_WORDS:
            beyond.update((*pieces.wholes, *pieces.closed, *pieces.grams, *pieces.words))
            continue
        for word in words_of_token(token, pieces):
            known = distinct.get(word.text)
            if known is None or (known.part_of and not word.part_of):
                distinct[word.text] = replace(word, functional=token in functional)
    return tuple(distinct.values())[:MOST_WORDS], len(distinct.keys() | beyond)


def _functional(cut: Sequence[str]) -> frozenset[str]:
    """The tokens that only hold the others together, in the language that they tell; none where little else is left."""
    if len(cut) <= SHORT_QUERY:
        return frozenset()
    small = [token.lower() for token in cut]
    spoken = [languages()[code] for code in guess(small)]
    shouted = sum(map(str.isalpha, cut)) >= SHOUTED and not any(map(str.islower, cut))
    functional = frozenset(
        token
        for at, token in enumerate(cut)
        if any(token.lower() in language.words for language in spoken)
        and (shouted or not is_name(token, is_first=not at))
    )
    return functional if len(functional) < len(cut) else frozenset()


def _exclusions(parts: Iterable[QueryPart]) -> tuple[tuple[QueryWord, ...], tuple[Phrase, ...]]:
    words, phrases = [], []
    for part in parts:
        pieces = pieces_of(part.text)
        word = None if part.is_phrase or len(pieces) != 1 else _excluded_word(pieces[0])
        if word:
            words.append(word)
        elif pieces:
            phrases.append(Phrase(part.text))
    return tuple(words), tuple(phrases)


def _excluded_word(pieces: Pieces) -> QueryWord | None:
    """The one word by which rows are left out; None for what only its order tells, as signs without spaces."""
    if pieces.grams:
        return QueryWord(pieces.grams[0], (term_id(pieces.grams[0]),)) if len(pieces.grams) == 1 else None
    for word in (*pieces.wholes, *pieces.words)[:1]:
        return QueryWord(word, alternatives(word, word if pieces.wholes else pieces.shown[0]))
    return None


def weigh(query: WordQuery, counted: WordCounts, *, extra: Mapping[int, float] | None = None) -> Wording:
    """The wording that stores score: terms that no row holds are left out; `extra` adds terms (feedback, expansion).

    The terms of a word stand for it together: it is as rare as all of them.
    """
    weights: dict[int, float] = {}
    holding = counted.holding or {}
    for word in query.words:
        weight = weight_of(word, counted)
        for term in word.terms if weight else ():
            if holding.get(term):
                weights[term] = weights.get(term, 0.0) + weight
    for some in query.adjoined:
        weight = weight_of_adjoined(some, counted)
        for term in filter(holding.get, some.terms) if weight else ():
            weights[term] = weights.get(term, 0.0) + weight
    for term in filter(holding.get, query.hints):
        weights[term] = weights.get(term, 0.0) + FAINT_SHARE * rarity(holding[term], counted.rows)
    for term, weight in (extra or {}).items():
        weights[term] = weights.get(term, 0.0) + weight
    mean_length = max(counted.words / counted.rows, 1.0) if counted.rows else 1.0
    return Wording(dict(sorted(weights.items())), mean_length, counted.former)


def has_only_faint_parts(query: WordQuery, wording: Wording) -> bool:
    """Whether nothing that is asked for is held but parts of identifiers and hints, which alone say nothing."""
    faint = {*query.hints, *(term for word in query.words if word.weight == FAINT_SHARE for term in word.terms)}
    telling = {term for word in query.words if word.weight != FAINT_SHARE for term in word.terms}
    telling.update(term for some in query.adjoined for term in some.terms)
    return (faint - telling).issuperset(wording.weights)


def names_identifier(query: WordQuery, counted: WordCounts) -> bool:
    """Whether a query of a few words names something as it is written, as `ERR-2041` or -25, that some row holds."""
    if sum(not word.part_of and not word.functional for word in query.words) > FEW_WORDS:
        return False
    parts = (word for word in query.words if word.part_of and word.part_share == PART_SHARE)
    named = (term for some in query.adjoined if some.is_named for term in some.terms)
    return any(map((counted.holding or {}).get, chain((term for word in parts for term in word.part_of), named)))


def asks_for_usual(query: WordQuery, counted: WordCounts) -> bool:
    """Whether all that is asked for is in most rows: holding it says little of one."""
    holding = counted.holding or {}
    telling = [word for word in query.words if not word.functional]
    usual = (sum(map(holding.get, word.terms, repeat(0))) > USUAL_SHARE * counted.rows for word in telling)
    return counted.rows >= ENOUGH_ROWS and bool(telling) and all(usual)


def weight_of(word: QueryWord, counted: WordCounts) -> float:
    """What a word of a query weighs, rarity included; one that no row holds is as rare as one that a row holds."""
    holding = counted.holding or {}
    held = sum(map(holding.get, word.terms, repeat(0)))
    if word.functional and not 0 < held < COMMON_SHARE * counted.rows:
        return 0.0
    share = word.part_share if any(holding.get(term) for term in word.part_of) else 1.0
    return word.weight * share * rarity(min(max(held, 1), counted.rows), counted.rows)


def weight_of_adjoined(some: AdjoinedWords, counted: WordCounts) -> float:
    """What an identifier weighs that words side by side may be: nothing where no row holds it."""
    holding = counted.holding or {}
    if not any(map(holding.get, some.terms)):
        return 0.0
    share = NAMED_SHARE if some.is_named else ADJOINED_SHARE
    return (HELD_SHARE if any(map(holding.get, some.whole)) else share) * _weight_of_words(some.words, counted)


def most_of_words(query: WordQuery, counted: WordCounts) -> float:
    """What a row would score that held all words of a query as often as counts: those that no row holds count too."""
    words = math.fsum(weight_of(word, counted) for word in query.words)
    return (SATURATION + 1) * (words + math.fsum(weight_of_adjoined(some, counted) for some in query.adjoined))


def weight_of_spelled(some: SpelledWords, counted: WordCounts) -> float:
    """What words weigh more in a row that was read and holds them as one; 0 where nobody looks for another spelling.

    In a question about more than the identifier, a row that holds it as it is written is enough.
    """
    share = NAMED_SHARE if some.is_named else SIGNED_SHARE if some.signs else SPELLED_SHARE
    if any(map((counted.holding or {}).get, some.whole)):
        share = HELD_SHARE if some.is_named else 0.0
    return share * _weight_of_words(some.words, counted)


def _weight_of_words(words: Iterable[QueryWord], counted: WordCounts) -> float:
    """What words weigh by themselves, and not as parts."""
    return math.fsum(weight_of(replace(word, weight=1.0, part_of=()), counted) for word in words)
