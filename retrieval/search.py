"""Owns the answering of a query: embed, ask every shard both ways, drop what is not visible, fuse, fetch the texts."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embedmill.retrieval.candidates import ActiveEditions, Candidate, Visibility, fill, gather, scatter
from embedmill.retrieval.fusion import fuse, limit_per_group, ranked
from embedmill.retrieval.stopwatch import Stopwatch
from embedmill.shared.editions import Edition
from embedmill.shared.errors import SettingsError
from embedmill.shared.paging import pages
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.vectorstores.base import VectorRow, VectorStore

Mode = Literal["dense", "lexical", "hybrid"]
Filter = Mapping[str, Any]

DEPTH = 100
"""Candidates that each side puts up for fusion; quality is the same from 30 to 400."""
CHUNKS_PER_DOCUMENT = 3
"""Enough to answer from one good document, too few for it to fill the page; quality is the same from 1 to all."""
LOOKS = 3
"""A query that met a document in the middle of its switch looks again, so that the document is not missing."""
STEPS = ("embed", "dense", "lexical", "versions", "fuse", "fetch")


@dataclass(frozen=True, slots=True)
class StageScore:
    """What one side said of a hit; `rank` is None where that side did not put the row up by itself."""

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk; `score` is the last stage's, comparable only within one result."""

    rank: int
    score: float
    document: str
    uri: str
    chunk: str
    section: str
    start: int
    end: int
    text: str
    title: str
    page: int | None
    stages: Mapping[str, StageScore]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits, best first, and how many milliseconds each step took."""

    hits: list[Hit]
    timings: dict[str, float]


class Searcher:
    """Answers queries over one collection's shards.

    Shards are asked in the order given. A function in their place is called for every query, because documents can be
    moved to other shards at any time.

    `active_editions` maps document ids to their active edition and leaves out documents that have none; it is asked
    during every query, so that a superseded or deleted document is gone from the next answer on.
    """

    def __init__(
        self,
        store: VectorStore,
        shards: Sequence[str] | Callable[[], Sequence[str]],
        embedder: Embedder,
        active_editions: ActiveEditions,
    ) -> None:
        self._store = store
        self._find_shards = shards if callable(shards) else lambda: shards
        self._embedder = embedder
        self._active_editions = active_editions

    def search(
        self,
        text: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        filter: Filter | None = None,
        chunks_per_document: int | None = CHUNKS_PER_DOCUMENT,
    ) -> SearchResult:
        """The best chunks for a query; no hits for a query without words.

        The best `chunks_per_document` chunks of each document come first and the others after all of those; None
        ranks chunks without regard to their documents. Raises StorageFailed or ProviderUnavailable, and SettingsError
        for an unknown mode.
        """
        watch = Stopwatch(*STEPS)
        if mode not in ("dense", "lexical", "hybrid"):
            raise SettingsError(f"{mode!r} is no search mode", hint="Use dense, lexical or hybrid.")
        if mode == "lexical" and not self._store.supports_lexical:
            hint = "Use --mode hybrid: it orders what is near in meaning by its words too."
            raise SettingsError("this vector store cannot search words alone", hint=hint)
        if top_k < 1 or not text.strip():
            return SearchResult([], watch.timings())
        vector = None if mode == "lexical" else self._embed(text, watch)
        hits: list[Hit] = []
        for _ in range(LOOKS):
            visibility = self._timed_visibility(watch)
            shards = tuple(self._find_shards())
            query = _Query(self._store, shards, text, filter, watch, visibility)
            ranking = query.rank(vector, lexical=mode != "dense", depth=max(DEPTH, 3 * top_k))
            hits = query.hits(ranking, top_k, chunks_per_document)
            if not visibility.moved and not query.vanished and tuple(self._find_shards()) == shards:
                break
        return SearchResult(hits, watch.timings())

    def _embed(self, text: str, watch: Stopwatch) -> NDArray[np.float32] | None:
        """The query's vector; None when it has no token that the model knows, which would be near to anything."""
        with watch.step("embed"):
            vector: NDArray[np.float32] = self._embedder.embed_batch([text], input_type="query")[0]
        return vector if vector.any() else None

    def _timed_visibility(self, watch: Stopwatch) -> Visibility:
        def look_up(documents: Collection[str]) -> Mapping[str, Edition]:
            with watch.step("versions"):
                return self._active_editions(documents)

        return Visibility(look_up)


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Every candidate, what each stage said of it, and the last stage's scores, best first."""

    candidates: Mapping[str, Candidate]
    stages: Mapping[str, Mapping[str, StageScore]]
    scores: Mapping[str, float]


class _Query:
    """One query under way."""

    def __init__(
        self,
        store: VectorStore,
        shards: Sequence[str],
        text: str,
        filter: Filter | None,
        watch: Stopwatch,
        visibility: Visibility,
    ) -> None:
        self._store = store
        self._shards = shards
        self._text = text
        self._filter = filter
        self._watch = watch
        self._visibility = visibility
        self.vanished = False
        """Whether a row went away between its ranking and the fetching of its text."""

    def rank(self, vector: NDArray[np.float32] | None, *, lexical: bool, depth: int) -> _Ranking:
        """Candidates of the sides in use, ranked; with both in use every candidate gets both scores."""
        near = [] if vector is None else self._nearest(vector, depth)
        worded = self._worded(depth) if lexical else []
        candidates = {item.match.id: item for item in (*near, *worded)}
        if vector is None or not lexical:
            name, found = ("lexical", worded) if lexical else ("dense", near)
            return _ranking(candidates, {name: _scores(found)}, {name: found}, final=name)
        dense, wording = self._rescored(candidates, near, worded, vector)
        with self._watch.step("fuse"):
            scores = {"dense": dense, "lexical": wording, "fused": fuse(dense, wording)}
            return _ranking(candidates, scores, {"dense": near, "lexical": worded}, final="fused")

    def _nearest(self, vector: NDArray[np.float32], depth: int) -> list[Candidate]:
        def ask(shard: str, top_k: int) -> list[Any]:
            return self._store.query(shard, vector, top_k=top_k, filter=self._filter)

        with self._watch.step("dense"):
            return gather(self._shards, ask, self._visibility, wanted=depth)

    def _worded(self, depth: int) -> list[Candidate]:
        def ask(shard: str, top_k: int) -> list[Any]:
            return self._store.query_lexical(shard, self._text, top_k=top_k, filter=self._filter)

        with self._watch.step("lexical"):
            return gather(self._shards, ask, self._visibility, wanted=depth)

    def _rescored(
        self,
        candidates: Mapping[str, Candidate],
        near: Sequence[Candidate],
        worded: Sequence[Candidate],
        vector: NDArray[np.float32],
    ) -> tuple[dict[str, float], dict[str, float]]:
        with self._watch.step("dense"):
            dense = fill(candidates, _scores(near), lambda shard, ids: self._store.score(shard, ids, vector))
        with self._watch.step("lexical"):
            rescore = self._store.score_lexical
            return dense, fill(candidates, _scores(worded), lambda shard, ids: rescore(shard, ids, self._text))

    def hits(self, ranking: _Ranking, top_k: int, chunks_per_document: int | None) -> list[Hit]:
        """The best rows with their texts; a row deleted meanwhile is replaced by the next one."""
        order = list(ranking.scores)
        if chunks_per_document is not None:
            documents = {id: candidate.match.document for id, candidate in ranking.candidates.items()}
            order = limit_per_group(order, documents, limit=chunks_per_document)
        with self._watch.step("fetch"):
            rows = list(islice(self._rows(order, ranking.candidates, page=top_k), top_k))
        return [_hit(rank, row, ranking) for rank, row in enumerate(rows, 1)]

    def _rows(self, order: Sequence[str], candidates: Mapping[str, Candidate], page: int) -> Iterator[VectorRow]:
        for ids in pages(order, page):
            rows = self._fetch(ids, candidates)
            self.vanished = self.vanished or len(rows) < len(ids)
            yield from (rows[id] for id in ids if id in rows)

    def _fetch(self, ids: Sequence[str], candidates: Mapping[str, Candidate]) -> dict[str, VectorRow]:
        held: dict[str, list[str]] = {}
        for id in ids:
            held.setdefault(candidates[id].shard, []).append(id)
        answers = scatter(list(held), lambda shard: self._store.fetch(shard, held[shard]))
        rows = {id: row for answer in answers for id, row in answer.items()}
        return {id: row for id, row in rows.items() if row.version == candidates[id].match.version}


def _scores(found: Sequence[Candidate]) -> dict[str, float]:
    return {item.match.id: item.match.score for item in found}


def _ranking(
    candidates: Mapping[str, Candidate],
    scores: Mapping[str, Mapping[str, float]],
    found: Mapping[str, Sequence[Candidate]],
    *,
    final: str,
) -> _Ranking:
    final_scores = ranked(scores[final])
    ranks = {name: _ranks(item.match.id for item in side) for name, side in found.items()}
    ranks[final] = _ranks(final_scores)
    stages = {
        id: {name: StageScore(ranks[name].get(id), values.get(id, 0.0)) for name, values in scores.items()}
        for id in final_scores
    }
    return _Ranking(candidates, stages, final_scores)


def _ranks(ids: Iterable[str]) -> dict[str, int]:
    return {id: rank for rank, id in enumerate(ids, 1)}


def _hit(rank: int, row: VectorRow, ranking: _Ranking) -> Hit:
    return Hit(
        rank=rank,
        score=ranking.scores[row.id],
        document=row.document,
        uri=row.uri,
        chunk=row.chunk,
        section=row.section,
        start=row.start,
        end=row.end,
        text=row.text,
        title=row.title,
        page=row.page,
        stages=ranking.stages[row.id],
    )
