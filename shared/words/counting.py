"""Owns the counting of the words of many chunks together: of each the same as by itself, in less than half of the time.

A word, as it stands between two spaces, has a number for as long as it is remembered. What is known of it stands in
arrays at that number: which languages it speaks for, and its terms in each set of languages. So a page of chunks is
looked up once, word by word, and all else is done with all of them at a time.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby, repeat
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from embedmill.shared import lexicon as lexicons
from embedmill.shared.distinct import distinct, ranges
from embedmill.shared.lexicon import Lexicon, MetLately, WordRun, bare, recalled
from embedmill.shared.paging import pages
from embedmill.shared.word_values import WordValues
from embedmill.shared.words import languages
from embedmill.shared.words.counts import CountsOfMany
from embedmill.shared.words.cutting import (
    FEW,
    LONGEST_KNOWN,
    TERM_BITS,
    UNIT_BITS,
    KnownWords,
    Words,
    count_few,
    is_word,
    known_in,
    packed,
    sum_up,
    units_of,
)
from embedmill.shared.words.folding import compose
from embedmill.shared.words.languages import SHORT_TEXT, Languages

MOST = 65_536
"""Words that are remembered, some 250 bytes each; when there are more, those that were met lately stay."""
AT_ONCE = 512
"""Chunks whose words are counted together: so many that their arrays stay near, and are not got anew each time."""
WORTH_IT = 8
"""Fewer chunks are counted one by one."""
SETS = 16
"""Sets of languages in which terms are remembered."""
NEW, NOTHING = -1, -2

Numbers = NDArray[np.intp]
Packed = NDArray[np.uint64]


def count_each(chunks: Sequence[Words]) -> CountsOfMany:
    """What a store keeps of the words of each chunk."""
    if len(chunks) < WORTH_IT:
        return CountsOfMany.read([counted.kept for counted in count_few(chunks)])
    met = _met()
    with met.lock:
        return CountsOfMany.join([_Page.read(met, some).count() for some in pages(chunks, AT_ONCE)])


class _Terms:
    """What words are in one set of languages: by number, where their terms stand, how many, and how many words."""

    def __init__(
        self, known: KnownWords, terms: WordValues | None = None, lengths: Sequence[int] | Numbers = ()
    ) -> None:
        self.known = known
        self._terms = terms or WordValues(MOST, np.uint64)
        self._lengths: Numbers = np.zeros(MOST, np.intp)
        self._lengths[: len(lengths)] = lengths

    def learn(self, numbers: Numbers, written: Sequence[str]) -> None:
        """Read those of some words that were not met in these languages."""
        new = self._terms.find_unknown(numbers)
        readings = [self.known.read_word(written[number]) for number in new.tolist()]
        runs = [list(units_of(text=reading)) for reading in readings]
        sizes = np.array([sum(len(found) for _, found in run) for run in runs], np.intp)
        self._lengths[new] = [length for length, _, _ in readings]
        self._terms.learn(new, sizes, packed(list(chain.from_iterable(runs))))

    def kept(self, numbers: Numbers) -> Self:
        """What some words are, which have the numbers from 0 on there."""
        return type(self)(self.known, self._terms.kept(numbers), self._lengths[numbers])

    def find(self, numbers: Numbers, owners: Numbers) -> Packed:
        """The terms of words, each behind its owner's number."""
        sizes = self._terms.sizes[numbers]
        found: Packed = self._terms.find(numbers, sizes)
        return found | np.repeat(_bases(owners), sizes)

    def measure(self, numbers: Numbers, owners: Numbers, most: int) -> Numbers:
        """How many words each owner has of these."""
        return np.bincount(owners, self._lengths[numbers], minlength=most).astype(np.intp)

    def read_heads(self, chunks: Sequence[Words]) -> list[tuple[int, Packed]]:
        """Of each chunk the words in its title and section, and the terms in these and in its address."""
        heads = {(chunk.title, chunk.section, chunk.uri): chunk for chunk in chunks}
        read = {key: self._read_head(chunk) for key, chunk in heads.items()}
        return [read[chunk.title, chunk.section, chunk.uri] for chunk in chunks]

    def _read_head(self, chunk: Words) -> tuple[int, Packed]:
        title, section = (self.known.headings[compose(field)] for field in (chunk.title, chunk.section))
        name, path = self.known.names[chunk.uri]
        return title[0] + section[0], packed(list(units_of(title=title, section=section, name=name, path=path)))


class Met:
    """Words that were met lately, by number; those that speak for a language are always among them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        voters = languages.voters()
        self._always = list(voters)
        self._voices = np.array(list(chain.from_iterable(voters.values())), np.intp)
        self._sizes: Numbers = np.fromiter(map(len, voters.values()), np.intp)
        self._starts: Numbers = np.cumsum(self._sizes) - self._sizes
        self._begin(self._always, {})

    def _begin(self, words: Iterable[str], terms: dict[Languages, _Terms]) -> None:
        self.written = list(words)
        self._numbers = {word: number for number, word in enumerate(self.written)}
        self._terms = terms
        self._translated: tuple[Lexicon, Numbers] | None = None
        self._lately = MetLately(MOST)

    def make_room(self) -> None:
        """Where there is room for no more words, forget all but those that were met lately, half of all at most."""
        if len(self.written) >= MOST:
            always = len(self._always)
            kept = np.concatenate((np.arange(always), self._lately.oldest(always)))
            terms = {spoken: terms.kept(kept) for spoken, terms in self._terms.items()}
            self._begin(map(self.written.__getitem__, kept.tolist()), terms)

    def note(self, numbers: Numbers) -> None:
        """Some words were met."""
        self._lately.note(numbers, len(self.written))

    def numbers_in(self, lexicon: Lexicon) -> Numbers:
        """Our number of each word of a lexicon, by its number there: NEW where it has none yet, NOTHING for no word."""
        if self._translated is None or self._translated[0] is not lexicon:
            self._translated = lexicon, np.full(lexicons.MOST + 1, NEW, np.intp)
        return self._translated[1]

    def find(self, words: Iterable[str]) -> Numbers:
        """The number of each word, NEW where it has none."""
        return np.fromiter(map(self._numbers.get, words, repeat(NEW)), np.intp)

    def meet(self, word: str) -> int:
        """The number of a word, from now on if it had none; NEW where there is no room for it."""
        number = self._numbers.get(word, NEW)
        if number == NEW and len(word) <= LONGEST_KNOWN and len(self.written) < MOST:
            number = self._numbers[word] = len(self.written)
            self.written.append(word)
        return number

    def cast(self, numbers: Numbers, owners: Numbers, most: int) -> NDArray[np.int64]:
        """The votes of each owner's words, each of which counts once, as `languages.elect_each` takes them."""
        voting = np.flatnonzero((numbers != NEW) & (numbers < len(self._always)))
        owner, number = np.divmod(distinct(owners[voting] * len(self._always) + numbers[voting]), len(self._always))
        sizes = self._sizes[number]
        voices = self._voices[ranges(self._starts[number], sizes)]
        return languages.add_up(voices, np.repeat(owner, sizes), most)

    def terms(self, spoken: Languages) -> _Terms:
        """What the words are in a set of languages."""
        if spoken not in self._terms:
            if len(self._terms) >= SETS:
                del self._terms[next(iter(self._terms))]
            self._terms[spoken] = _Terms(known_in(spoken))
        return self._terms[spoken]


@cache
def _met() -> Met:
    return Met()


class _Spaced(NamedTuple):
    """Words between spaces, chunk after chunk: the number of each word, and of the chunk that it stands in."""

    numbers: Numbers
    owners: Numbers

    @classmethod
    def of(cls, met: Met, parted: Sequence[Sequence[str]]) -> "_Spaced":
        """Of words that are given one by one; what has no number yet is left without."""
        return cls(met.find(list(chain.from_iterable(parted))), _owners(range(len(parted)), parted))


@dataclass(frozen=True, slots=True)
class _Page:
    """Some chunks; `composed` are their texts, `left` what is not remembered of a chunk's words, by its place."""

    met: Met
    chunks: Sequence[Words]
    composed: Sequence[str]
    texts: _Spaced
    heads: _Spaced
    left: Mapping[int, Sequence[str]]

    @classmethod
    def read(cls, met: Met, chunks: Sequence[Words]) -> "_Page":
        met.make_room()
        runs = [run if run and run.is_composed else None for run in recalled.find([chunk.text for chunk in chunks])]
        composed = [chunk.text if run else compose(chunk.text) for chunk, run in zip(chunks, runs, strict=True)]
        texts, left = _read_texts(met, composed, runs)
        heads: dict[tuple[str, str], list[str]] = {}
        for chunk in chunks:
            if (chunk.title, chunk.section) not in heads:
                heads[chunk.title, chunk.section] = [*compose(chunk.title).split(), *compose(chunk.section).split()]
        met.note(texts.numbers)
        above = _Spaced.of(met, [heads[chunk.title, chunk.section] for chunk in chunks])
        return cls(met, chunks, composed, texts, above, left)

    def count(self) -> CountsOfMany:
        """Of each chunk in turn."""
        spoken = self._guess()
        lengths: Numbers = np.zeros(len(self.chunks), np.intp)
        found: list[Packed] = []
        for one in dict.fromkeys(spoken):
            members = np.array([their == one for their in spoken])
            found += self._read(self.met.terms(one), members, lengths)
        return sum_up(np.concatenate(found), lengths.tolist())

    def _read(self, terms: _Terms, members: NDArray[np.bool_], lengths: Numbers) -> Iterator[Packed]:
        """The terms of those chunks that are in one set of languages; their lengths are added up."""
        ours = members[self.texts.owners] & (self.texts.numbers != NEW)
        numbers, owners = self.texts.numbers[ours], self.texts.owners[ours]
        terms.learn(numbers, self.met.written)
        lengths += terms.measure(numbers, owners, len(lengths))
        yield terms.find(numbers, owners)
        places = np.flatnonzero(members)
        heads = terms.read_heads([self.chunks[place] for place in places.tolist()])
        lengths[places] += [length for length, _ in heads]
        above: Packed = np.concatenate([found for _, found in heads])
        yield above | np.repeat(_bases(places), [len(found) for _, found in heads])
        for place in filter(self.left.__contains__, places.tolist()):
            reading = terms.known.read_rest(self.left[place])
            lengths[place] += reading[0]
            yield packed(list(units_of(text=reading))) | _bases(np.array([place]))

    def _guess(self) -> Sequence[Languages]:
        """The languages of each chunk, as its words and rare letters vote."""
        numbers = np.concatenate([self.texts.numbers, self.heads.numbers])
        owners = np.concatenate([self.texts.owners, self.heads.owners])
        votes = self.met.cast(numbers, owners, len(self.chunks))
        for place, (chunk, text) in enumerate(zip(self.chunks, self.composed, strict=True)):
            if not (text.isascii() and chunk.title.isascii() and chunk.section.isascii()):
                languages.add_letters(votes[place], text + compose(chunk.title) + compose(chunk.section))
        return languages.elect_each(votes, self._is_short)

    def _is_short(self, place: int) -> bool:
        chunk = self.chunks[place]
        fields = self.composed[place], compose(chunk.title), compose(chunk.section)
        return len(set(chain.from_iterable(map(str.split, fields)))) <= SHORT_TEXT


def _read_texts(
    met: Met, composed: Sequence[str], runs: Sequence[WordRun | None]
) -> tuple[_Spaced, dict[int, list[str]]]:
    """The words of texts: of those whose words are known by number, by these; and what is left of each text."""
    left: dict[int, list[str]] = {}
    known = [(place, run) for place, run in enumerate(runs) if run]
    some = _read_runs(met, [place for place, _ in known], [run for _, run in known], left)
    if len(known) == len(runs):
        return some, left
    rest = [place for place, run in enumerate(runs) if not run]
    parted = [composed[place].split() for place in rest]
    words = list(chain.from_iterable(parted))
    numbers, owners = met.find(words), _owners(rest, parted)
    new = np.flatnonzero(numbers == NEW)
    numbers[new] = _meet(met, [words[place] for place in new.tolist()], owners[new], left)
    return _Spaced(np.concatenate([some.numbers, numbers]), np.concatenate([some.owners, owners])), left


def _read_runs(met: Met, places: Sequence[int], runs: Sequence[WordRun], left: dict[int, list[str]]) -> _Spaced:
    """The words of texts that are known by number."""
    if not runs:
        return _Spaced(np.empty(0, np.intp), np.empty(0, np.intp))
    lexicon = runs[0].lexicon
    numbers_of = met.numbers_in(lexicon)
    given = np.concatenate([run.numbers for run in runs])
    numbers, owners = numbers_of[given], _owners(places, [run.numbers for run in runs])
    new = np.flatnonzero(numbers == NEW)
    if len(new):
        others = chain.from_iterable(run.others for run in runs)
        unknown = given[new]
        words = [bare(next(others) if number == NEW else lexicon.words[number]) for number in unknown.tolist()]
        found = met.find(words)
        found[[place for place, word in enumerate(words) if not word]] = NOTHING
        still = np.flatnonzero(found == NEW)
        found[still] = _meet(met, [words[place] for place in still.tolist()], owners[new[still]], left)
        numbers[new] = numbers_of[unknown] = found
        numbers_of[NEW] = NEW
    there = numbers != NOTHING
    return _Spaced(numbers[there].astype(np.intp), owners[there])


def _meet(met: Met, words: Sequence[str], owners: Numbers, left: dict[int, list[str]]) -> Numbers:
    """Give words numbers that have none yet; what is not to be remembered is left to its chunk.

    Compounds come again where they are few, as in prose; in code, tables and lists hardly one does.
    """
    numbers: Numbers = np.full(len(words), NEW, np.intp)
    for owner, run in groupby(range(len(words)), key=owners.tolist().__getitem__):
        places = list(run)
        for place in places:
            word = words[place]
            if len(places) <= FEW or is_word(word):
                numbers[place] = met.meet(word)
            if numbers[place] == NEW:
                left.setdefault(owner, []).append(word)
    return numbers


def _owners(places: Iterable[int], parted: Sequence[Sized]) -> Numbers:
    """Of each word the place of the text that it is in."""
    return np.repeat(np.fromiter(places, np.intp, len(parted)), list(map(len, parted)))


def _bases(owners: Numbers) -> Packed:
    """What stands before the terms of each owner."""
    return owners.astype(np.uint64) << np.uint64(TERM_BITS + UNIT_BITS)


def load() -> None:
    """Make what the first page would wait for, and what forked processes may share."""
    count_each([Words(text="é")] * WORTH_IT)
