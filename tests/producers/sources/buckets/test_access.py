"""How buckets are reached: who pays, a customer's key, and which store it is, of several with a bucket of one name."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from embedmill.console.services.held_against import CollectionIndex
from embedmill.producers.sources.buckets.source import S3Source
from embedmill.producers.sources.open import open_sources, source_from_spec
from embedmill.producers.sources.options import gather_options
from embedmill.shared.buckets import access as access_module
from embedmill.shared.buckets.access import Access, read_key
from embedmill.shared.buckets.names import BucketPlace
from embedmill.shared.db.schema import document
from embedmill.shared.db.schema import source as source_table
from embedmill.shared.errors import SourceError, UsageError
from tests.contracts.sources import Desk, desk
from tests.corpus import text_of
from tests.producers.memory_bucket import MemoryBucket
from tests.services.buckets import Bucket, refusal
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]
KEY = b"0123456789abcdef0123456789PLANTD"
ONE, TWO = "http://one.corp:9000", "https://two.corp"


def opened(url: str, **options: Any) -> S3Source:
    (source,) = open_sources([url], options=gather_options(options), stdin=io.BytesIO())
    assert isinstance(source, S3Source)
    return source


def buckets_of(desk: Desk) -> list[Any]:
    return [row for row in desk.tracker.rows(source_table) if row["spec"].get("kind") == "s3"]


def test_who_asks_pays_where_that_was_said_and_nowhere_else(bucket: Bucket, desk: Desk) -> None:
    bucket.put("a.txt", text_of(0))
    payers: list[str | None] = []

    def note(request: Any) -> None:
        payers.append(request.headers.get("x-amz-request-payer"))

    with bucket.answering(note):
        desk.ingest(opened("s3://embedmill-test/"))
        assert set(payers) == {None}
        payers.clear()
        bucket.put("b.txt", text_of(1))
        payers.clear()
        desk.ingest(opened("s3://embedmill-test/", requester_pays=True))
    assert {str(payer) for payer in payers} == {"b'requester'"} or set(payers) == {"requester"}
    assert len(payers) >= 2
    assert len(buckets_of(desk)) == 1


def test_objects_are_read_with_their_owners_key_and_others_without_it_and_the_key_is_kept_nowhere(
    bucket: Bucket, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUCKET_KEY", base64.b64encode(KEY).decode())
    for name in ("sealed.txt", "plain.txt"):
        bucket.put(name, text_of(0))

    def guard(request: Any) -> Any:
        given = request.headers.get("x-amz-server-side-encryption-customer-key")
        is_read = request.method == "GET" and ".txt" in request.url
        is_wrong = is_read and bool(given) != ("sealed" in request.url)
        return refusal(request, 400, "InvalidRequest") if is_wrong else None

    with bucket.answering(guard):
        report = desk.ingest(opened("s3://embedmill-test/", sse_c="env:BUCKET_KEY"))
        assert (report.documents.completed, report.documents.dead) == (2, 0)
        bucket.put("sealed.txt", text_of(1))
        report = desk.ingest(opened("s3://embedmill-test/"))
    assert (report.documents.unchanged, report.documents.dead) == (1, 1)
    kept = json.dumps(
        [dict(row) for table in (source_table, document) for row in desk.tracker.rows(table)], default=str
    )
    assert "PLANTD" not in kept
    assert base64.b64encode(KEY).decode() not in kept


def test_a_key_is_32_bytes_or_those_in_base64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(KEY)
    assert read_key(str(tmp_path / "key")) == KEY
    (tmp_path / "key").write_bytes(base64.b64encode(KEY) + b"\n")
    assert read_key(str(tmp_path / "key")) == KEY
    monkeypatch.setenv("SHORT", "tooPLANTDshort")
    for wrong in ("env:SHORT", "env:NOT_SET", str(tmp_path / "missing")):
        with pytest.raises(SourceError) as raised:
            read_key(wrong)
        assert "PLANTD" not in str(raised.value)


@pytest.fixture
def stores(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> dict[str, MemoryBucket]:
    """Two stores, each with a bucket of the same name; the SDK is led to the first."""
    found = {endpoint: MemoryBucket() for endpoint in (ONE, TWO)}
    for endpoint, store in found.items():
        store.meta.endpoint_url = endpoint
    lead_to(found, ONE, monkeypatch)
    desk.runtime.__dict__["buckets"] = found[ONE]
    return found


def lead_to(stores: dict[str, MemoryBucket], usual: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_module, "connect", lambda *_, endpoint=None, **__: stores[endpoint or usual])


def test_a_key_is_found_by_workers_in_another_folder(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(KEY)
    monkeypatch.chdir(tmp_path)
    kept = opened("s3://embedmill-test/", sse_c="key").spec
    assert kept["sse_c"] == f"{tmp_path}/key"
    monkeypatch.chdir("/")
    assert Access.recall(kept).reading["SSECustomerKey"] == KEY
    assert opened("s3://embedmill-test/", sse_c="").access.key == ""


def test_buckets_of_one_name_in_two_stores_are_two_sources_whose_documents_are_told_apart(
    desk: Desk, stores: dict[str, MemoryBucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores[ONE].put("a.txt", text_of(1).encode())
    stores[TWO].put("a.txt", text_of(2).encode())
    desk.ingest(opened("s3://wiki/"))
    lead_to(stores, TWO, monkeypatch)
    desk.ingest(opened("s3://wiki/"))
    there, here = "s3://two.corp:443/wiki/a.txt", "s3://wiki/a.txt"
    found = desk.indexed()
    assert found.keys() == {here, there}
    assert text_of(1).split(".")[0] in found[here]
    assert text_of(2).split(".")[0] in found[there]
    assert desk.ingest(opened("s3://wiki/")).documents.unchanged == 1
    assert desk.ingest(opened("s3://two.corp:443/wiki/")).documents.unchanged == 1
    # Whoever reads it again by its number reads the store that it is in.
    lead_to(stores, ONE, monkeypatch)
    stores[TWO].put("b.txt", text_of(3).encode())
    (of_two,) = [row["spec"] for row in buckets_of(desk) if row["spec"]["endpoint"] == TWO]
    assert desk.ingest(source_from_spec(of_two)).documents.completed == 1
    assert "s3://two.corp:443/wiki/b.txt" in desk.indexed()


def test_a_store_that_the_sdk_is_not_led_to_is_refused(stores: dict[str, MemoryBucket]) -> None:
    with pytest.raises(UsageError, match="another store"):
        opened("s3://three.corp:9000/wiki/")


def test_a_bucket_that_an_older_release_read_keeps_its_documents(
    desk: Desk, stores: dict[str, MemoryBucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores[ONE].put("a.txt", text_of(1).encode())
    old = S3Source(BucketPlace("wiki", ""))
    assert "endpoint" not in old.spec
    desk.ingest(old)
    index = CollectionIndex(desk.runtime, "default", desk.tracker.collection)
    assert index.find_source(opened("s3://wiki/")) == buckets_of(desk)[0]["id"]
    report = desk.ingest(opened("s3://wiki/"))
    assert (report.documents.unchanged, report.documents.completed, report.documents.deleted) == (1, 0, 0)
    (row,) = buckets_of(desk)
    assert row["spec"]["endpoint"] == ONE
    assert row["identity"] == opened("s3://wiki/").identity
    lead_to(stores, TWO, monkeypatch)
    stores[TWO].put("a.txt", text_of(2).encode())
    desk.ingest(opened("s3://wiki/"))
    assert len(buckets_of(desk)) == 2
    assert len(desk.indexed()) == 2


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://wiki/a/b", BucketPlace("wiki", "a/b")),
        ("s3://two.corp:443/wiki/a/b", BucketPlace("wiki", "a/b", "two.corp:443")),
        ("s3://[fd00::1]:9000/wiki/", BucketPlace("wiki", "", "[fd00::1]:9000")),
        ("s3://arn:aws:s3:eu-west-1:123:accesspoint/x/y", BucketPlace("arn:aws:s3:eu-west-1:123:accesspoint", "x/y")),
    ],
)
def test_a_store_may_stand_before_the_bucket(uri: str, place: BucketPlace) -> None:
    assert BucketPlace.parse(uri) == place
    assert place.uri == uri


def test_amazons_own_store_is_no_part_of_a_source(bucket: Bucket) -> None:
    assert opened("s3://embedmill-test/").identity == S3Source(BucketPlace("embedmill-test", "")).identity
    assert Access("").told == {}
