"""Owns the cutting of texts into terms: one cutter for documents and queries, in every store.

A word becomes one term: its stem in the language of the text, or itself where no language is known to inflect it. A
query asks for its stems in all languages of its script, of which a text holds one at most: no mistake about a language
can hide a word. Identifiers are terms as they are written, beside those of their parts; scripts without spaces are cut
into pairs of signs (docs/decisions).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.remembering import Remembered
from embedmill.shared.words.counts import UNITS, TermCounts
from embedmill.shared.words.folding import compose, normalise
from embedmill.shared.words.languages import (
    DEFAULTS,
    Language,
    Languages,
    guess,
    languages,
    may_be_inflected,
    of_script,
    stems,
)
from embedmill.shared.words.naming import read_name
from embedmill.shared.words.scripts import script_of
from embedmill.shared.words.splitting import Pieces, is_plain, joined, split, tokens, whole

VERSION = 3
"""Belongs to an index: rows cut by another version are cut anew before they are searched."""

FIELDS = {"title": 2.0, "section": 1.5, "text": 1.0, "name": 2.0, "path": 0.5}
"""What a word counts in each field, in steps of a quarter; `name` is the file's or the row's, `path` its folders'."""

KNOWN = 65_536
"""Words whose terms are remembered for each set of languages, some 250 bytes each: so many that were met lately."""
SPOKEN = 8
"""Sets of languages for which words are remembered."""
LONGEST_KNOWN = 40

APART = "\0"
"""Between what spaces parted: no token holds it, and no look beside a token tells it from a space."""

_WORD = re.compile(r"[\"'(\[{<*]*([A-Z]?[a-z]+|[A-Z]+)[\"')\]}>*.,;:!?]*")
"""A plain word between two spaces, with what may stand around one."""

FAINT = 0.25
"""What a faint word counts of a whole one."""

Reading = tuple[int, Sequence[int], Sequence[int]]
"""How many words, their terms, and those of faint ones."""
_LENGTH, _TERMS, _FAINT = map(itemgetter, range(3))


def term_id(term: str) -> int:
    """The number of a term, the same in every process: 32 bits, as sparse vectors take them."""
    return int.from_bytes(blake2b(term.encode(errors="replace"), digest_size=4).digest(), "big")


def count_terms(*, title: str = "", uri: str = "", section: str = "", text: str = "") -> TermCounts:
    """What a store keeps of a chunk's words. Its length is that of title, section and text in words."""
    shown = [compose(field) for field in (title, section, text)]
    cut = [field.split() for field in shown]
    known = _known_in(guess(chain.from_iterable(cut), "".join(shown)))
    shown_fields = list(map(known.read, cut))
    name = read_name(uri)
    named, folders = known.read_tokens(name.tokens), known.read_tokens(name.folders)
    wholes = (0, list(map(term_id, name.wholes)), ())
    fields = zip(FIELDS.values(), (*shown_fields, _together([named, wholes]), folders), strict=True)
    return _counted(list(_weighted(fields)), sum(map(_LENGTH, shown_fields)))


def _weighted(fields: Iterable[tuple[float, Reading]]) -> Iterator[tuple[int, Sequence[int]]]:
    """Terms by what each of them counts, in units."""
    for weight, (_, terms, faint) in fields:
        if terms:
            yield int(weight * UNITS), terms
        if faint:
            yield max(int(FAINT * weight * UNITS), 1), faint


def _counted(weighted: Sequence[tuple[int, Sequence[int]]], length: int) -> TermCounts:
    """Terms with their weights added up: sorted once, and summed over equal neighbours."""
    ids = np.fromiter(chain.from_iterable(map(itemgetter(1), weighted)), np.uint32)
    if not ids.size:
        return TermCounts(ids, np.empty(0, np.uint8), length)
    units, end = np.empty(ids.size, np.int64), 0
    for unit, terms in weighted:
        begin, end = end, end + len(terms)
        units[begin:end] = unit
    order = np.argsort(ids)
    ids = ids[order]
    begins = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    counts: NDArray[np.int64] = np.add.reduceat(units[order], begins)
    return TermCounts(ids[begins], np.minimum(counts, 255).astype(np.uint8), length)


class _Known:
    """The terms of words and tokens in one set of languages; what was met lately is remembered.

    Nearly all of a text is plain words, of one term each. Of what is no word beside its punctuation only the tokens are
    remembered: in code, tables and lists hardly anything between two spaces comes again.
    """

    def __init__(self, spoken: Languages) -> None:
        table = languages()
        self._spoken = {script: table[code] for script, code in zip(DEFAULTS, spoken, strict=True)}
        self._latin = self._spoken["latin"]
        self._plain: Remembered[str, int] = Remembered(self._find_term, most=KNOWN)
        self._terms = Remembered(self._find_term, most=KNOWN)
        self._tokens = Remembered(self._read_token, most=KNOWN // 2)
        self._beyond_ascii = Remembered(self._read, most=KNOWN // 4)

    def read(self, cut: Sequence[str]) -> Reading:
        """What stands between the spaces of a composed text, as the number of its words, and their terms in a row."""
        found = list(map(self._plain.get, cut))
        terms = [term for term in found if term is not None]
        if len(terms) == len(cut):
            return len(terms), terms, ()
        return self._meet((written for written, term in zip(cut, found, strict=True) if term is None), terms)

    def read_tokens(self, cut: Iterable[str]) -> Reading:
        """The same of a text that is in tokens."""
        return _together(list(map(self._tokens.__getitem__, cut)))

    def _meet(self, new: Iterable[str], terms: list[int]) -> Reading:
        """What is not known, beside the terms of what is; compounds are one text, as that is cut much faster."""
        compounds, others = [], []
        for written in new:
            if word := _WORD.fullmatch(written):
                terms.append(self._plain.keep(written, self._terms[word[1].lower()]))
            elif written.isascii():
                compounds.append(written)
            else:
                others.append(self._beyond_ascii[written] if len(written) <= LONGEST_KNOWN else self._read(written))
        length, found, faint = _together([*map(self._tokens.__getitem__, tokens(APART.join(compounds))), *others])
        return len(terms) + length, terms + found, faint

    def _read(self, written: str) -> Reading:
        return self.read_tokens(tokens(normalise(written)))

    def _read_token(self, token: str) -> Reading:
        if is_plain(token):
            return 1, (self._terms[token.lower()],), ()
        if token.isascii() and len(parts := joined(token)) > 1:
            length, terms, faint = self.read_tokens(parts)
            return length, (*terms, *map(term_id, whole(token))), faint
        pieces = split(token)
        if not token.isascii() or pieces.faint:
            return self._read_pieces(pieces)
        terms = list(map(self._terms.__getitem__, (*pieces.words, *pieces.wholes)))
        return pieces.length, [*terms, *map(term_id, pieces.closed)] if pieces.closed else terms, ()

    def _read_pieces(self, pieces: Pieces) -> Reading:
        terms, faint = list(map(term_id, (*pieces.grams, *pieces.singles, *pieces.closed))), list[int]()
        words, shown_words = (*pieces.words, *pieces.wholes), (*pieces.shown, *pieces.wholes)
        for word, shown in zip(words, shown_words, strict=True):
            (faint if word in pieces.faint else terms).extend(self._terms_of(word, shown))
        return pieces.length, terms, faint

    def _terms_of(self, word: str, shown: str) -> Iterable[int]:
        return (self._terms[word],) if word.isascii() and word == shown else map(term_id, self._stemmed(word, shown))

    def _find_term(self, word: str) -> int:
        """The one term of a word of ASCII."""
        return term_id(self._stemmed(word, word)[0])

    def _stemmed(self, word: str, shown: str) -> Sequence[str]:
        """The stems of a folded word, and of what it is `shown` as; itself where it has none."""
        if not may_be_inflected(word):
            return (word,)
        language = self._latin if word.isascii() else self._spoken.get(script_of(word))
        return (language and _stemmed(word, shown, language)) or (word,)


def _together(found: Sequence[Reading]) -> tuple[int, list[int], list[int]]:
    columns = (list(chain.from_iterable(map(column, found))) for column in (_TERMS, _FAINT))
    return (sum(map(_LENGTH, found)), *columns)


def load() -> None:
    """Make what the first text would wait for, and what forked processes may share: tables and patterns."""
    count_terms(text="é")


@lru_cache(maxsize=SPOKEN)
def _known_in(spoken: Languages) -> _Known:
    return _Known(spoken)


def _stemmed(word: str, shown: str, language: Language) -> list[str]:
    """The stems of a word, marked with their language."""
    return [f"{language.code}\0{stem}" for stem in stems(word, shown, language)]


@lru_cache(maxsize=4096)
def alternatives(word: str, shown: str) -> tuple[int, ...]:
    """All terms by which a text of any language may hold a word."""
    terms = [word]
    for language in of_script(script_of(word)) if may_be_inflected(word) else ():
        terms += _stemmed(word, shown, language)
    return tuple(map(term_id, terms))
