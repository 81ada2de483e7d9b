"""Owns the cutting of texts into terms: one cutter for documents and queries, in every store.

A word becomes one term: its stem in the language of the text, or itself where no language is known to inflect it. A
query asks for its stems in all languages of its script, of which a text holds one at most: no mistake about a language
can hide a word. Identifiers are terms as they are written, beside those of their parts; scripts without spaces are cut
into pairs of signs (docs/decisions).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

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
from embedmill.shared.words.splitting import is_plain, split, tokens

VERSION = 2
"""Belongs to an index: rows cut by another version are cut anew before they are searched."""

FIELDS = {"title": 2.0, "section": 1.5, "text": 1.0, "name": 2.0, "path": 0.5}
"""What a word counts in each field, in steps of a quarter; `name` is the file's or the row's, `path` its folders'."""

KNOWN = 65_536
"""Words whose terms are remembered for each set of languages, some 250 bytes each: so many that were met lately."""
SPOKEN = 8
"""Sets of languages for which words are remembered."""
LONGEST_KNOWN = 40

_LENGTH, _TERMS = itemgetter(0), itemgetter(1)


@lru_cache(maxsize=KNOWN)
def term_id(term: str) -> int:
    """The number of a term, the same in every process: 32 bits, as sparse vectors take them."""
    return int.from_bytes(blake2b(term.encode(errors="replace"), digest_size=4).digest(), "big")


def count_terms(*, title: str = "", uri: str = "", section: str = "", text: str = "") -> TermCounts:
    """What a store keeps of a chunk's words. Its length is that of title, section and text in words."""
    shown = [compose(field) for field in (title, section, text)]
    cut = [field.split() for field in shown]
    known = _known_in(guess(chain.from_iterable(cut), "".join(shown)))
    lengths, terms = zip(*map(known.look_up, cut), strict=True)
    name = read_name(uri)
    named = known.look_up(name.tokens)[1] + list(map(term_id, name.wholes))
    fields = (*terms, named, known.look_up(name.folders)[1])
    return _counted(dict(zip(FIELDS, fields, strict=True)), sum(lengths))


def _counted(fields: Mapping[str, Sequence[int]], length: int) -> TermCounts:
    """Terms with their weights added up: sorted once, and summed over equal neighbours."""
    ids = np.fromiter(chain.from_iterable(fields.values()), np.uint32)
    if not ids.size:
        return TermCounts(ids, np.empty(0, np.uint8), length)
    units, end = np.empty(ids.size, np.int64), 0
    for name, terms in fields.items():
        begin, end = end, end + len(terms)
        units[begin:end] = int(FIELDS[name] * UNITS)
    order = np.argsort(ids)
    ids = ids[order]
    begins = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    counts: NDArray[np.int64] = np.add.reduceat(units[order], begins)
    return TermCounts(ids[begins], np.minimum(counts, 255).astype(np.uint8), length)


class _Known(dict[str, tuple[int, tuple[int, ...]]]):
    """How many words stand between two spaces, and their terms in one set of languages; what was met is remembered."""

    def __init__(self, spoken: Languages) -> None:
        super().__init__()
        table = languages()
        self._spoken = {script: table[code] for script, code in zip(DEFAULTS, spoken, strict=True)}
        self._token = lru_cache(maxsize=KNOWN // 4)(self._read_token)
        self._terms_of = lru_cache(maxsize=KNOWN)(self._find_terms)
        self._before: dict[str, tuple[int, tuple[int, ...]]] = {}

    def look_up(self, cut: Iterable[str]) -> tuple[int, list[int]]:
        """The number of words, and their terms, one after the other."""
        found = list(map(self.__getitem__, cut))
        return sum(map(_LENGTH, found)), list(chain.from_iterable(map(_TERMS, found)))

    def __missing__(self, written: str) -> tuple[int, tuple[int, ...]]:
        found = self._before.get(written) or self._find(written)
        if len(written) <= LONGEST_KNOWN:
            if len(self) >= KNOWN // 2:
                self._before = dict(self)
                self.clear()
            self[written] = found
        return found

    def _find(self, written: str) -> tuple[int, tuple[int, ...]]:
        if not written.isascii():
            return self._read(normalise(written))
        bare = written.lstrip("\"'([{<*").rstrip("\"')]}>*.,;:!?")
        return self._read(bare) if bare == written else self[bare]

    def _read(self, normalised: str) -> tuple[int, tuple[int, ...]]:
        if is_plain(normalised):
            return self._read_token(normalised)
        cut = list(map(self._token, tokens(normalised)))
        return sum(map(_LENGTH, cut)), tuple(chain.from_iterable(map(_TERMS, cut)))

    def _read_token(self, token: str) -> tuple[int, tuple[int, ...]]:
        if is_plain(token):
            small = token.lower()
            return 1, self._terms_of(small, small)
        pieces = split(token)
        shown = map(self._terms_of, pieces.words, pieces.shown)
        wholes = map(self._terms_of, pieces.wholes, pieces.wholes)
        return pieces.length, tuple(chain(*shown, *wholes, map(term_id, (*pieces.grams, *pieces.singles))))

    def _find_terms(self, word: str, shown: str) -> tuple[int, ...]:
        """The terms of a folded word, and of what it is `shown` as."""
        language = self._spoken.get(script_of(word))
        stemmed = _stemmed(word, shown, language) if language and may_be_inflected(word) else ()
        return tuple(map(term_id, stemmed or (word,)))


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
