"""The blob store in a folder, and the table of stores."""

import os
from pathlib import Path

import pytest

from embedmill.shared.errors import SettingsError, StorageFailed
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.blobs.table import open_blob_store
from tests.contracts.blobs import BlobStoreContract, Damage, Kept


@pytest.fixture
def store(tmp_path: Path) -> FolderBlobStore:
    return FolderBlobStore(tmp_path / "blobs")


def file_of(store: FolderBlobStore, object_: str) -> Path:
    (path,) = store.root.glob(f"??/{object_}")
    return path


@pytest.fixture
def damage(store: FolderBlobStore) -> Damage:
    def write(object_: str, left: bytes) -> None:
        file_of(store, object_).write_bytes(left)

    return write


@pytest.fixture
def kept(store: FolderBlobStore) -> Kept:
    return lambda object_: file_of(store, object_).read_bytes()


class TestFolder(BlobStoreContract):
    """Files."""


def test_an_object_that_is_stored_again_counts_as_new(store: FolderBlobStore) -> None:
    object_ = store.put(b"text")
    os.utime(file_of(store, object_), (0, 0))
    store.put(b"text")
    ((_, age),) = store.list_objects()
    assert age < 3600


def test_a_write_that_fails_leaves_nothing(store: FolderBlobStore) -> None:
    store.root.parent.mkdir(exist_ok=True)
    store.root.write_text("a file in the way")
    with pytest.raises(StorageFailed):
        store.put(b"text")


def test_below_the_mount_point_of_a_disk_that_is_away_nothing_is_written_nor_missed(tmp_path: Path) -> None:
    mount, url = tmp_path / "mount", f"file://{tmp_path}/mount/blobs"
    before = open_blob_store(url, home=tmp_path / "home")
    object_ = before.put(b"text")
    mount.rename(tmp_path / "away")
    mount.mkdir()
    for store in before, open_blob_store(url, home=tmp_path / "home"):
        with pytest.raises(StorageFailed, match="is not the one that was written to"):
            store.put(b"other")
        with pytest.raises(StorageFailed, match="is not the one that was written to"):
            store.get(object_)
        with pytest.raises(StorageFailed, match="is not the one that was written to"):
            list(store.list_objects())
    assert not list(mount.iterdir())
    mount.rmdir()
    (tmp_path / "away").rename(mount)
    before.put(b"other")
    assert before.get(object_) == b"text"


def test_stores_are_chosen_by_their_url(tmp_path: Path) -> None:
    store = open_blob_store(f"file://{tmp_path}/with%20space", home=tmp_path)
    store.put(b"text")
    assert (tmp_path / "with space").is_dir()


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "s3:///prefix"])
def test_another_url_is_a_wrong_setting(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="EMBEDMILL_BLOB_URL"):
        open_blob_store(url, home=tmp_path)
