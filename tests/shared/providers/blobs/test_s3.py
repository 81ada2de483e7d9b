"""The blob store in a bucket, against a real server of the protocol."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.audit.anchors import open_place
from embedmill.shared.buckets import client as module
from embedmill.shared.errors import FlowControl, MissingExtra, StorageFailed
from embedmill.shared.providers.blobs.s3 import S3BlobStore
from embedmill.shared.providers.blobs.table import open_blob_store
from tests.contracts.blobs import BlobStoreContract, Damage, Kept
from tests.services import s3
from tests.services.needed import free_port, require
from tests.services.s3 import Bucket


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    require(s3.why_not())
    with s3.running_bucket() as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, to which the environment leads the SDK."""
    server.empty()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path) -> S3BlobStore:
    opened = open_blob_store(f"s3://{bucket.name}/some/prefix", home=tmp_path)
    assert isinstance(opened, S3BlobStore)
    return opened


@pytest.fixture
def damage(bucket: Bucket) -> Damage:
    def put(object_: str, left: bytes) -> None:
        bucket.client.put_object(Bucket=bucket.name, Key=f"some/prefix/{object_[:2]}/{object_}", Body=left)

    return put


@pytest.fixture
def kept(bucket: Bucket) -> Kept:
    def read(object_: str) -> bytes:
        answer = bucket.client.get_object(Bucket=bucket.name, Key=f"some/prefix/{object_[:2]}/{object_}")
        data: bytes = answer["Body"].read()
        return data

    return read


class TestS3(BlobStoreContract):
    """A bucket."""

    def test_stores_with_other_prefixes_are_not_seen(self, store: S3BlobStore, bucket: Bucket) -> None:
        other = S3BlobStore(bucket.name, prefix="other")
        object_ = other.put(b"text")
        assert list(store.list_objects()) == []
        assert [name for name, _ in other.list_objects()] == [object_]

    def test_versions_of_what_was_deleted_go_when_they_are_old_enough(self, store: S3BlobStore, bucket: Bucket) -> None:
        def versions() -> int:
            found = bucket.client.list_object_versions(Bucket=bucket.name, Prefix="some/prefix")
            return len(found.get("Versions", ())) + len(found.get("DeleteMarkers", ()))

        bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
        try:
            kept, gone = store.put(b"kept"), store.put(b"gone")
            store.put(b"gone")
            store.delete(gone)
            assert versions() == 4
            assert store.wipe(older_than_seconds=3600.0) == 0
            assert store.wipe(older_than_seconds=-1.0) == 3
            assert (versions(), store.get(kept)) == (1, b"kept")
            store.delete(kept)
            store.wipe(older_than_seconds=-1.0)
        finally:
            bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Suspended"})

    def test_a_bucket_that_is_not_there_is_for_the_operator(self, bucket: Bucket) -> None:
        with pytest.raises(StorageFailed, match="NoSuchBucket"):
            S3BlobStore("another-bucket").put(b"text")
        with pytest.raises(StorageFailed, match="NoSuchBucket"):
            S3BlobStore("another-bucket").get("0" * 64)

    def test_an_outage_is_waited_for_and_is_no_failure_of_a_document(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setattr(module, "ATTEMPTS", 1)
        away = S3BlobStore(bucket.name)
        for call in (lambda: away.put(b"text"), lambda: away.get("0" * 64), lambda: list(away.list_objects())):
            with pytest.raises(FlowControl) as caught:
                call()
            assert caught.value.reason == "circuit"

    def test_without_the_extra_it_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "boto3", None)
        with pytest.raises(MissingExtra, match=r"embedmill\[s3\]"):
            open_blob_store("s3://bucket", home=tmp_path)


def test_anchors_of_the_audit_are_kept_in_a_bucket_and_written_once(bucket: Bucket, tmp_path: Path) -> None:
    place = open_place(f"s3://{bucket.name}/anchors", home=tmp_path)
    place.put("2.json", b"second")
    place.put("1.json", b"first")
    with pytest.raises(StorageFailed):
        place.put("1.json", b"another")
    assert list(place.read_all()) == [("1.json", b"first"), ("2.json", b"second")]
    with pytest.raises(StorageFailed):
        list(open_place("s3://no-such-bucket", home=tmp_path).read_all())
