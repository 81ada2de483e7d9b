"""The embedded store under a key: the same contract, and no text, vector or word open to read on the disk."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from embedmill.shared.errors import KeyUnavailable, ShardDamaged
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.embedded import building, field_index
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.sealing.envelope import DataKey
from embedmill.shared.sealing.ring import PLAIN, KeyRing
from tests.contracts.rows import DIMENSIONS, StoreFactory, make_row, near, worded
from tests.contracts.vectorstore import VectorStoreContract

KEY, OTHER = (DataKey(f"{n:016x}", bytes([n]) * 32, 1) for n in (1, 2))


def ring_of(*keys: DataKey) -> KeyRing:
    """The first is the current one."""
    return KeyRing(lambda: keys[0], {key.id: key for key in keys}.get)


def opened(root: Path, ring: KeyRing) -> EmbeddedVectorStore:
    return EmbeddedVectorStore(root / "vectors", dimensions=DIMENSIONS, ring=ring)


@pytest.fixture
def store_factory(tmp_path: Path) -> StoreFactory:
    def open_store(*, dimensions: int) -> VectorStore:
        return EmbeddedVectorStore(tmp_path / "vectors", dimensions=dimensions, ring=ring_of(KEY))

    return open_store


class TestContract(VectorStoreContract):
    """The contract."""


def written(root: Path) -> Iterable[bytes]:
    return (file.read_bytes() for file in root.rglob("*") if file.is_file())


def test_nothing_of_a_row_is_open_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "SLICE_ROWS", 8)
    monkeypatch.setattr("embedmill.shared.providers.vectorstores.embedded.shard.LOOKED_AFTER_EVERY", 4)
    monkeypatch.setattr(field_index, "FILE_ROWS", 4)
    store = opened(tmp_path, ring_of(KEY))
    vector = np.linspace(0.1, 0.9, DIMENSIONS, dtype=np.float32)
    rows = [
        make_row(f"d{n}", text="the zebrafinch sings", metadata={"who": "quinquireme"}, vector=vector)
        for n in range(20)
    ]
    store.upsert("s", rows)
    assert len(worded(store, "s", "zebrafinch", top_k=30)) == 20
    assert len(near(store, "s", vector, top_k=30, where=parse_filter('who = "quinquireme"'))) == 20
    names = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert ".segment" in names
    assert any("fields" in str(file.parent) for file in tmp_path.rglob("*-*-*"))
    planted = (b"zebrafinch", b"quinquireme", vector.tobytes()[:16], vector.astype(np.float16).tobytes()[:8])
    assert not [word for word in planted for data in written(tmp_path) if word in data]
    assert len(worded(opened(tmp_path, ring_of(KEY)), "s", "zebrafinch", top_k=30)) == 20


def test_a_file_is_read_under_the_key_that_it_was_written_under(tmp_path: Path) -> None:
    opened(tmp_path, ring_of(KEY)).upsert("s", [make_row("d")])
    assert opened(tmp_path, ring_of(OTHER, KEY)).count("s") == 1


def test_a_file_whose_key_is_not_here_is_damaged_and_stays_as_it_is(tmp_path: Path) -> None:
    opened(tmp_path, ring_of(KEY)).upsert("s", [make_row("d")])
    with pytest.raises(ShardDamaged, match=KEY.id):
        opened(tmp_path, ring_of(OTHER)).count("s")

    def refuse(_: str) -> DataKey | None:
        raise KeyUnavailable("the root key is not here")

    with pytest.raises(KeyUnavailable):
        opened(tmp_path, KeyRing(lambda: OTHER, refuse)).count("s")
    assert opened(tmp_path, ring_of(KEY)).count("s") == 1


@pytest.mark.parametrize(("before", "after"), [(PLAIN, ring_of(KEY)), (ring_of(KEY), ring_of(OTHER, KEY))])
def test_what_is_there_is_written_anew_under_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: KeyRing, after: KeyRing
) -> None:
    monkeypatch.setattr(building, "SLICE_ROWS", 8)
    monkeypatch.setattr("embedmill.shared.providers.vectorstores.embedded.shard.LOOKED_AFTER_EVERY", 4)
    store = opened(tmp_path, before)
    store.upsert("s", [make_row(f"d{n}", text=f"the zebrafinch number{n}") for n in range(20)])
    store.delete_ids("s", [make_row("d3").id])
    held = sorted(row.id for row in store.list_rows("s"))
    reader = opened(tmp_path, after)
    assert len(worded(reader, "s", "zebrafinch", top_k=30)) == 19
    opened(tmp_path, after).reseal("s")
    assert not [data for data in written(tmp_path) if b"zebrafinch" in data]
    assert sorted(row.id for row in reader.list_rows("s")) == held
    reader.upsert("s", [make_row("new", text="the zebrafinch again")])
    only = KeyRing(after.current, {key.id: key for key in [after.current()] if key}.get)
    assert len(worded(opened(tmp_path, only), "s", "zebrafinch", top_k=30)) == 20


def test_what_is_encrypted_is_decrypted_again(tmp_path: Path) -> None:
    opened(tmp_path, ring_of(KEY)).upsert("s", [make_row("d", text="the zebrafinch")])
    opened(tmp_path, KeyRing(lambda: None, {KEY.id: KEY}.get)).reseal("s")
    assert len(worded(opened(tmp_path, PLAIN), "s", "zebrafinch", top_k=3)) == 1
