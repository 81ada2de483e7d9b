"""Where what is too large for a vector store goes: beside the blobs, never among them."""

from pathlib import Path

import pytest

from embedmill.shared.homes import spill_url
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.blobs.table import open_blob_store
from embedmill.workers.chores.cleaner import clean
from embedmill.workers.runtime import WorkerRuntime


@pytest.mark.parametrize(
    ("blobs", "expected"),
    [
        ("", "file:///home/a%20b/spilled"),
        ("file:///data/blobs/", "file:///data/blobs-spilled"),
        ("s3://bucket/prefix", "s3://bucket/prefix-spilled"),
        ("s3://bucket", "s3://bucket/spilled"),
    ],
)
def test_spills_have_a_place_beside_the_blobs(blobs: str, expected: str) -> None:
    assert spill_url(blobs, Path("/home/a b")) == expected


def test_a_home_with_blanks_and_percents_keeps_its_name(tmp_path: Path) -> None:
    store = open_blob_store(spill_url("", tmp_path / "a %20b"), home=tmp_path)
    assert isinstance(store, FolderBlobStore)
    assert store.root == tmp_path / "a %20b" / "spilled"


def test_the_cleaner_of_blobs_leaves_spills_alone(runtime: WorkerRuntime) -> None:
    kept, garbage = runtime.open_spills().put(b"a row that was too large"), runtime.blobs.put(b"nobody's")
    assert clean(runtime.database, runtime.blobs, youngest_seconds=0) == 1
    assert runtime.open_spills().get(kept) == b"a row that was too large"
    assert garbage not in dict(runtime.blobs.list_objects())
