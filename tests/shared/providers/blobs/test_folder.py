"""The blob store in a folder: whole objects or none, checked when read, mended when written again."""

import os
from pathlib import Path

import pytest

from shared.errors import BlobMissing, SettingsError, StorageFailed
from shared.providers.blobs.base import parse_reference
from shared.providers.blobs.folder import FolderBlobStore
from shared.providers.blobs.table import open_blob_store


@pytest.fixture
def store(tmp_path: Path) -> FolderBlobStore:
    return FolderBlobStore(tmp_path / "blobs")


def file_of(store: FolderBlobStore, object_: str) -> Path:
    (path,) = store.root.glob(f"??/{object_}")
    return path


def test_an_object_comes_back_and_equal_bytes_are_one_object(store: FolderBlobStore) -> None:
    assert store.put(b"text") == store.put(b"text")
    assert store.get(store.put(b"text")) == b"text"
    assert len(list(store.list_objects())) == 1


def test_damage_is_found(store: FolderBlobStore) -> None:
    object_ = store.put(b"a text of some length")
    file_of(store, object_).write_bytes(b"a text of same length")
    with pytest.raises(BlobMissing, match="damaged"):
        store.get(object_)


@pytest.mark.parametrize("damage", [b"", b"a text", b"a text of same length"], ids=["emptied", "cut", "flipped"])
def test_an_object_that_was_damaged_is_mended_by_storing_it_again(store: FolderBlobStore, damage: bytes) -> None:
    object_ = store.put(b"a text of some length")
    file_of(store, object_).write_bytes(damage)
    assert store.put(b"a text of some length") == object_
    assert store.get(object_) == b"a text of some length"


def test_an_object_that_is_stored_again_counts_as_new(store: FolderBlobStore) -> None:
    object_ = store.put(b"text")
    os.utime(file_of(store, object_), (0, 0))
    store.put(b"text")
    ((_, age),) = store.list_objects()
    assert age < 3600


def test_what_is_gone_is_missing_and_deleting_it_again_is_no_error(store: FolderBlobStore) -> None:
    object_ = store.put(b"text")
    store.delete(object_)
    store.delete(object_)
    with pytest.raises(BlobMissing):
        store.get(object_)


def test_a_pack_is_one_object_and_every_part_has_a_reference(store: FolderBlobStore) -> None:
    parts = [b"one", b"", b"three"]
    references = store.put_pack(parts)
    assert len(list(store.list_objects())) == 1
    assert store.get_pack(references) == dict(zip(references, parts, strict=True))
    assert store.put_pack([]) == []


def test_a_damaged_pack_is_missing_for_each_of_its_parts_and_for_no_other(store: FolderBlobStore) -> None:
    damaged, whole = store.put_pack([b"one", b"two"]), store.put_pack([b"three"])
    file_of(store, parse_reference(damaged[0]).object).write_bytes(b"xxx")
    found = store.get_pack([*damaged, *whole])
    assert [isinstance(found[reference], BlobMissing) for reference in damaged] == [True, True]
    assert found[whole[0]] == b"three"


@pytest.mark.parametrize("reference", ["", "abc", "abc:1", "abc:x:2", "a:1:2:3"])
def test_a_malformed_reference_is_missing(store: FolderBlobStore, reference: str) -> None:
    assert isinstance(store.get_pack([reference])[reference], BlobMissing)


def test_a_write_that_fails_leaves_nothing(store: FolderBlobStore) -> None:
    store.root.parent.mkdir(exist_ok=True)
    store.root.write_text("a file in the way")
    with pytest.raises(StorageFailed):
        store.put(b"text")


def test_stores_are_chosen_by_their_url(tmp_path: Path) -> None:
    store = open_blob_store(f"file://{tmp_path}/with%20space", home=tmp_path)
    store.put(b"text")
    assert (tmp_path / "with space").is_dir()
    with pytest.raises(SettingsError, match="EMBEDMILL_BLOB_URL"):
        open_blob_store("ftp://host/x", home=tmp_path)
