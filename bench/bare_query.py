"""The bare query: a hybrid search of a store's with what it takes and nothing around it.

The same embedder, words, filter, depth, fusion, feedback, folding and number of hits; no tracker, so that nobody asks
which rows readers may see; no steps, failures, pages, judgement or record. The figure that a search is held against.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from embedmill.retrieval.candidates import asked_for
from embedmill.retrieval.copies import Copies
from embedmill.retrieval.feedback import FIRST, profile, reinforce, weigh_terms, why_not
from embedmill.retrieval.fusion import Fusion, fuse
from embedmill.retrieval.grouping import spread
from embedmill.retrieval.order import DEPTHS, WINDOW
from embedmill.retrieval.ranking import missing, scores_of
from embedmill.retrieval.view import SPREAD
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.exact import count_each
from embedmill.shared.providers.vectorstores.rows import Match, VectorRow
from embedmill.shared.words.queries import WordQuery, most_of_words, names_identifier, parse_query, weigh
from embedmill.shared.words.weighing import Wording


@dataclass(frozen=True)
class BareQuery:
    """Asks one shard of a store; nothing is filtered."""

    store: VectorStore
    shard: str
    embedder: Embedder
    fusion: Fusion

    def find(self, text: str, *, top_k: int) -> list[str]:
        """The best rows, by document and chunk, near-copies folded."""
        words = parse_query(text)
        vector = self.embedder.embed_batch([words.plain], input_type="query")[0]
        counted = self.store.count_words([self.shard], words.terms).counts
        wording = weigh(words, counted)
        dense, lexical = self._both_sides(vector, wording)
        candidates = {match.id: match for side in (dense, lexical) for match in side}
        near, worded = scores_of(dense), scores_of(lexical)
        near |= self.store.score(self.shard, _ids(missing(candidates, near)), vector)
        worded |= self.store.score_words(self.shard, _ids(missing(candidates, worded)), wording)
        most, is_named = most_of_words(words, counted), names_identifier(words, counted)
        fused: Mapping[str, float] = fuse(near, worded, most_of_words=most, fusion=self.fusion, is_named=is_named)
        fused = self._fed_back(words, fused, wording)
        first = list(islice(fused, WINDOW))
        rows = self.store.fetch(self.shard, first)
        copies = Copies(words.words)
        leaders = copies.fold([rows[id] for id in first], self._terms)
        return [f"{row.document}-{row.chunk}" for row in islice(spread(leaders, _document, limit=SPREAD), top_k)]

    def _both_sides(self, vector: NDArray[np.float32], wording: Wording) -> tuple[list[Match], list[Match]]:
        depth = DEPTHS[0]
        dense = self.store.search_vectors([self.shard], vector, top_k=asked_for(depth)).matches
        lexical = self.store.search_words([self.shard], wording, top_k=asked_for(depth)).matches
        return dense[:depth], lexical[:depth]

    def _fed_back(self, words: WordQuery, fused: Mapping[str, float], wording: Wording) -> Mapping[str, float]:
        if why_not(words, self.fusion.feedback):
            return fused
        first = list(islice(fused, FIRST))
        rows = self.store.fetch(self.shard, first)
        shares = weigh_terms(count_each(rows[id] for id in first), wording.mean_length)
        counted = self.store.count_words([self.shard], list(shares)).counts
        learned = profile(shares, counted, wording.mean_length)
        if learned is None:
            return fused
        scores = self.store.score_words(self.shard, list(fused), learned)
        return reinforce(fused, scores, learned, self.fusion.feedback)

    def _terms(self, ids: Sequence[str], terms: Sequence[int]) -> Mapping[str, frozenset[int]]:
        return self.store.find_terms(self.shard, ids, terms)


def _ids(matches: Sequence[Match]) -> list[str]:
    return [match.id for match in matches]


def _document(row: VectorRow) -> str:
    return row.document
