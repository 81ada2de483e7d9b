"""A store of others that cannot read its rows: they come back whole and are found by meaning alone."""

from pathlib import Path

import numpy as np
import pytest

from embedmill.shared.errors import SealBroken, UsageError
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import Selection
from embedmill.shared.providers.vectorstores.sealed import SealedStore
from embedmill.shared.sealing.envelope import DataKey
from embedmill.shared.sealing.ring import KeyRing
from embedmill.shared.sealing.rotation import Rotation
from tests.contracts.rows import DIMENSIONS, make_row, near, unit_vector, without_vector
from tests.planted import find_planted

KEY = DataKey("00000000000000aa", b"\x01" * 32, 1)
RING = KeyRing(lambda: KEY, {KEY.id: KEY}.get)


def sealed(root: Path, rotation: Rotation | None = None) -> SealedStore:
    inner = EmbeddedVectorStore(root / "vectors", dimensions=DIMENSIONS)
    return SealedStore(inner, RING, dimensions=DIMENSIONS, rotation=rotation, labels=frozenset({"_access"}))


ROW = make_row(
    "d1",
    title="The zebrafinch",
    section="On quinquireme",
    text="Lieferbedingungen were agreed",
    metadata={"client": "quinquireme holdings", "_access": "=internal"},
    vector=unit_vector(0.5, 0.25),
)


@pytest.mark.parametrize("rotation", [None, Rotation(b"k" * 32, DIMENSIONS)], ids=["plain", "rotated"])
def test_a_row_comes_back_as_it_was_and_says_nothing_in_the_store(tmp_path: Path, rotation: Rotation | None) -> None:
    store = sealed(tmp_path, rotation)
    store.upsert("s", [ROW])
    (found,) = store.fetch("s", [ROW.id], with_vectors=True).values()
    assert without_vector(found) == without_vector(ROW)
    assert np.abs(found.vector - ROW.vector).max() < 1e-6
    planted = ("zebrafinch", "quinquireme", "Lieferbedingungen")
    assert find_planted(planted, tmp_path) == []
    (kept,) = store.inner.fetch("s", [ROW.id], with_vectors=True).values()
    assert dict(kept.metadata) == {"_access": "=internal"}
    assert np.allclose(kept.vector, ROW.vector) is (rotation is None)


def test_a_rotated_store_finds_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    drawn = np.random.default_rng(5).standard_normal((200, DIMENSIONS)).astype(np.float32)
    rows = [make_row(f"d{n}", vector=vector) for n, vector in enumerate(drawn)]
    plain, rotated = sealed(tmp_path / "a"), sealed(tmp_path / "b", Rotation(b"k" * 32, DIMENSIONS))
    for store in (plain, rotated):
        store.upsert("s", rows)
    for query in drawn[:20] + np.float32(0.1):
        found = [[match.id for match in near(store, "s", query, top_k=10)] for store in (plain, rotated)]
        assert found[0] == found[1]
        scores = [store.score("s", found[0], query) for store in (plain, rotated)]
        assert max(abs(scores[0][id] - scores[1][id]) for id in found[0]) < 1e-5


def test_labels_are_asked_in_the_store_and_other_metadata_and_words_are_refused(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    store.upsert("s", [ROW])
    assert near(store, "s", unit_vector(1), top_k=3, where=parse_filter('_access = "=internal"'))
    assert not near(store, "s", unit_vector(1), top_k=3, where=parse_filter('_access = "=secret"'))
    with pytest.raises(UsageError, match="cannot filter by client"):
        near(store, "s", unit_vector(1), top_k=3, where=parse_filter('client = "x"'))
    with pytest.raises(UsageError, match="cannot look for words"):
        store.search_vectors(["s"], unit_vector(1), top_k=3, selection=Selection(excluded=frozenset({7})))
    assert store.lacks_words


def test_a_row_that_stands_for_another_does_not_open(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    store.upsert("s", [ROW])
    (kept,) = store.inner.fetch("s", [ROW.id], with_vectors=True).values()
    other = make_row("d2", text=kept.text, vector=kept.vector)
    store.inner.upsert("s", [other])
    with pytest.raises(SealBroken):
        store.fetch("s", [other.id])
