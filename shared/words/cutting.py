"""Owns the cutting of texts into terms: one cutter for documents and queries, in every store.

A word becomes one term: its stem in the language of the text, or itself where no language is known to inflect it. A
query asks for its stems in all languages of its script, of which a text holds one at most: no mistake about a language
can hide a word. Identifiers are terms as they are written, beside those of their parts; scripts without spaces are cut
into pairs of signs (docs/decisions).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.remembering import Remembered
from embedmill.shared.words import cutter
from embedmill.shared.words.counts import UNITS, CountsOfMany, TermCounts
from embedmill.shared.words.folding import compose, normalise
from embedmill.shared.words.inflections import inflected, is_ukrainian
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

VERSION = cutter.VERSION

FIELDS = {"title": 2.0, "section": 1.5, "text": 1.0, "name": 2.0, "path": 0.5}
"""What a word counts in each field, in steps of a quarter; `name` is the file's or the row's, `path` its folders'."""

KNOWN = 65_536
"""Words whose terms are remembered for each set of languages, some 250 bytes each: so many that were met lately."""
SPOKEN = 8
"""Sets of languages for which words are remembered."""
LONGEST_KNOWN = 40
FEW = 16
"""Of what is no known word in a text."""
HEADINGS = 1_024
"""Titles, sections and addresses whose terms are remembered."""

APART = "\0"
"""Between what spaces parted: no token holds it, and no look beside a token tells it from a space."""

_WORD = re.compile(r"[\"'(\[{<*]*([A-Z]?[a-z]+|[A-Z]+)[\"')\]}>*.,;:!?]*")
"""A plain word between two spaces, with what may stand around one."""

FAINT = 0.25
"""What a faint word counts of a whole one."""

TERM_BITS, UNIT_BITS = 32, 4
MOST_UNITS = 2**UNIT_BITS - 1
"""What one word counts in any field is less."""

Reading = tuple[int, Sequence[int], Sequence[int]]
"""How many words, their terms, and those of faint ones."""
Weighted = tuple[int, Sequence[int]]
"""What each of some terms counts, in units, and the terms."""
_LENGTH, _TERMS, _FAINT = map(itemgetter, range(3))


class Cut(NamedTuple):
    """A composed field, and what stands between its spaces."""

    field: str
    words: list[str]


_FIELD, _WORDS = map(itemgetter, range(2))


def term_id(term: str) -> int:
    """The number of a term, the same in every process: 32 bits, as sparse vectors take them."""
    return int.from_bytes(blake2b(term.encode(errors="replace"), digest_size=4).digest(), "big")


class Words(NamedTuple):
    """What a store keeps the words of."""

    title: str = ""
    uri: str = ""
    section: str = ""
    text: str = ""


def count_terms(*, title: str = "", uri: str = "", section: str = "", text: str = "") -> TermCounts:
    """What a store keeps of a chunk's words. Its length is that of title, section and text in words."""
    return count_few([Words(title, uri, section, text)])[0]


def count_few(chunks: Sequence[Words]) -> list[TermCounts]:
    """The same of some chunks; where there are many, `counting.count_each` is quicker."""
    return _counted(list(map(_read, chunks))).each()


def _read(chunk: Words) -> tuple[int, list[Weighted]]:
    """How many words a chunk has, and its terms by what each of them counts."""
    title, section, text = fields = [_cut(field) for field in (chunk.title, chunk.section, chunk.text)]
    known = known_in(guess(set().union(*map(_WORDS, fields)), "".join(map(_FIELD, fields))))
    shown = [known.headings[title.field], known.headings[section.field], known.read(text.words)]
    name, path = known.names[chunk.uri]
    weighted = units_of(title=shown[0], section=shown[1], text=shown[2], name=name, path=path)
    return sum(map(_LENGTH, shown)), list(weighted)


def _cut(field: str) -> Cut:
    composed = compose(field)
    return Cut(composed, composed.split())


def units_of(**fields: Reading) -> Iterator[Weighted]:
    """What the terms of some fields count there, by the names of `FIELDS`."""
    for field, (_, terms, faint) in fields.items():
        units = FIELDS[field] * UNITS
        if terms:
            yield int(units), terms
        if faint:
            yield max(int(FAINT * units), 1), faint


def _counted(chunks: Sequence[tuple[int, Sequence[Weighted]]]) -> CountsOfMany:
    runs = [
        (chunk << TERM_BITS + UNIT_BITS | units, terms) for chunk, (_, run) in enumerate(chunks) for units, terms in run
    ]
    return sum_up(packed(runs), [length for length, _ in chunks])


def packed(runs: Sequence[Weighted]) -> NDArray[np.uint64]:
    """Each term with the units of its run behind it, and before it what stands above these, as a chunk's number."""
    ids = np.fromiter(chain.from_iterable(terms for _, terms in runs), np.uint64)
    bases = np.array([base for base, _ in runs], np.uint64)
    return np.asarray((ids << UNIT_BITS) | np.repeat(bases, [len(terms) for _, terms in runs]), np.uint64)


def sum_up(occurrences: NDArray[np.uint64], lengths: Sequence[int]) -> CountsOfMany:
    """Chunks with the weights of equal terms added up: all are sorted at once, and summed over equal neighbours.

    An occurrence is the number of its chunk, the term, and its units, in one number; it is sorted where it stands.
    """
    occurrences.sort()
    terms_of_chunks = occurrences >> UNIT_BITS
    begins = np.flatnonzero(np.diff(terms_of_chunks, prepend=~terms_of_chunks[:1]))
    summed = np.add.reduceat(occurrences & MOST_UNITS, begins) if begins.size else occurrences
    counts: NDArray[np.uint8] = np.minimum(summed, 255).astype(np.uint8)
    distinct = terms_of_chunks[begins]
    terms = distinct.astype(np.uint32)
    ends = np.searchsorted(distinct >> TERM_BITS, np.arange(len(lengths) + 1, dtype=np.uint64))
    return CountsOfMany(np.diff(ends), terms, counts, np.array(lengths, np.uint32))


def is_word(written: str) -> bool:
    """Whether it is a plain word with what may stand around one."""
    return _WORD.fullmatch(written) is not None


class KnownWords:
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
        self._compounds: Remembered[str, Reading] = Remembered(self._read, most=KNOWN // 4)
        self._beyond_ascii = Remembered(self._read, most=KNOWN // 4)
        self.headings: Remembered[str, Reading] = Remembered(lambda field: self.read(field.split()), most=HEADINGS)
        """What is read in a title or section, as one follows another."""
        self.names: Remembered[str, tuple[Reading, Reading]] = Remembered(self._read_name, most=HEADINGS)
        """And in an address: in its name, and in its folders."""
        self._paths: Remembered[tuple[str, ...], Reading] = Remembered(self.read_tokens, most=HEADINGS)

    def read(self, cut: Sequence[str]) -> Reading:
        """What stands between the spaces of a composed text, as the number of its words, and their terms in a row."""
        found = list(map(self._plain.get, cut))
        terms = [term for term in found if term is not None]
        if len(terms) == len(cut):
            return len(terms), terms, ()
        return self._meet([written for written, term in zip(cut, found, strict=True) if term is None], terms)

    def read_word(self, written: str) -> Reading:
        """What stands between two spaces, by itself."""
        if word := _WORD.fullmatch(written):
            return 1, (self._terms[word[1].lower()],), ()
        return self._read(written)

    def read_rest(self, some: Sequence[str]) -> Reading:
        """What stands between spaces and is not to be remembered."""
        beyond = [written for written in some if not written.isascii()]
        return _together([*self._read_many(list(filter(str.isascii, some))), *map(self._read, beyond)])

    def read_tokens(self, cut: Iterable[str]) -> Reading:
        """The same of a text that is in tokens."""
        return _together(list(map(self._tokens.__getitem__, cut)))

    def _read_name(self, uri: str) -> tuple[Reading, Reading]:
        name = read_name(uri)
        wholes = (0, list(map(term_id, name.wholes)), ())
        return _together([self.read_tokens(name.tokens), wholes]), self._paths[name.folders]

    def _meet(self, new: Sequence[str], terms: list[int]) -> Reading:
        """What is not known, beside the terms of what is. Compounds come again where they are few, as in prose."""
        compounds, others = list[str](), list[Reading]()
        known = self._compounds if len(new) <= FEW else {}
        for written in new:
            if reading := known.get(written):
                others.append(reading)
            elif word := _WORD.fullmatch(written):
                terms.append(self._plain.keep(written, self._terms[word[1].lower()]))
            elif written.isascii():
                compounds.append(written)
            else:
                others.append(self._beyond_ascii[written] if len(written) <= LONGEST_KNOWN else self._read(written))
        read = self._read_few if len(new) <= FEW else self._read_many
        length, found, faint = _together([*read(compounds), *others])
        return len(terms) + length, [*terms, *found], faint

    def _read_few(self, compounds: Sequence[str]) -> Iterable[Reading]:
        return [self._compounds[one] if len(one) <= LONGEST_KNOWN else self._read(one) for one in compounds]

    def _read_many(self, compounds: Sequence[str]) -> Iterable[Reading]:
        """As one text, which is cut much faster."""
        return map(self._tokens.__getitem__, tokens(APART.join(compounds)))

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


def _together(found: Sequence[Reading]) -> Reading:
    terms = list(chain.from_iterable(map(_TERMS, found)))
    return sum(map(_LENGTH, found)), terms, list(chain.from_iterable(map(_FAINT, found)))


@lru_cache(maxsize=SPOKEN)
def known_in(spoken: Languages) -> KnownWords:
    """What is known in one set of languages."""
    return KnownWords(spoken)


def _stemmed(word: str, shown: str, language: Language) -> list[str]:
    """The stems of a word, marked with their language."""
    return [f"{language.code}\0{stem}" for stem in stems(word, shown, language)]


@lru_cache(maxsize=2048)
def alternatives(word: str, shown: str) -> tuple[int, ...]:
    """All terms by which a text of any language may hold a word, in other forms too where no stemmer makes them one.

    The cutter leaves words of two letters as they are, and makes them of their plurals: TV and TVs find each other.
    """
    terms = [word]
    for language in of_script(script_of(word)) if may_be_inflected(word) else ():
        terms += _stemmed(word, shown, language)
    terms += _in_other_forms(word)
    if _is_short(word):
        terms += _stemmed(f"{word}s", f"{word}s", languages()["en"])
    elif word[-1:] == "s" and _is_short(word[:-1]):
        terms.append(word[:-1])
    return tuple(map(term_id, dict.fromkeys(terms)))


def _in_other_forms(word: str) -> Iterator[str]:
    """The forms of a word as texts of languages without a stemmer have them; and their stems, in Greek and Russian."""
    forms = inflected(word)
    yield from forms
    script = script_of(word)
    if forms and (script == "greek" or is_ukrainian(word)):
        language = languages()[DEFAULTS[script]]
        yield from dict.fromkeys(chain.from_iterable(_stemmed(form, form, language) for form in forms))


def terms_in(word: str, codes: Collection[str]) -> tuple[int, ...]:
    """The terms by which texts of some languages alone hold a folded word: nothing that other texts hold."""
    inflected = (_stemmed(word, word, languages()[code]) for code in codes) if may_be_inflected(word) else ()
    return tuple(map(term_id, chain.from_iterable(inflected)))


def _is_short(word: str) -> bool:
    """Whether it is a word of two letters that says something in most texts, as TV and PC, and not of, in or is."""
    return len(word) == 2 and word.isalpha() and word not in languages()[DEFAULTS["latin"]].words
