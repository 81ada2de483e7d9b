"""Owns the answering of a query: embed, ask every shard both ways, drop what is not visible, fuse, fetch the texts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates import ActiveVersions, Candidate, Visibility, fill, gather
from retrieval.fusion import fuse, limit_per_group, ranked
from shared.providers.embeddings.base import Embedder
from shared.providers.vectorstores.base import VectorRow, VectorStore

Mode = Literal["dense", "lexical", "hybrid"]
Filter = Mapping[str, Any]

DEPTH = 100
"""Candidates that each side puts up for fusion; measured alike from 30 to 400."""
CHUNKS_PER_DOCUMENT = 1
STEPS = ("embed", "dense", "lexical", "versions", "fuse", "fetch")


@dataclass(frozen=True, slots=True)
class Stage:
    """What one side said of a hit; `rank` is None where that side did not find the row by itself."""

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk, best first; `score` is the last stage's and comparable only within one result."""

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
    stages: dict[str, Stage]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits, and how many milliseconds each step took."""

    hits: list[Hit]
    timings: dict[str, float]


@dataclass(slots=True)
class _Stopwatch:
    """Milliseconds by step; a step that runs inside another one counts for itself only."""

    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))
    started: float = field(default_factory=time.perf_counter)
    _inner: float = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        outer, self._inner = self._inner, 0.0
        begin = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - begin) * 1000
            self.spent[name] += elapsed - self._inner
            self._inner = outer + elapsed

    def timings(self) -> dict[str, float]:
        total = (time.perf_counter() - self.started) * 1000
        return {name: round(spent, 3) for name, spent in (self.spent | {"total": total}).items()}


class Searcher:
    """Answers queries over one collection's shards.

    `active_versions` maps document ids to their active version and leaves out documents that have none; it is asked
    once or twice a query, so that a superseded or deleted document is gone from the next answer on.
    """

    def __init__(
        self, store: VectorStore, shards: Sequence[str], embedder: Embedder, active_versions: ActiveVersions
    ) -> None:
        self._store = store
        self._shards = list(shards)
        self._embedder = embedder
        self._active_versions = active_versions

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

        The best `chunks_per_document` chunks of each document come first and its others after all of those; None
        ranks chunks without regard to their documents. Raises StorageFailed or ProviderUnavailable.
        """
        query = _Query(self._store, self._shards, text, filter, max(DEPTH, 3 * top_k), self._timed_versions)
        watch = query.watch
        if top_k < 1 or not text.strip():
            return SearchResult([], watch.timings())
        raise NotImplementedError
