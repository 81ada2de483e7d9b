"""Owns what a search asks of the shards: one that fails, or is late, is named and left out, and the others answer."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError, StorageFailed
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.exact import best
from embedmill.shared.providers.vectorstores.rows import Found, IndexChanged, Match, Selection, VectorRow
from embedmill.shared.words.weighing import WordCounts, Wording

T = TypeVar("T")

ALL_FAILED_HINT = (
    "`embedmill doctor` says what is wrong with the vector store, `embedmill verify --repair` makes damaged and lost "
    "shards anew; those that are late may answer the next time (EMBEDMILL_SEARCH_SECONDS)."
)


class Shards:
    """The shards that a search asks, and in `failed` those that did not answer, each with the reason.

    `seconds` is how long one pass over all of them may take; words are counted of rows that are `within`. Every method
    raises StorageFailed when none is left.
    """

    def __init__(
        self,
        store: VectorStore,
        names: Sequence[str],
        *,
        seconds: float,
        failed: dict[str, str],
        within: Condition | None = None,
    ) -> None:
        self._store = store
        self._within = within
        self._names = names
        self._seconds = seconds
        self._have_answered = False
        self._heard: set[str] = set()
        self.failed = failed
        self.former: int | None = None
        """The version of the cutter whose index answers while today's is made; None for today's."""
        self._have_counted = False
        self.broke = False
        """Whether one failed after it had answered, its index became another, or rows went: it is not of one piece."""

    @property
    def answering(self) -> list[str]:
        """Those that have not failed, in the order in which they are asked."""
        return [name for name in self._names if name not in self.failed]

    @property
    def lacks_words(self) -> str:
        """Why the store does not search by words; empty when it does, or when it does not even say that."""
        with suppress(EmbedmillError):
            return self._store.lacks_words
        return ""

    @property
    def silent(self) -> list[str]:
        """Those that were asked, have not failed, and had nothing to put up."""
        return [name for name in self.answering if name not in self._heard]

    def search_vectors(self, vector: NDArray[np.float32], top_k: int, selection: Selection) -> list[Match]:
        """The nearest rows, best first."""
        found = self._store.search_vectors(
            self.answering, vector, top_k=top_k, selection=selection, deadline=self._deadline()
        )
        return self._take(found)

    def search_words(self, wording: Wording, top_k: int, selection: Selection) -> list[Match]:
        """The best rows by their words, best first."""
        try:
            found = self._store.search_words(
                self.answering, wording, top_k=top_k, selection=selection, deadline=self._deadline()
            )
        except IndexChanged:
            self.broke = True
            return []
        return self._take(found)

    def _take(self, found: Found) -> list[Match]:
        self.leave_out(found.failed)
        self.broke = self.broke or found.vanished
        return self._in_order(found.matches)

    def count_words(self, terms: Sequence[int]) -> WordCounts:
        """The words of all shards together."""
        counted = self._store.count_words(self.answering, terms, deadline=self._deadline(), within=self._within)
        self.leave_out(counted.failed)
        self.broke = self.broke or (self._have_counted and self.former != counted.counts.former)
        self._have_counted, self.former = True, counted.counts.former
        return counted.counts

    def score(self, matches: Iterable[Match], vector: NDArray[np.float32]) -> dict[str, float]:
        """Cosines of the given rows, as far as they are still there."""
        listed = list(matches)
        scores = self._ask_each(listed, lambda shard, ids: self._store.score(shard, ids, vector))
        self.broke = self.broke or len(scores) < len({match.id for match in listed})
        return scores

    def score_words(self, matches: Iterable[Match], wording: Wording) -> dict[str, float]:
        """Scores of the given rows by their words; those without any are absent."""
        return self._ask_each(matches, lambda shard, ids: self._store.score_words(shard, ids, wording))

    def find_terms(self, matches: Iterable[Match], terms: Sequence[int]) -> dict[str, frozenset[int]]:
        """Which of some terms the rows hold, of those of which that is known without reading them."""
        return self._ask_each(matches, lambda shard, ids: self._store.find_terms(shard, ids, terms))

    def fetch(self, matches: Iterable[Match]) -> dict[str, VectorRow]:
        """The given rows with their texts, as far as they are still there in the version that was found."""
        listed = list(matches)
        versions = {match.id: match.version for match in listed}
        rows = self._ask_each(listed, self._store.fetch)
        return {id: row for id, row in rows.items() if row.version == versions[id]}

    def leave_out(self, failed: Mapping[str, str]) -> None:
        """Ask these no more."""
        self.broke = self.broke or (self._have_answered and bool(failed))
        self._have_answered = True
        self.failed.update(failed)
        if failed and not self.answering:
            reasons = "; ".join(dict.fromkeys(self.failed.values()))
            raise StorageFailed(f"no shard answers: {reasons}", hint=ALL_FAILED_HINT)

    def _ask_each(self, matches: Iterable[Match], ask: Callable[[str, list[str]], Mapping[str, T]]) -> dict[str, T]:
        found: dict[str, T] = {}
        for shard, ids in self._by_shard(matches).items():
            try:
                found |= ask(shard, ids)
            except IndexChanged:
                self.broke = True
            except EmbedmillError as error:
                self.leave_out({shard: str(error)})
        return found

    def _by_shard(self, matches: Iterable[Match]) -> Mapping[str, list[str]]:
        if len(self._names) == 1:
            ids = [match.id for match in matches]
            return {self._names[0]: ids} if ids else {}
        held: dict[str, list[str]] = {}
        for match in matches:
            held.setdefault(match.shard, []).append(match.id)
        return held

    def _in_order(self, matches: Sequence[Match]) -> list[Match]:
        """Best first, ties by id, as stores give them; what is met at two shards, the one where it stays last."""
        if len(self._names) == 1:
            self._heard.update(self._names if matches else ())
            return list(matches)
        self._heard.update({match.shard for match in matches})
        places = {name: place for place, name in enumerate(self._names)}
        by_place = sorted(matches, key=lambda match: places[match.shard])
        return best(by_place, len(by_place))

    def _deadline(self) -> float:
        return time.monotonic() + self._seconds
