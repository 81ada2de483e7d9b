"""Owns how rows are searched in the namespaces of an index: Pinecone finds candidates, and they are scored exactly.

A query is billed by its namespace and not by what it brings along. So candidates come with vector and text as long as
an answer has room for them (four megabytes), and otherwise with less.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import InternalError, ProviderUnavailable
from embedmill.shared.providers.vectorstores.exact import best, cosine, selects, word_score
from embedmill.shared.providers.vectorstores.metering import MeteredRequests
from embedmill.shared.providers.vectorstores.pinecone import records, units
from embedmill.shared.providers.vectorstores.pinecone.asking import Asking
from embedmill.shared.providers.vectorstores.pinecone.filters import filter_of
from embedmill.shared.providers.vectorstores.pinecone.recent import Recent
from embedmill.shared.providers.vectorstores.pinecone.wording import asked_for
from embedmill.shared.providers.vectorstores.rows import Found, Match, Selection, VectorRow
from embedmill.shared.words.weighing import Wording

MAX_TOP_K = 10_000
MOST_CANDIDATES = 1_000
"""Of one shard, where rows are looked at one by one; for a filter as far as there is to see."""
SPARE = 16
"""Candidates beyond the wanted ones: near ties that the service's own numbers may have in another order."""
DEPTH_OF_WORDS = 2
"""So many times the wanted rows are looked at by their words, for the service knows another mean length."""
WIDENING = 4
ANSWER_BYTES = 3_600_000
"""Of four megabytes that an answer may have."""
TIED_WITHIN = 1e-6
"""Of a score: what the service's own numbers may be off by."""
NUMBER_BYTES = 12
TEXT_BYTES = 7_000
"""Of a candidate beside its vector, as a rule; an answer that is refused as too large is asked for with less."""

Scored = Callable[[VectorRow], float | None]


@dataclass(frozen=True, slots=True)
class _Brought:
    """What a match brings along."""

    vector: bool = False
    text: bool = False


ALL, TEXT, NOTHING = _Brought(vector=True, text=True), _Brought(text=True), _Brought()


class NamespaceSearching:
    """Searches the namespaces of one index; `space_of` names a shard's, `fetch` reads rows with their vectors.

    `met` is told what came along with the answer of a namespace.
    """

    def __init__(
        self,
        asking: Asking,
        recent: Recent,
        *,
        dimensions: int,
        space_of: Callable[[str], str],
        row_of: Callable[[Any], VectorRow],
        fetch: Callable[[str, Sequence[str]], dict[str, VectorRow]],
        met: Callable[[str, Sequence[Any]], None],
    ) -> None:
        self._asking = asking
        self._recent = recent
        self._dimensions = dimensions
        self._space_of = space_of
        self._row_of = row_of
        self._fetch = fetch
        self._met = met

    def nearest(
        self,
        shards: Sequence[str],
        vector: NDArray[np.float32],
        selection: Selection,
        *,
        top_k: int,
        deadline: float | None,
    ) -> Found:
        """The nearest rows by cosine."""
        unit = (vector / np.linalg.norm(vector)).astype(np.float32).tolist()
        gone: set[str] = set()
        has_terms = bool(selection.required or selection.excluded)
        plain = {"vector": unit, "filter": filter_of(selection.where)}

        def scored(row: VectorRow) -> float:
            return cosine(row, vector)

        def ask(requests: MeteredRequests, shard: str) -> list[Match]:
            if not has_terms and selection.where is None:
                return self._plain(requests, shard, plain, scored, top_k)
            ways = [plain]
            if has_terms and self._asking.client.takes_words():
                ways.append(plain | {"sparse_vector": asked_for({}, selection)})
            rows = [row for way in ways for row in self._selected(requests, shard, way, selection, top_k, gone)]
            return _matches(shard, self._with_vectors(shard, rows, gone), scored)

        found = self._over(shards, ask, top_k=top_k, times=1 + has_terms, deadline=deadline)
        return replace(found, vanished=bool(gone))

    def worded(
        self, shards: Sequence[str], wording: Wording, selection: Selection, *, top_k: int, deadline: float | None
    ) -> Found:
        """The best rows by BM25."""
        way = {
            "vector": [0.0] * self._dimensions,
            "sparse_vector": asked_for(wording.weights, selection),
            "filter": filter_of(selection.where),
        }

        gone: set[str] = set()

        def scored(row: VectorRow) -> float | None:
            return word_score(row, wording)

        def ask(requests: MeteredRequests, shard: str) -> list[Match]:
            rows = self._selected(requests, shard, way, selection, DEPTH_OF_WORDS * top_k, gone)
            return _matches(shard, rows, scored)

        found = self._over(shards, ask, top_k=top_k, times=1, deadline=deadline)
        return replace(found, vanished=bool(gone))

    def _over(
        self,
        shards: Sequence[str],
        ask: Callable[[MeteredRequests, str], list[Match]],
        *,
        top_k: int,
        times: int,
        deadline: float | None,
    ) -> Found:
        places = self._asking.each(shards, self._space_of, deadline=deadline)
        most = times * sum(map(self._asking.foresee_query, places.found.values()))
        with self._asking.metered(units.QUERY, milliunits=most, number=times * len(shards)) as requests:
            answers = self._asking.each(list(places.found), lambda shard: ask(requests, shard), deadline=deadline)
        matches = [match for found in answers.found.values() for match in found]
        return Found(best(matches, top_k), {**places.failed, **answers.failed})

    def _plain(
        self, requests: MeteredRequests, shard: str, way: Mapping[str, Any], scored: Scored, wanted: int
    ) -> list[Match]:
        """The nearest by the service's own scores, made exact where the rows came along."""
        found = self._deep_enough(
            requests, shard, way, wanted, most=MOST_CANDIDATES, brought=(ALL, NOTHING), select=lambda found: found
        )
        rows = {row.id: row for row in self._rows(shard, found) if row.vector.size}
        matches = [match for one in found if (match := records.match_of(one)) is not None]
        exactly = {match.id: match for match in _matches(shard, list(rows.values()), scored)}
        return [exactly.get(m.id) or Match(m.id, m.document, m.version, m.score, shard) for m in matches]

    def _selected(
        self,
        requests: MeteredRequests,
        shard: str,
        way: Mapping[str, Any],
        selection: Selection,
        wanted: int,
        gone: set[str],
    ) -> list[VectorRow]:
        """The first rows that are selected, with their texts."""
        rows: dict[str, VectorRow] = {}

        def select(found: Sequence[Any]) -> list[Any]:
            rows.clear()
            rows.update((row.id, row) for row in self._texts(shard, found, gone) if selects(selection, row))
            return [one for one in found if one.id in rows]

        most = MOST_CANDIDATES if selection.where is None else MAX_TOP_K
        self._deep_enough(requests, shard, way, wanted, most=most, brought=(ALL, TEXT, NOTHING), select=select)
        return list(rows.values())

    def _deep_enough(
        self,
        requests: MeteredRequests,
        shard: str,
        way: Mapping[str, Any],
        wanted: int,
        *,
        most: int,
        brought: Sequence[_Brought],
        select: Callable[[Sequence[Any]], Sequence[Any]],
    ) -> list[Any]:
        """Matches with as many selected ones as are wanted, and with all that tie with the last of those."""
        depth = wanted + SPARE
        while True:
            found = self._matched(requests, shard, way, depth, brought)
            selected = select(found)
            if (
                len(found) < depth
                or depth >= most
                or (len(selected) >= wanted and _ends_below(found, selected[wanted - 1]))
            ):
                return found
            depth = min(depth * WIDENING, most)

    def _matched(
        self,
        requests: MeteredRequests,
        shard: str,
        way: Mapping[str, Any],
        depth: int,
        brought: Sequence[_Brought],
    ) -> list[Any]:
        """The matches of a query, with as much as its answer has room for."""
        space, top_k = self._space_of(shard), min(depth, MAX_TOP_K)
        fitting = [one for one in brought if top_k * self._bytes_of(one) <= ANSWER_BYTES] or [NOTHING]
        for one in fitting:
            asked = {**way, "top_k": top_k, "include_values": one.vector, "include_metadata": one.text}
            try:
                answer = self._asking.query(requests, space, **asked)
            except InternalError:
                if one is fitting[-1]:
                    raise
                continue
            found = list(answer.matches) if answer else []
            self._met(space, found)
            return found
        return []

    def _bytes_of(self, brought: _Brought) -> int:
        return brought.vector * NUMBER_BYTES * self._dimensions + brought.text * TEXT_BYTES

    def _rows(self, shard: str, found: Sequence[Any]) -> Iterator[VectorRow]:
        """The rows that matches brought along, as far as they are ours and whole."""
        rows = []
        for one in found:
            if one.metadata and records.match_of(one) is not None:
                try:
                    rows.append(self._row_of(one))
                except ProviderUnavailable:
                    continue
        self._recent.keep(shard, (row for row in rows if row.vector.size))
        return iter(rows)

    def _texts(self, shard: str, found: Sequence[Any], gone: set[str]) -> list[VectorRow]:
        """The rows of matches, read where they brought none, in the order of the matches."""
        rows = {row.id: row for row in self._rows(shard, found)}
        ours = [match.id for one in found if (match := records.match_of(one)) is not None]
        if not rows and ours:
            rows = self._read(shard, ours, gone)
        return [rows[id] for id in ours if id in rows]

    def _with_vectors(self, shard: str, rows: Sequence[VectorRow], gone: set[str]) -> list[VectorRow]:
        held = {row.id: row for row in rows}
        lean = [row.id for row in held.values() if not row.vector.size]
        read = self._read(shard, lean, gone) if lean else {}
        return list((held | read).values())

    def _read(self, shard: str, ids: Sequence[str], gone: set[str]) -> dict[str, VectorRow]:
        """The rows that were found a moment ago, as far as they are still there."""
        rows = self._fetch(shard, ids)
        gone.update(set(ids) - rows.keys())
        return rows


def _ends_below(found: Sequence[Any], last_wanted: Any) -> bool:
    """Whether the matches go on beyond those that tie with the last that is wanted."""
    return bool(found[-1].score < last_wanted.score - TIED_WITHIN * max(1.0, abs(last_wanted.score)))


def _matches(shard: str, rows: Sequence[VectorRow], scored: Scored) -> list[Match]:
    """The rows that have a score."""
    scores = ((row, scored(row)) for row in rows)
    return [Match(row.id, row.document, row.version, score, shard) for row, score in scores if score is not None]
