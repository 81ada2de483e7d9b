"""Owns the embedded vector store: a SQLite file per shard with the rows, and what searches look through beside them.

SQLite is the truth and keeps several processes apart. What a search looks through is made from the rows (`view`), and
is the same for words and vectors. A process that only writes holds none of it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.editions import Edition
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.providers.vectorstores.base import ShardDescription, StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.embedded import changes, marks, schema, vector_search, word_search
from embedmill.shared.providers.vectorstores.embedded.best import keys_by_shard
from embedmill.shared.providers.vectorstores.embedded.counted_terms import CountedTerms
from embedmill.shared.providers.vectorstores.embedded.cutters import former_cutter
from embedmill.shared.providers.vectorstores.embedded.portions import Pass, Portion, select
from embedmill.shared.providers.vectorstores.embedded.records import EACH_OF, unpack_vectors
from embedmill.shared.providers.vectorstores.embedded.records import row as row_of
from embedmill.shared.providers.vectorstores.embedded.records import select as rows_select
from embedmill.shared.providers.vectorstores.embedded.segment import PlacedRows
from embedmill.shared.providers.vectorstores.embedded.shard import Shard
from embedmill.shared.providers.vectorstores.embedded.shard_file import ShardFile, folder_of_store, path_of
from embedmill.shared.providers.vectorstores.embedded.statements import (
    EDITION_COUNTS,
    EDITIONS_OF,
    EDITIONS_PAGE,
    NAMES,
    SOME_DOCUMENTS,
    STALE_KEYS,
    VECTORS,
    VECTORS_OF,
    VERSION_COUNTS,
)
from embedmill.shared.providers.vectorstores.embedded.view import place
from embedmill.shared.providers.vectorstores.exact import cosines, selects
from embedmill.shared.providers.vectorstores.places import Owner, Place
from embedmill.shared.providers.vectorstores.rows import (
    EVERYTHING,
    Counted,
    Found,
    Match,
    Selection,
    VectorRow,
    check_query,
    check_rows,
    check_shard,
    named,
)
from embedmill.shared.sealing.ring import PLAIN, KeyRing
from embedmill.shared.words.weighing import Wording


class EmbeddedVectorStore(VectorStore):
    """Shards as files `<root>/<shard>.db`; any number of processes may read and write, threads take turns."""

    def __init__(self, root: Path, *, dimensions: int, owner: Owner | None = None, ring: KeyRing = PLAIN) -> None:
        self._ring = ring
        self._folder = root.parent
        self._place = Place(root.name, owner)
        self._dimensions = dimensions
        self._shards: dict[tuple[str, str], Shard] = {}
        self._counted = CountedTerms()

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        del url
        folder = folder_of_store(options.home, options.collection_key)
        return cls(folder, dimensions=options.dimensions, owner=options.owner, ring=options.ring)

    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        wanted = named(rows)
        check_rows(wanted.values(), dimensions=self._dimensions)
        if not wanted:
            return
        prepared = changes.prepare(list(wanted.values()))
        opened = self._shard(shard, to_write=True)
        with opened.write() as connection:
            replaced = changes.keys_by_id(connection, list(wanted))
            changes.bury(connection, list(replaced.values()))
            changes.add(connection, prepared)
        # Making a segment takes more memory than all else, which should not come on top of this.
        del prepared
        opened.look_after(len(wanted) + len(replaced))

    def delete_stale(self, shard: str, generations: Mapping[str, int]) -> int:
        return self._delete(shard, STALE_KEYS, json.dumps(dict(generations)))

    def delete_ids(self, shard: str, ids: Sequence[str]) -> int:
        return self._delete(shard, f"SELECT key FROM vectors WHERE id IN {EACH_OF}", _json(ids))

    def _delete(self, shard: str, select_keys: str, parameter: str) -> int:
        if not self._holds(shard, select_keys, parameter):
            return 0
        opened = self._shard(shard, to_write=True)
        with opened.write() as connection:
            keys = [key for (key,) in connection.execute(select_keys, (parameter,))]
            if keys:
                changes.next_seq(connection)
                changes.bury(connection, keys)
        opened.look_after(len(keys))
        return len(keys)

    def _holds(self, shard: str, select_keys: str, parameter: str) -> bool:
        """Whether anything matches: most deletes find nothing and need no turn at writing."""
        with self._file(shard).read() as connection:
            return connection is not None and connection.execute(select_keys, (parameter,)).fetchone() is not None

    def count_versions(self, shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        return self._counts(shard, VERSION_COUNTS, documents)

    def count_editions(self, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        return self._counts(shard, EDITION_COUNTS, documents)

    def _counts(self, shard: str, select: str, documents: Mapping[str, Any]) -> dict[str, int]:
        with self._file(shard).read() as connection:
            if connection is None:
                return dict.fromkeys(documents, 0)
            return dict(connection.execute(select, (json.dumps(dict(documents)),)).fetchall())

    # One pass over all shards

    def search_vectors(
        self,
        shards: Sequence[str],
        vector: NDArray[np.float32],
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        check_query(vector, dimensions=self._dimensions)
        under_way = Pass(deadline)
        former = self._former(shards, under_way)
        portions = self._portions(shards, selection, former=former, under_way=under_way)
        chosen = vector_search.find(portions, vector, top_k=top_k, under_way=under_way)
        matches: list[Match] = []

        def compare(shard: str, keys: Sequence[int]) -> None:
            found = self._named(shard, VECTORS, keys, under_way)
            scores = cosines(unpack_vectors([kept for *_, kept in found], self._dimensions), vector).tolist()
            for (_, id, document, version, _), score in zip(found, scores, strict=True):
                matches.append(Match(id, document, version, score, shard))

        for shard, keys in keys_by_shard(chosen).items():
            under_way.ask(shard, partial(compare, shard, keys))
        return under_way.found(matches, top_k)

    def search_words(
        self,
        shards: Sequence[str],
        wording: Wording,
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        under_way = Pass(deadline)
        portions = self._portions(shards, selection, former=wording.former, under_way=under_way)
        chosen = word_search.find(portions, wording, top_k=top_k, under_way=under_way)
        scores = word_search.best_scores(chosen, wording, top_k=top_k)
        word_search.give_back(portions)
        matches: list[Match] = []

        def name(shard: str, scored: Mapping[int, float]) -> None:
            found = self._named(shard, NAMES, list(scored), under_way)
            matches.extend(Match(id, document, version, scored[key], shard) for key, id, document, version in found)

        for shard, scored in scores.items():
            under_way.ask(shard, partial(name, shard, scored))
        return under_way.found(matches, top_k)

    def count_words(
        self,
        shards: Sequence[str],
        terms: Sequence[int],
        *,
        deadline: float | None = None,
        within: Condition | None = None,
    ) -> Counted:
        under_way = Pass(deadline)
        former = self._former(shards, under_way)
        portions = self._portions(shards, Selection(within), former=former, under_way=under_way)
        word_search.read_ahead(portions)
        counts = self._counted.count(portions, terms, under_way=under_way)
        return Counted(replace(counts, former=former), under_way.failed)

    def _former(self, shards: Sequence[str], under_way: Pass) -> int | None:
        return former_cutter({shard: self._shard(shard) for shard in shards}, under_way)

    def _portions(
        self, shards: Sequence[str], selection: Selection = EVERYTHING, *, former: int | None, under_way: Pass
    ) -> list[Portion]:
        portions: list[Portion] = []

        def look(shard: str) -> None:
            opened = self._shard(shard)
            with opened.viewed(under_way.is_in_time, former=former) as viewed:
                if viewed is not None:
                    # The first filter has the columns of a shard's fields made.
                    with under_way.paused():
                        portions.extend(select(shard, *viewed, opened.fields, selection))

        for shard in shards:
            under_way.ask(shard, partial(look, shard))
        return portions

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        check_query(vector, dimensions=self._dimensions)
        found = self._by_id(shard, lambda _: VECTORS_OF, ids)
        scores = cosines(unpack_vectors([kept for _, kept in found], self._dimensions), vector).tolist()
        return {id: score for (id, _), score in zip(found, scores, strict=True)}

    def score_words(self, shard: str, ids: Sequence[str], wording: Wording) -> dict[str, float]:
        keys, placed = self._placed(shard, ids, former=wording.former)
        scores = word_search.scores_of(placed, wording)
        return {id: scores[key] for id, key in keys.items() if scores.get(key)}

    def find_terms(self, shard: str, ids: Sequence[str], terms: Sequence[int]) -> dict[str, frozenset[int]]:
        if self._shard(shard).lags():
            return {}
        keys, placed = self._placed(shard, ids)
        held = word_search.terms_of(placed, terms)
        return {id: held[key] for id, key in keys.items() if key in held}

    def _placed(
        self, shard: str, ids: Sequence[str], *, former: int | None = None
    ) -> tuple[dict[str, int], list[PlacedRows]]:
        """The keys of rows that are there, and where segments have them."""
        opened = self._shard(shard)
        with opened.viewed(lambda: True, former=former) as viewed:
            if viewed is None or not ids:
                return {}, []
            connection, parts = viewed
            known = opened.names.find(connection, ids)
            placed = place(parts, known.values())
            there = {key for segment, rows in placed for key in segment.keys[rows].tolist()}
            if len(there) == len(ids):
                return known, placed
            keys = {id: key for id, key in known.items() if key in there}
            keys |= changes.keys_by_id(connection, [id for id in ids if id not in keys])
            return keys, place(parts, keys.values())

    def _named(self, shard: str, select: str, keys: Sequence[int], under_way: Pass) -> list[Any]:
        """The rows of some keys, each with key and id first, which are remembered."""
        opened = self._shard(shard)
        with opened.file.read() as connection:
            found = [] if connection is None else connection.execute(select, (_listed(keys),)).fetchall()
            if connection is not None:
                opened.names.remember(connection, {id: key for key, id, *_ in found})
        under_way.vanished = under_way.vanished or len(found) < len(keys)
        return found

    def _by_id(self, shard: str, select: Callable[[int], str], ids: Sequence[str]) -> list[Any]:
        """The rows of some ids, each with its id first: by their keys where these are remembered, which is quicker.

        `select` makes the statement for a version of the schema.
        """
        opened = self._shard(shard)
        with opened.file.read() as connection:
            if connection is None:
                return []
            known = opened.names.find(connection, ids)
            rows = select(schema.version_of(connection))
            named = connection.execute(f"{rows} WHERE key IN {EACH_OF}", (_listed(list(known.values())),)).fetchall()
            found = [row for row in named if row[0] in known]
            left = set(ids).difference([row[0] for row in found])
            if not left:
                return found
            return found + connection.execute(f"{rows} WHERE id IN {EACH_OF}", (_json(list(left)),)).fetchall()

    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        found = self._by_id(shard, lambda version: rows_select(with_vectors=with_vectors, version=version), ids)
        return {record[0]: row_of(record, dimensions=self._dimensions) for record in found}

    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        condition = f"WHERE document IN {EACH_OF}"
        rows = self._rows(shard, condition, (_json(documents),), with_vectors=with_vectors)
        return {row.id: row for row in rows}

    def list_rows(
        self, shard: str, *, with_vectors: bool = False, page: int = 500, selection: Selection = EVERYTHING
    ) -> Iterator[VectorRow]:
        after = ""
        condition = "WHERE id > ? ORDER BY id LIMIT ?"
        while rows := self._rows(shard, condition, (after, page), with_vectors=with_vectors):
            yield from (row for row in rows if selects(selection, row))
            after = rows[-1].id

    def _rows(self, shard: str, condition: str, given: tuple[Any, ...], *, with_vectors: bool) -> list[VectorRow]:
        with self._file(shard).read() as connection:
            if connection is None:
                return []
            select = rows_select(with_vectors=with_vectors, version=schema.version_of(connection))
            found = connection.execute(f"{select} {condition}", given)
            return [row_of(record, dimensions=self._dimensions) for record in found]

    def list_editions(self, shard: str) -> Iterator[tuple[str, Edition, int]]:
        after = ""
        while records := self._page(shard, EDITIONS_PAGE, (after,)):
            yield from map(_held, records)
            after = records[-1][0]

    def find_editions(self, shard: str, documents: Sequence[str]) -> list[tuple[str, Edition, int]]:
        return list(map(_held, self._page(shard, EDITIONS_OF, (_json(documents),))))

    def _page(self, shard: str, select: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._file(shard).read() as connection:
            return [] if connection is None else connection.execute(select, parameters).fetchall()

    def count(self, shard: str) -> int:
        opened = self._shard(shard)
        with opened.file.read() as connection:
            opened.require_whole(connection)
            return 0 if connection is None else int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def describe(self, shard: str) -> ShardDescription:
        opened = self._shard(shard)
        with opened.file.read() as connection:
            if connection is None:
                return ShardDescription(shard, vectors=0, documents=0, dimensions=0, size_bytes=0)
            opened.require_whole(connection)
            counts = "SELECT count(*), count(DISTINCT document) FROM vectors"
            vectors, documents = connection.execute(counts).fetchone()
            return ShardDescription(shard, vectors, documents, self._dimensions, opened.size_bytes())

    def cut_anew(self, shard: str, *, deadline: float | None = None) -> int:
        return self.count(shard) if self._shard(shard).cut_anew(Pass(deadline).is_in_time) else 0

    def examine(self, shard: str) -> None:
        self._shard(shard).examine()

    def set_aside(self, shard: str) -> str:
        return str(self._shard(shard).set_aside())

    def reseal(self, shard: str) -> None:
        self._shard(shard, to_write=True).reseal()

    def expunge(self, shard: str) -> str:
        self._shard(shard).expunge()
        return ""

    def copy(self, shard: str, folder: Path) -> list[str]:
        return self._file(shard).copy(folder)

    def drop(self, shard: str) -> None:
        opened = self._shard(shard)
        opened.drop()
        marks.remove_marks(opened.file.path.parent)

    def close(self) -> None:
        for shard in self._shards.values():
            shard.file.close()

    def _file(self, shard: str) -> ShardFile:
        return self._shard(shard).file

    def _shard(self, shard: str, *, to_write: bool = False) -> Shard:
        place = self._place.find(self, check_shard(shard), to_write=to_write)
        opened = self._shards.get((place, shard))
        return opened or self._open_shard(place, shard)

    def _open_shard(self, place: str, shard: str) -> Shard:
        opened = Shard(self._path(place, shard), dimensions=self._dimensions, ring=self._ring)
        return self._shards.setdefault((place, shard), opened)

    def _path(self, place: str, shard: str) -> Path:
        return path_of(self._folder / place, shard)

    # Marks: a file beside the shards

    def read_marks(self, place: str) -> set[str]:
        return marks.read_marks(self._folder / place)

    def leave_mark(self, place: str, name: str) -> None:
        marks.leave_mark(self._folder / place, name)

    def remove_mark(self, place: str, name: str) -> None:
        """Whoever was first has it: there is nothing of ours to take back."""

    def sample_documents(self, place: str, shard: str, limit: int) -> list[str]:
        with ShardFile(self._path(place, shard), dimensions=self._dimensions, ring=self._ring).read() as connection:
            return [] if connection is None else [id for (id,) in connection.execute(SOME_DOCUMENTS, (limit,))]


def _held(record: tuple[Any, ...]) -> tuple[str, Edition, int]:
    document, version, generation, rows = record
    return document, Edition(version, generation), rows


def _json(values: Sequence[Any]) -> str:
    return json.dumps(list(values))


def _listed(keys: Sequence[int]) -> str:
    """Numbers in JSON, some hundred of them in each search: a microsecond, and not twenty."""
    return orjson.dumps(keys).decode()
