"""What a filter finds in every store, on both sides of a search: the rows that `holds` says, best first, none lost."""

import random
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from embedmill.shared.filtering.conditions import Condition, holds
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.exact import fields_of
from embedmill.shared.providers.vectorstores.rows import Selection, VectorRow
from embedmill.shared.words.queries import parse_query, weigh
from tests.contracts.rows import eventually, make_row, unit_vector
from tests.shared.filtering.made import BIG, CONDITIONS, WRITTEN

ROWS = 48
VECTOR = np.array([1, 0.1, 0, 0, 0, 0, 0, 0], np.float32)
SHARDS = ("s1", "s2")
VALUES = (*WRITTEN, "", 0, 1, 1.5, -1, BIG, BIG + 1, -BIG - 1, 2**63 - 1, 2020, True, False, None, 1e300, 5e-324)
TELLING = (
    *("a = 1", "a != 1", "not a = 1", "exists(a)", "not exists(a)", "a = true", "a in (1, true, a)", "a >= 0", "a < b"),
    *(
        f"a = {BIG + 1}",
        f"a > {BIG}",
        f"a >= {BIG + 1}",
        "a >= 2020-05",
        "a = 2020",
        "a ~ '2020*'",
        "a ~ '*'",
        "a.b = 1",
    ),
    *("not (a = 1 or not exists(b))", "uri ~ *1", "title = T1", "section != ''", "page >= 3", "not exists(page)"),
    *("a not in (1, 2) and page < 9", 'a = "\0"', "a > '\0'", "document = d3", "a = '' or exists(a.b)", 'a >= ""'),
)


def made_rows(count: int = ROWS) -> list[VectorRow]:
    """Rows with metadata of every kind; the same ones every time."""
    chance = random.Random(11)

    def value(depth: int = 0) -> Any:
        kind = chance.random()
        if depth < 2 and kind < 0.12:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        if depth < 2 and kind < 0.2:
            return {name: value(depth + 1) for name in chance.sample(["b", "c"], chance.randrange(3))}
        return chance.choice(VALUES)

    names = ["a", "b", "a.b", "é", "em_row", "$and", "with space", "\0", "uri", "page", ""]
    return [
        make_row(
            f"d{n % 12}",
            ordinal=n // 12,
            title=f"T{n % 3}" if n % 3 else "",
            section=f"S{n % 4}" if n % 4 else "",
            page=n % 5 or None,
            uri=f"file:///x/{n % 12}",
            text=f"apple {'pie ' * (n % 3)}",
            metadata={"a": value()} | {name: value() for name in chance.sample(names, chance.randrange(4))},
        )
        for n in range(count)
    ]


class FilterContract:
    """The matrix: conditions as tests think of them and as hypothesis makes them, on both sides of a search."""

    @pytest.fixture
    def filled(self, store: VectorStore) -> "Filled":
        rows = made_rows()
        for n, shard in enumerate(SHARDS):
            store.upsert(shard, rows[n::2])
            eventually(partial(store.count, shard), ROWS // 2, "rows")
        return Filled(store, rows)

    def test_a_filter_finds_the_rows_that_meet_it(self, filled: "Filled") -> None:
        for text in TELLING:
            filled.check(parse_filter(text))

    # Who runs it fills the same store with the same rows. Every store is asked, so half as many do.
    @settings(max_examples=settings().max_examples // 2, suppress_health_check=list(HealthCheck), deadline=None)
    @given(condition=CONDITIONS)
    def test_any_filter_finds_the_rows_that_meet_it(self, filled: "Filled", condition: Condition) -> None:
        filled.check(condition)

    def test_the_few_rows_that_a_filter_leaves_are_found_however_far_they_are(self, store: VectorStore) -> None:
        def row(n: int, metadata: dict[str, Any]) -> VectorRow:
            vector = unit_vector(-1, n / 100) if metadata["n"] == "rare" else unit_vector(1, n / 1000)
            return make_row(f"d{n:03}", metadata=metadata, vector=vector, text="apple " * (1 + n % 7))

        rows = [row(n, {"n": "rare" if n % 60 == 7 else n, "day": f"2026-01-{1 + n % 28:02}"}) for n in range(300)]
        store.upsert(SHARDS[0], rows)
        eventually(partial(store.count, SHARDS[0]), len(rows), "rows")
        rare = sorted(row.id for row in rows if row.metadata["n"] == "rare")
        for text in ("n = rare", "n ~ r*e", "not n < 300", 'n > "q"'):
            for search in (by_meaning, by_words):
                assert sorted(search(store, 50, parse_filter(text))) == rare, text
                assert len(search(store, 3, parse_filter(text))) == 3


class Filled:
    """A store with rows, and the order in which both searches find all of them."""

    def __init__(self, store: VectorStore, rows: list[VectorRow]) -> None:
        self._store = store
        self._rows = rows
        self._orders = {search: search(store, 2 * ROWS, None) for search in (by_meaning, by_words)}

    def check(self, condition: Condition) -> None:
        """Both searches find what meets the condition, in the order that it has without."""
        expected = {row.id for row in self._rows if holds(condition, fields_of(row))}
        for search, order in self._orders.items():
            wanted = [id for id in order if id in expected]
            assert search(self._store, 2 * ROWS, condition) == wanted, condition
            assert search(self._store, 2, condition) == wanted[:2], condition


def by_meaning(store: VectorStore, top_k: int, where: Condition | None) -> list[str]:
    """The nearest rows."""
    found = store.search_vectors(SHARDS, VECTOR, top_k=top_k, selection=Selection(where))
    assert not found.failed
    return [match.id for match in found.matches]


def by_words(store: VectorStore, top_k: int, where: Condition | None) -> list[str]:
    """The best rows by two words, one of which all have."""
    query = parse_query("apple pie")
    wording = weigh(query, store.count_words(SHARDS, query.terms).counts)
    found = store.search_words(SHARDS, wording, top_k=top_k, selection=Selection(where))
    assert not found.failed
    return [match.id for match in found.matches]
