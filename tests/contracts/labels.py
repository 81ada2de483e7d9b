"""What somebody who reads some access levels finds in every store: rows within their reach, and counts of no others."""

from functools import partial
from itertools import product

import pytest

from embedmill.shared.access.labels import SEALED, Labels, Reach, kept_with, split_kept
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.rows import Selection, VectorRow
from embedmill.shared.words.queries import parse_query, weigh
from embedmill.shared.words.weighing import alike
from tests.contracts.filters import SHARDS, VECTOR
from tests.contracts.rows import eventually, make_row

LEVELS = (None, "public", "secret", "2026-05", SEALED)
OWNERS = (None, "ann", "bob")
MANY_VALUES = {f"f{n}": [f"v{n}.{m}" for m in range(8)] for n in range(60)}
"""More than some stores have room for in what they filter by."""
REACHES = [
    Reach("ann", frozenset(levels), unlabelled=unlabelled, unowned=unowned)
    for levels in ((), ("public",), ("public", "2026-05"), ("2026",))
    for unlabelled, unowned in product((False, True), repeat=2)
]


def is_within(reach: Reach, labels: Labels) -> bool:
    level = reach.unlabelled if labels.access is None else labels.access in reach.levels
    return level or (reach.unowned if labels.owner is None else labels.owner == reach.name)


class LabelContract:
    """Rows of every level and owner, on both sides of a search."""

    @pytest.fixture
    def labelled(self, store: VectorStore) -> dict[str, Labels]:
        """What each row's labels are, by its id."""
        made: dict[str, Labels] = {}
        rows: list[VectorRow] = []
        for n, (access, owner) in enumerate(product(LEVELS, OWNERS)):
            labels = Labels(access, owner)
            # What a document says of itself under the names of labels is no label.
            theirs = {"_access": "=public", "access": "public", "owner": "ann"} | (MANY_VALUES if n % 4 == 1 else {})
            text = "apple pie" if access == "public" else "apple"
            row = make_row(f"d{n:02}", text=text, metadata=kept_with(theirs, labels))
            rows.append(row)
            made[row.id] = labels
        for n, shard in enumerate(SHARDS):
            some = rows[n::2]
            store.upsert(shard, some)
            eventually(partial(store.count, shard), len(some), "rows")
        return made

    def test_rows_keep_their_labels(self, store: VectorStore, labelled: dict[str, Labels]) -> None:
        held = {row.id: split_kept(row.metadata)[1] for shard in SHARDS for row in store.list_rows(shard)}
        assert held == labelled

    def test_both_searches_find_what_is_within_reach(self, store: VectorStore, labelled: dict[str, Labels]) -> None:
        query = parse_query("apple pie")
        for reach in REACHES:
            expected = {id for id, labels in labelled.items() if is_within(reach, labels)}
            selection = Selection(reach.condition)
            near = store.search_vectors(SHARDS, VECTOR, top_k=50, selection=selection)
            counted = store.count_words(SHARDS, query.terms, within=reach.condition).counts
            worded = store.search_words(SHARDS, weigh(query, counted), top_k=50, selection=selection)
            assert {match.id for match in near.matches} == expected, reach
            assert {match.id for match in worded.matches} == expected, reach

    def test_words_are_counted_as_if_there_were_no_other_rows(
        self, store: VectorStore, labelled: dict[str, Labels]
    ) -> None:
        terms = parse_query("apple pie").terms
        for reach in REACHES[:6]:
            found = store.count_words(SHARDS, terms, within=reach.condition)
            told = VectorStore.count_words(store, SHARDS, terms, within=reach.condition)
            assert found in (told, type(told)(alike(terms))), reach
