"""Owns one look at the shards: both sides at a depth, what readers see of them, fused into one ranking, and texts."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from math import inf
from typing import Protocol

from embedmill.retrieval.candidates import Ask, Visibility, asked_for, gather
from embedmill.retrieval.embedding import ONLY_WORDS, Vector
from embedmill.retrieval.expansion.expansion import weigh_added
from embedmill.retrieval.feedback import FIRST, profile, reinforce, weigh_terms, why_not
from embedmill.retrieval.fusion import Fusion, fuse, ranked
from embedmill.retrieval.question import SearchQuestion
from embedmill.retrieval.ranking import NO_OTHERS, Ranking, missing, rank, scores_of
from embedmill.retrieval.shards import Shards
from embedmill.retrieval.steps import Running, Steps
from embedmill.shared.providers.vectorstores.exact import count_each
from embedmill.shared.providers.vectorstores.rows import Match, VectorRow
from embedmill.shared.words.queries import (
    asks_for_usual,
    has_only_faint_parts,
    most_of_words,
    names_identifier,
    weigh,
    weight_of_spelled,
)
from embedmill.shared.words.query_words import QueryWord, SpelledWords
from embedmill.shared.words.spellings import folded, spelling_of
from embedmill.shared.words.weighing import Wording
from embedmill.shared.words.written import signed, written_as

DENSE, LEXICAL, SPELLING, PHRASES, FUSE = "dense", "lexical", "spelling", "phrases", "fuse"
FEEDBACK, FETCH, CONTEXT = "feedback", "fetch", "context"
FUSED = "fused"

FORMER_INDEX = (
    "the index of words is being made anew, as what counts as a word has changed; the one of before answers meanwhile, "
    "and what was written since is found by meaning"
)
NOT_SPELLED_OTHERWISE = "nothing is asked for that may be written otherwise, or is told by its signs"
ONE_SIDE = "one side alone finds something"
MOST_RESPELLED = 50
"""The best rows by words that are read for other spellings and for signs: as many as a page reads anyway."""
MOST_READ = 8000
"""Rows that are read, of each side, for those that hold a phrase."""

Found = Mapping[str, list[Match]]
"""What each side in use found, best first."""


class Looking(Protocol):
    """What an order is made of: rankings at a depth, and the rows behind them."""

    @property
    def words(self) -> tuple[QueryWord, ...]:
        """The words that are asked for."""

    def rank(self, depth: int) -> Ranking:
        """The best of each side down to a depth, ranked."""

    def fetch(self, matches: Sequence[Match]) -> dict[str, VectorRow]:
        """The rows with their texts by id, as far as they are there."""

    def fetch_beside(self, matches: Sequence[Match]) -> dict[str, VectorRow]:
        """Those of the rows that are there and may be shown beside hits."""

    def find_terms(self, matches: Sequence[Match], terms: Sequence[int]) -> Mapping[str, frozenset[int]]:
        """Which of some terms the rows hold, of those of which that is known without reading them."""


class Look:
    """One look: what is found, ranked and fetched, by one view of who is visible and which shards answer."""

    def __init__(
        self,
        question: SearchQuestion,
        vector: Vector | None,
        shards: Shards,
        visibility: Visibility,
        steps: Steps,
        *,
        fusion: Fusion,
    ) -> None:
        self._question = question
        self._selection = question.selection
        self._vector = vector
        self._shards = shards
        self._visibility = visibility
        self._steps = steps
        self._fusion = fusion
        self._learned: Wording | None = None
        self._rows: dict[str, VectorRow] = {}
        self._met: dict[str, bool] = {}
        self.most_of_words = 0.0
        """What a row with all of the words would score by them; 0 where words are not looked at."""
        self.are_usual = False
        """Whether most rows hold all words that are asked for."""
        self._is_named = False
        self._holding: Mapping[int, int] = {}
        self._spelled: list[tuple[Callable[[str], object], float]] = []
        self._must_be_spelled = False
        self.words = question.words.words
        self._wording = self._weigh()
        self._skip_what_has_nothing_to_do()
        self.vanished = False
        """Whether a row went away between its ranking and the fetching of its text."""

    def rank(self, depth: int) -> Ranking:
        """The `depth` best of each side, ranked; with both in use every candidate gets both scores."""
        return self.rank_found(self.find(depth), depth)

    def rank_found(self, found: Found, depth: int, others: Mapping[str, Match] = NO_OTHERS) -> Ranking:
        """What the sides found, ranked together with candidates that others put up."""
        candidates = {**others, **{match.id: match for side in found.values() for match in side}}
        if len(found) < 2:
            alone = {name: ranked(self._complete(name, candidates, side)) for name, side in found.items()}
            return rank(alone or {DENSE: {}}, found, candidates, depth=depth)
        scores = {name: self._complete(name, candidates, side) for name, side in found.items()}
        with self._steps.step(FUSE, given=len(candidates)) as step:
            fused = fuse(
                scores[DENSE],
                scores[LEXICAL],
                most_of_words=self.most_of_words,
                fusion=self._fusion,
                is_named=self._is_named,
            )
            step.out = len(fused)
        stages = {**scores, FUSED: fused, **self._feed_back(candidates, fused)}
        return rank(stages, found, candidates, depth=depth)

    def fetch(self, matches: Sequence[Match]) -> dict[str, VectorRow]:
        """The rows with their texts by id; one that was deleted since it was found is absent."""
        with self._steps.step(FETCH, given=len(matches)) as step:
            rows = self._fetch(matches)
            step.out = len(rows)
        self.vanished = self.vanished or len(rows) < len(matches)
        return rows

    def fetch_beside(self, matches: Sequence[Match]) -> dict[str, VectorRow]:
        """Those of the rows that are there and may be shown beside hits."""
        with self._steps.step(CONTEXT, given=len(matches)) as step:
            rows = self._fetch(matches)
            beside = {id: row for id, row in rows.items() if self._question.shows(row)}
            step.out = len(beside)
        return beside

    def find_terms(self, matches: Sequence[Match], terms: Sequence[int]) -> Mapping[str, frozenset[int]]:
        """Which of some terms the rows hold, of those of which that is known without reading them."""
        held = [term for term in terms if self._holding.get(term, 1)]
        return self._shards.find_terms(matches, held)

    def _weigh(self) -> Wording | None:
        """The words and their weights, counted over all shards; None without a word that any row holds."""
        if self._question.mode == DENSE:
            self._steps.skip(LEXICAL, "only meaning is asked for")
            return None
        query = self._question.words
        with self._steps.step(LEXICAL) as step:
            counted = self._shards.count_words(self._question.terms)
            self._holding = counted.holding or {}
            query = query.as_held(counted)
            self.words = query.words
            self.most_of_words, self._is_named = most_of_words(query, counted), names_identifier(query, counted)
            self.are_usual = asks_for_usual(query, counted)
            spelled = ((some, weight_of_spelled(some, counted)) for some in query.spelled)
            self._spelled = [(_finder_of(some), weight) for some, weight in spelled if weight]
            wording = weigh(query, counted, extra=weigh_added(self._question.added, query, counted))
            self._must_be_spelled = has_only_faint_parts(query, wording)
            if not wording.weights:
                step.ran, step.why = False, "no document holds any of its words"
        return wording if wording.weights else None

    def _skip_what_has_nothing_to_do(self) -> None:
        if self._vector is None:
            self._steps.skip(DENSE, ONLY_WORDS if self._question.mode == LEXICAL else "the query has no vector")
        if self._vector is None or self._wording is None:
            self._steps.skip(FUSE, ONE_SIDE)
            self._steps.skip(FEEDBACK, ONE_SIDE)
        if not self._spelled:
            self._steps.skip(SPELLING, NOT_SPELLED_OTHERWISE)
        if not self._question.reads_rows:
            self._steps.skip(PHRASES, "the query has no phrase")

    def find(self, depth: int) -> Found:
        """What the sides in use find, seen by readers; the tracker is asked once for what both found first."""
        sides: dict[str, Ask] = {}
        if self._vector is not None:
            sides[DENSE] = self._nearest
        if self._wording is not None:
            sides[LEXICAL] = self._worded
        first = {name: ask(asked_for(depth)) for name, ask in sides.items()}
        self._visibility.learn(chain.from_iterable(first.values()))
        most = MOST_READ if self._question.reads_rows else inf
        return {name: gather(side, sides[name], self._kept, wanted=depth, most=most) for name, side in first.items()}

    def _nearest(self, top_k: int) -> list[Match]:
        assert self._vector is not None
        with self._steps.step(DENSE, given=top_k) as step:
            return _counted(step, self._shards.search_vectors(self._vector, top_k, self._selection))

    def _worded(self, top_k: int) -> list[Match]:
        assert self._wording is not None
        with self._steps.step(LEXICAL, given=top_k) as step:
            found = _counted(step, self._shards.search_words(self._wording, top_k, self._selection))
            step.why = step.why if found else self._shards.lacks_words
            return found

    def _kept(self, matches: Sequence[Match]) -> list[Match]:
        visible = self._visibility.visible(matches)
        if not self._question.reads_rows:
            return visible
        with self._steps.step(PHRASES, given=len(visible)) as step:
            rows = self._fetch(visible)
            if len(visible) >= MOST_READ:
                step.why = f"only the {len(visible):,} best rows that hold the words were read"
            return _counted(step, [match for match in visible if match.id in rows and self._is_met_by(rows[match.id])])

    def _is_met_by(self, row: VectorRow) -> bool:
        """Whether a row holds the phrases; both sides find it, again at each depth, and it is read once."""
        if row.id not in self._met:
            self._met[row.id] = self._question.is_met_by(row)
        return self._met[row.id]

    def _complete(self, name: str, candidates: Mapping[str, Match], side: Sequence[Match]) -> dict[str, float]:
        """The scores by one side of every candidate, as far as it has one."""
        scores = scores_of(side)
        left = missing(candidates, scores)
        if left:
            with self._steps.step(name, given=len(candidates)) as step:
                scores |= self._score(name, left)
                step.out = len(scores)
        if name != LEXICAL:
            return scores
        if self._spelled:
            return self._respelled(candidates, scores)
        return {} if self._must_be_spelled else scores

    def _respelled(self, candidates: Mapping[str, Match], scores: dict[str, float]) -> dict[str, float]:
        """The scores by words, more for rows that hold an identifier of the query's in another spelling, or its signs.

        Where no row holds anything but parts of identifiers, these rows alone have a score.
        """
        best = list(ranked(scores))[:MOST_RESPELLED]
        with self._steps.step(SPELLING, given=len(best)) as step:
            rows = self._fetch([candidates[id] for id in best])
            more = {id: self._weigh_spelled(row) for id, row in rows.items()}
            step.out = sum(weight > 0 for weight in more.values())
        found = {id: score for id, score in scores.items() if more.get(id)} if self._must_be_spelled else scores
        return {id: score + more.get(id, 0.0) for id, score in found.items()}

    def _weigh_spelled(self, row: VectorRow) -> float:
        fields = row.title, row.section, row.text
        return sum(weight for finds, weight in self._spelled if any(map(finds, fields)))

    def _score(self, name: str, matches: Sequence[Match]) -> dict[str, float]:
        if name == DENSE:
            assert self._vector is not None
            return self._shards.score(matches, self._vector)
        assert self._wording is not None
        return self._shards.score_words(matches, self._wording)

    def _feed_back(self, candidates: Mapping[str, Match], fused: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """The candidates by what they share with the first of them too; nothing where that says nothing."""
        if why := why_not(self._question.words, self._fusion.feedback):
            self._steps.skip(FEEDBACK, why)
            return {}
        with self._steps.step(FEEDBACK, given=len(fused)) as step:
            self._learned = self._learned or self._learn([candidates[id] for id in list(fused)[:FIRST]])
            if self._learned is None:
                step.ran, step.why = False, "the first hits have no words of their own"
                return {}
            scores = self._shards.score_words(candidates.values(), self._learned)
            step.out = len(scores)
            return {FEEDBACK: reinforce(fused, scores, self._learned, self._fusion.feedback)}

    def _learn(self, first: Sequence[Match]) -> Wording | None:
        """The words of the first candidates, the same however deep the sides are looked at afterwards."""
        assert self._wording is not None
        rows = self._fetch(first)
        mean_length = self._wording.mean_length
        shares = weigh_terms(count_each(rows[match.id] for match in first if match.id in rows), mean_length)
        return profile(shares, self._shards.count_words(list(shares)), mean_length)

    def _fetch(self, matches: Sequence[Match]) -> dict[str, VectorRow]:
        """Rows that were not read yet are read; none is read twice in a look."""
        self._rows |= self._shards.fetch(match for match in matches if match.id not in self._rows)
        return {match.id: self._rows[match.id] for match in matches if match.id in self._rows}


def _finder_of(some: SpelledWords) -> Callable[[str], object]:
    """What tells the texts that hold words in another spelling, or with their signs."""
    if some.signs:
        pattern = written_as(some.signs)
        return lambda text: pattern.search(signed(text))
    spelling = re.compile(some.pattern) if some.pattern else spelling_of(some.parts, some.written)
    return lambda text: spelling.search(folded(text))


def _counted(step: Running, found: list[Match]) -> list[Match]:
    step.out = len(found)
    return found
