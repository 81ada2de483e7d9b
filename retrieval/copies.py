"""Owns the folding of near-copies: of rows with the same text but for a few words, the best stands for all of them.

Rows that differ in what the query names are no copies: of a hundred records that differ in a part number, the one whose
number is asked for stands alone. Nor are rows of which one denies what the other says. What is folded depends on the
rows and the query; only rows that share many runs of bytes are compared word by word.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from embedmill.retrieval.quotes import NEGATION
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.remembering import Remembered
from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.query_words import QueryWord

ALIKE_TENTHS = 9
"""So many tenths of the words of the longer text stand in the shorter one too, in whatever order."""
FIELD_WORDS = 3
"""Or they differ in one place only, by at most so many words,"""
AROUND_FIELD = 4
"""with so many times as many words, and no fewer than five, around it that are the same."""
LEAST_AROUND = 5

COUNTED = 20
"""Until there are so many rows that stand for themselves, all of them gather copies; then those of the same call only.

What is told of the first rows does not depend on how many more are looked at.
"""
REMEMBERED = 100
"""A row is compared with so many that stand before it; near-copies have nearly the same score."""

RUN_BYTES = 8
SAMPLED_RUNS = 16
"""Runs of bytes by which a text is compared with all others, at least; a text that has fewer is compared by all."""
LINKED_TENTHS = 5
"""Texts that share fewer tenths of their sampled runs are no near-copies."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_BEFORE_A_WORD, _SIGN_OF_THREE_BYTES = 0x2F, 0xE0
"""Runs begin at a space, a sign of punctuation, or a letter of a script that needs none (UTF-8)."""
_SAME_BYTE = np.frombuffer(bytes(range(256)).lower().translate(bytes.maketrans(b"\t\n\v\f\r", b"     ")), np.uint8)
"""Small letters for capitals, and a space for every kind of it."""

_NEGATIVE = re.compile(r"[-\u2212](?=[\d.]*\d)")
_EDGES = ".,;:!?()[]{}<>\"'`*_|"
_UNSPACED = re.compile(r"[a-z0-9.+/_-]+|\S")
_SIGNS_PER_WORD = 20
"""A text with more signs in a word, on average, is of a script without spaces: its signs are taken for words."""

Asked = Mapping[int, int]
"""The number of the query's word for which a term stands."""
FindTerms = Callable[[Sequence[str], Sequence[int]], Mapping[str, frozenset[int]]]
"""Ids of rows, and terms, to those of the terms that each row holds; rows of which that is not known are absent."""


def _find_none(ids: Sequence[str], terms: Sequence[int]) -> Mapping[str, frozenset[int]]:
    del ids, terms
    return {}


class Copies:
    """The rows that stand for others, as they come: best first."""

    def __init__(self, words: Iterable[QueryWord], is_copy: "IsCopy | None" = None) -> None:
        """`words` are those of the query; `is_copy` says whether two texts are near-copies, where others are to be."""
        self._is_copy = is_copy or alike
        self._asked = {term: number for number, word in enumerate(words) if not word.functional for term in word.terms}
        self._leaders: list[_Text] = []
        self._followers: dict[str, list[VectorRow]] = {}

    def fold(self, rows: Sequence[VectorRow], find_terms: FindTerms = _find_none) -> list[VectorRow]:
        """Those of the rows, in their order, that are no copies of one before them, here or in an earlier call."""
        known, index = self._leaders[-REMEMBERED:], _Index([row.id for row in rows], find_terms)
        texts = [*known, *(_Text(row, index) for row in rows)]
        linked = _linked([text.row.body for text in texts])
        leading = dict.fromkeys(range(len(known)))
        for place in range(len(known), len(texts)):
            near = [one for one in linked.get(place, ()) if one in leading]
            leader = next((one for one in near if texts[place].repeats(texts[one], self._asked, self._is_copy)), None)
            if leader is None:
                leading[place] = None
            elif len(self._leaders) < COUNTED or leader >= len(known):
                self._followers.setdefault(texts[leader].row.id, []).append(texts[place].row)
        new = [texts[place] for place in leading if place >= len(known)]
        self._leaders += new
        return [text.row for text in new]

    def of(self, id: str) -> list[VectorRow]:
        """The copies of a row that stands for them, best first."""
        return self._followers.get(id, [])


def _without_edges(word: str) -> str:
    return word.strip(_EDGES) or word


_BARE = Remembered(_without_edges, most=32_768)
"""Words without what stands at their edges: nearly all of them come again."""


class _Index:
    """What is known of the words of some rows, which is found for all of them when it is asked for."""

    def __init__(self, ids: Sequence[str], find_terms: FindTerms) -> None:
        self._ids = ids
        self._find_terms = find_terms
        self._found: Mapping[str, frozenset[int]] | None = None

    def held(self, id: str, asked: Asked) -> frozenset[int] | None:
        """The words asked for that a row holds, if that is known."""
        if self._found is None:
            self._found = self._find_terms(self._ids, list(asked)) if asked else {}
        terms = self._found.get(id)
        return None if terms is None else frozenset(map(asked.__getitem__, terms))


class _Text:
    """A row with its words; what is costly is made when it is asked for."""

    def __init__(self, row: VectorRow, index: _Index) -> None:
        self.row = row
        self._index = index
        self._held: dict[str, frozenset[int]] = {}

    @cached_property
    def words(self) -> "ComparedWords":
        return words_of(self.row.body)

    def repeats(self, leader: "_Text", asked: Asked, is_copy: "IsCopy") -> bool:
        """Whether it says nearly the same as another, and nothing else of what the query names."""
        if self.row.text == leader.row.text:
            return self._tells_as(leader, asked, "", "")
        if not is_copy(self.words, leader.words):
            return False
        own, others = self.words.counts.keys(), leader.words.counts.keys()
        return self._tells_as(leader, asked, " ".join(sorted(own - others)), " ".join(sorted(others - own)))

    def _tells_as(self, leader: "_Text", asked: Asked, own: str, others: str) -> bool:
        """Whether both hold the same of what is asked; their texts are cut only where what differs holds some."""
        known = self.known(asked)
        if known is not None and known == leader.known(asked):
            return True
        return self.held(asked, own) == leader.held(asked, others) or self.held(asked) == leader.held(asked)

    def known(self, asked: Asked) -> frozenset[int] | None:
        """The words asked for that it holds, if that is known without its text."""
        return self._index.held(self.row.id, asked)

    def held(self, asked: Asked, text: str | None = None) -> frozenset[int]:
        """The words asked for that it holds, in its title, its name, its section, and its text or another instead."""
        row = self.row
        text = row.text if text is None else text
        if text not in self._held:
            counted = count_terms(title=row.title, uri=row.uri, section=row.section, text=text)
            self._held[text] = frozenset(asked[term] for term in counted.terms.tolist() if term in asked)
        return self._held[text]


@dataclass(frozen=True, slots=True)
class ComparedWords:
    """The words of a text in their order, and how often each stands in it."""

    listed: list[str]
    counts: Counter[str]


IsCopy = Callable[[ComparedWords, ComparedWords], bool]


def words_of(text: str) -> ComparedWords:
    """The words by which texts are compared: without case and what stands at their edges."""
    small = text.casefold()
    words = small.split()
    if len(small) > _SIGNS_PER_WORD * len(words):
        words = _UNSPACED.findall(small)
    listed = list(map(_BARE.__getitem__, words))
    return ComparedWords(listed, Counter(listed))


def alike(one: ComparedWords, other: ComparedWords) -> bool:
    """Whether two texts are nearly the same, by their words."""
    shorter, longer = sorted((len(one.listed), len(other.listed)))
    shared = _shared_words(one, other) if (AROUND_FIELD + 1) * shorter >= AROUND_FIELD * longer else 0
    if (AROUND_FIELD + 1) * shared < AROUND_FIELD * longer:
        return False
    if 10 * shared < ALIKE_TENTHS * longer and not _differ_in_one_field(one.listed, other.listed):
        return False
    return not _deny_each_other(one.counts - other.counts, other.counts - one.counts)


def _deny_each_other(one: Counter[str], other: Counter[str]) -> bool:
    """Whether of two texts that differ in these words one says no more often, or a number with the other sign."""
    if _negations(one) != _negations(other):
        return True
    return not (_negatives(one).isdisjoint(_unsigned(other)) and _negatives(other).isdisjoint(_unsigned(one)))


def _negations(words: Counter[str]) -> int:
    return sum(count for word, count in words.items() if NEGATION.fullmatch(word.replace("\u2019", "'")))


def _negatives(words: Iterable[str]) -> set[str]:
    """The numbers among some words that are below zero, without their sign."""
    return {word[1:] for word in words if _NEGATIVE.match(word)}


def _unsigned(words: Iterable[str]) -> set[str]:
    return {word.removeprefix("+") for word in words}


def _shared_words(one: ComparedWords, other: ComparedWords) -> int:
    """How many words of one stand in the other too, each as often as in both."""
    common = one.counts.keys() & other.counts.keys()
    return sum(map(min, map(one.counts.__getitem__, common), map(other.counts.__getitem__, common)))


def same(one: ComparedWords, other: ComparedWords) -> bool:
    """Whether two texts say the same in the same words."""
    return one.listed == other.listed


def _differ_in_one_field(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter = min(len(one), len(other))
    before = _same_at_start(one, other)
    after = min(_same_at_start(one[::-1], other[::-1]), shorter - before)
    field = max(len(one), len(other)) - before - after
    return field <= FIELD_WORDS and before + after >= max(LEAST_AROUND, AROUND_FIELD * field)


def _same_at_start(one: Sequence[str], other: Sequence[str]) -> int:
    same, differing = 0, min(len(one), len(other)) + 1
    while differing - same > 1:
        middle = (same + differing) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            differing = middle
    return same


def _linked(texts: Sequence[str]) -> dict[int, list[int]]:
    """Of each text that has some, the texts before it that share enough with it to be compared by their words."""
    runs, owners = _sampled_runs([text.encode("utf-8", "surrogatepass") for text in texts])
    _, column, often = np.unique(runs, return_inverse=True, return_counts=True)
    common = often > 1
    shared = common[column]
    holds = np.zeros((len(texts), int(common.sum())), np.bool_)
    holds[owners[shared], (np.cumsum(common) - 1)[column[shared]]] = True
    sizes = holds.sum(axis=1) + np.bincount(owners[~shared], minlength=len(texts))
    near = 10 * _shared(holds) >= LINKED_TENTHS * np.maximum(np.minimum.outer(sizes, sizes), 1)
    first = {text: place for place, text in reversed(list(enumerate(texts)))}
    same = np.array([first[text] for text in texts])
    found: dict[int, list[int]] = {}
    for place, before in np.argwhere(np.tril(near | np.equal.outer(same, same), -1)).tolist():
        found.setdefault(place, []).append(before)
    return found


def _shared(holds: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """How many columns each two rows share, by bits: a product of matrices wakes the threads of a library."""
    rows, columns = holds.shape
    padded = np.zeros((rows, -(-columns // 64) * 64), np.bool_)
    padded[:, :columns] = holds
    found = np.zeros((rows, rows), np.uint64)
    for bits in np.packbits(padded, axis=1).view(np.uint64).T:
        found += np.bitwise_count(bits[:, None] & bits)
    return found


def _sampled_runs(texts: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of some runs of bytes of each text, and whose they are.

    Which runs are taken depends on what they are, so that two texts take the same of what they share.
    """
    signs = _SAME_BYTE[np.frombuffer(b"".join(texts) + bytes(RUN_BYTES), np.uint8)]
    begins = np.flatnonzero((signs <= _BEFORE_A_WORD) | (signs >= _SIGN_OF_THREE_BYTES))
    ends = np.cumsum([len(text) for text in texts])
    upto = begins.searchsorted(ends)
    owners = np.repeat(np.arange(len(texts)), np.diff(upto, prepend=0))
    begins = begins[: len(owners)]
    whole = begins + RUN_BYTES <= ends[owners]
    begins, owners = begins[whole], owners[whole]
    windows = np.ndarray((len(signs) - RUN_BYTES + 1,), "<u8", signs, strides=(1,))
    hashes = windows[begins] * _MIX
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
    often = np.bincount(owners, minlength=len(texts))
    rarer = np.log2(np.maximum(often / SAMPLED_RUNS, 1)).astype(np.uint64)
    taken = hashes <= (np.uint64(2**64 - 1) >> rarer)[owners]
    return hashes[taken], owners[taken]
