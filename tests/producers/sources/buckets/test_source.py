"""A bucket as a source: its contract, and what is peculiar to objects."""

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from embedmill.console.services.counting import EACH_FETCHED
from embedmill.console.services.estimates import estimate
from embedmill.console.services.previewing import preview
from embedmill.console.services.sources import show_source
from embedmill.producers.departing import close_source
from embedmill.producers.sources.base import FileItem, Item, Problem, ReadContext, Skipped, Source
from embedmill.producers.sources.buckets import source as source_module
from embedmill.producers.sources.buckets.listing import BucketListing
from embedmill.producers.sources.buckets.source import S3Source
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared.buckets.names import BucketPlace, ObjectState
from embedmill.shared.db.schema import dead_letter, document, scan_note
from embedmill.shared.db.schema import source as source_table
from embedmill.shared.errors import ProviderUnavailable, UsageError
from embedmill.shared.files import CHUNK_BYTES, HEAD_BYTES
from embedmill.shared.loading.objects import read_object
from tests.contracts.sources import Desk, Shelf, SourceContract, desk
from tests.corpus import text_of
from tests.producers.sources.test_contract import Folder
from tests.services.buckets import SECRET, Bucket, refusal, short
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]


class Objects(Shelf):
    """Objects of a bucket."""

    odd = (
        *Folder.odd, "a+b", "a%2Bb", "folder/x", "folder//x", "/lead", "..", "../../up", "a/./b", "tab\t", "cr\r",
        "\x01", "\x7f", "\xa0", "am&p", "semi;colon", "<xml>&\"'", "x=1", "a//b", "a/b", "f[1].txt", "k" * 1024,
    )  # fmt: skip
    secrets = (SECRET,)

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def put(self, name: str, text: str) -> None:
        self.bucket.place(name, text)

    def remove(self, name: str) -> None:
        self.bucket.remove(name)

    def open(self) -> Source:
        return S3Source(BucketPlace(self.bucket.name, ""))

    def uri(self, name: str) -> str:
        return f"s3://{self.bucket.name}/{name}"

    @contextmanager
    def away(self) -> Iterator[None]:
        with self.bucket.answering(lambda request: refusal(request, 403, "AccessDenied")):
            yield

    @contextmanager
    def spoiled(self, name: str) -> Iterator[None]:
        def deny(request: Any) -> Any:
            is_read = request.method == "GET" and unquote(request.url).endswith(f"/{name}")
            return refusal(request, 403, "AccessDenied") if is_read else None

        with self.bucket.answering(deny):
            yield

    def count_reads(self) -> int:
        return sum("list-type" not in url for url in self.bucket.take_asked("GET"))


@pytest.fixture
def shelf(bucket: Bucket) -> Shelf:
    return Objects(bucket)


class TestBuckets(SourceContract):
    """A bucket."""


def read(source: Source, **context: Any) -> list[Item]:
    return list(source.read(ReadContext(**context)))


def names(items: list[Item]) -> list[str]:
    return [item.uri.removeprefix("s3://embedmill-test/") for item in items if isinstance(item, FileItem)]


def of_bucket(key: str = "", **options: Any) -> S3Source:
    return S3Source(BucketPlace("embedmill-test", key), **options)


def reasons(desk: Desk) -> dict[str, str]:
    """What the notes and dead letters say of keys."""
    notes = {row["uri"]: row["reason"] for row in desk.tracker.rows(scan_note)}
    letters = {row["work_id"]: row["error"] for row in desk.tracker.rows(dead_letter)}
    uris = {row["id"]: row["uri"] for row in desk.tracker.rows(document)}
    dead = {uris[row["document_id"]]: letters[row["id"]] for row in desk.tracker.rows() if row["id"] in letters}
    return {uri.removeprefix("s3://embedmill-test/"): reason for uri, reason in (notes | dead).items()}


def test_a_url_names_a_bucket_and_the_beginning_of_keys(bucket: Bucket) -> None:
    for key in ("docs/a.md", "docs/b%20c.md", "docs2/c.md", "other.md"):
        bucket.put(key, "text")
    assert names(read(opened("s3://embedmill-test"))) == ["docs/a.md", "docs/b%20c.md", "docs2/c.md", "other.md"]
    assert names(read(opened("s3://embedmill-test/docs"))) == ["docs/a.md", "docs/b%20c.md", "docs2/c.md"]
    assert names(read(opened("S3://embedmill-test/docs/b%20"))) == ["docs/b%20c.md"]
    with pytest.raises(UsageError, match="names no bucket"):
        opened("s3://")


def opened(url: str) -> Source:
    (source,) = open_sources([url], options=SourceOptions(), stdin=io.BytesIO())
    return source


def test_patterns_are_asked_about_what_comes_after_the_last_slash_of_the_prefix(bucket: Bucket) -> None:
    for key in ("in/a.md", "in/b.txt", "in/deep/c.md", "in/old/d.md"):
        bucket.put(key, "text")
    context = ReadContext()
    found = list(of_bucket("in/", include=("*.md", "*.rst"), exclude=("/old/",)).read(context))
    assert names(found) == ["in/a.md", "in/deep/c.md"]
    assert [remark.reason for remark in context.remarks] == ["no object in it matches --include '*.rst'"]


def test_what_is_left_out_of_folders_is_left_out_of_buckets_and_said_once(bucket: Bucket) -> None:
    left = (
        ".env",
        ".git/config",
        ".hidden/x.md",
        "app/node_modules/a.js",
        "app/node_modules/b/c.js",
        "id_rsa",
        "x.png",
    )
    for key in (*left, "app/a.md"):
        bucket.put(key, "text")
    found = read(of_bucket())
    assert names(found) == ["app/a.md"]
    skipped = [item.uri.removeprefix("s3://embedmill-test/") for item in found if isinstance(item, Skipped)]
    assert skipped == [".env", ".git/", ".hidden/", "app/node_modules/", "id_rsa", "x.png"]
    assert len(names(read(of_bucket(hidden=True)))) == len(left) - 1


def test_what_stands_for_a_folder_is_no_document_unless_something_is_in_it(bucket: Bucket) -> None:
    bucket.put("docs/", "")
    bucket.put("more/", "bytes")
    bucket.put("empty.txt", "")
    found = read(of_bucket())
    assert names(found) == ["empty.txt", "more/"]
    assert len(found) == 2


def test_an_object_of_no_bytes_is_settled_without_being_read(bucket: Bucket, desk: Desk) -> None:
    bucket.put("empty.txt", "")
    desk.ingest(of_bucket())
    report = desk.ingest(of_bucket())
    assert report.documents.unchanged == 1
    assert not [url for url in bucket.take_asked("GET") if "list-type" not in url]


def test_a_secret_is_found_by_its_content_and_is_not_read_again(bucket: Bucket, desk: Desk) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
    bucket.put("notes.txt", key)
    report = desk.ingest(of_bucket())
    assert (report.documents.skipped, report.chunks.indexed) == (1, 0)
    assert "private key" in next(row["reason"] for row in desk.tracker.rows())
    bucket.take_asked("GET")
    desk.ingest(of_bucket())
    assert not [url for url in bucket.take_asked("GET") if "list-type" not in url]
    desk.ingest(of_bucket(hidden=True))
    bucket.put("more.txt", key)
    desk.ingest(of_bucket("more", hidden=True))
    assert "MIIB" in desk.indexed()["s3://embedmill-test/more.txt"]


def test_the_same_bytes_under_another_etag_are_unchanged_and_cost_nothing(bucket: Bucket, desk: Desk) -> None:
    bucket.put("a.txt", text_of(0))
    desk.ingest(of_bucket())
    indexed = desk.tracker.rows(document)[0]["active_generation"]
    _put_in_parts(bucket, "a.txt", text_of(0))
    report = desk.ingest(of_bucket())
    assert (report.documents.unchanged, report.documents.completed, report.documents.total) == (1, 0, 1)
    assert desk.tracker.rows(document)[0]["active_generation"] == indexed
    bucket.take_asked("GET")
    assert desk.ingest(of_bucket()).documents.unchanged == 1
    assert not [url for url in bucket.take_asked("GET") if "list-type" not in url]


def _put_in_parts(bucket: Bucket, key: str, text: str) -> None:
    place = {"Bucket": bucket.name, "Key": key}
    upload = bucket.client.create_multipart_upload(**place)["UploadId"]
    part = bucket.client.upload_part(**place, UploadId=upload, PartNumber=1, Body=text.encode())
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    bucket.client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)


def test_versions_are_states_of_one_document(bucket: Bucket, desk: Desk) -> None:
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    first = bucket.put("a.txt", text_of(0))
    bucket.put("b.txt", text_of(1))
    desk.ingest(of_bucket())
    bucket.put("a.txt", text_of(0))
    assert desk.ingest(of_bucket()).documents.unchanged == 2
    bucket.remove("a.txt")
    desk.ingest(of_bucket(), allow_deletes=True)
    assert len(desk.indexed()) == 1
    marker = bucket.client.list_object_versions(Bucket=bucket.name, Prefix="a.txt")["DeleteMarkers"][0]
    bucket.client.delete_object(Bucket=bucket.name, Key="a.txt", VersionId=marker["VersionId"])
    desk.ingest(of_bucket())
    assert len(desk.indexed()) == 2
    assert first["VersionId"]


def test_an_object_that_changes_between_listing_and_reading_is_read_as_it_is(bucket: Bucket, desk: Desk) -> None:
    bucket.put("a.txt", text_of(0))
    desk.scan(of_bucket())
    bucket.put("a.txt", text_of(7))
    desk.ingest(of_bucket())
    assert desk.indexed() == {"s3://embedmill-test/a.txt": text_of(7)}
    # Back to what the listing had: what was indexed meanwhile is not taken for it.
    bucket.put("a.txt", text_of(0))
    desk.ingest(of_bucket())
    assert desk.indexed() == {"s3://embedmill-test/a.txt": text_of(0)}


def test_a_worker_that_reads_another_state_says_so(bucket: Bucket, desk: Desk) -> None:
    bucket.put("a.txt", text_of(0))
    job = desk.scan(of_bucket())
    bucket.put("a.txt", text_of(7))
    desk.work(job)
    bucket.put("a.txt", text_of(0))
    desk.ingest(of_bucket())
    assert desk.indexed() == {"s3://embedmill-test/a.txt": text_of(0)}


def test_an_object_that_vanishes_between_listing_and_reading_is_named_and_leaves_by_the_next_listing(
    bucket: Bucket, desk: Desk
) -> None:
    for number in range(6):
        bucket.put(f"{number}.txt", text_of(number))
    desk.ingest(of_bucket())
    bucket.put("0.txt", text_of(9))
    job = desk.scan(of_bucket())
    bucket.remove("0.txt")
    assert desk.work(job).documents.dead == 1
    assert reasons(desk) == {"0.txt": "it is not in the bucket any more"}
    assert len(desk.indexed()) == 6
    desk.ingest(of_bucket())
    assert len(desk.indexed()) == 5


REFUSALS = {
    "denied": (403, "AccessDenied", "the bucket refuses to give it: AccessDenied"),
    "sealed": (400, "InvalidRequest", "it is encrypted with a key of its owner's (SSE-C)"),
    "frozen": (403, "InvalidObjectState", "it is archived"),
}


def test_each_object_that_is_refused_is_named_and_the_rest_is_read(bucket: Bucket, desk: Desk) -> None:
    for name in ("a.txt", *REFUSALS, "z.txt"):
        bucket.put(name, text_of(1))

    def deny(request: Any) -> Any:
        told = REFUSALS.get(request.url.rpartition("/")[2])
        return refusal(request, *told[:2]) if told and request.method == "GET" else None

    with bucket.answering(deny):
        report = desk.ingest(of_bucket())
    assert (report.documents.completed, report.documents.dead) == (2, 3)
    for name, (_, _, told) in REFUSALS.items():
        assert reasons(desk)[name].startswith(told)


def test_a_body_that_is_cut_is_asked_for_again_and_then_waited_for(bucket: Bucket, desk: Desk) -> None:
    bucket.put("a.txt", text_of(0))
    left = 1

    def cut(request: Any) -> Any:
        nonlocal left
        left -= "a.txt" in request.url
        return short(request, text_of(0).encode()) if left >= 0 and "a.txt" in request.url else None

    with bucket.answering(cut):
        desk.ingest(of_bucket())
    assert desk.indexed() == {"s3://embedmill-test/a.txt": text_of(0)}
    left = 99
    state = ObjectState("e", 1)
    with bucket.answering(cut), pytest.raises(ProviderUnavailable, match="IncompleteReadError"):
        read_object(bucket.made, BucketPlace(bucket.name, "a.txt"), state, most=10_000)


def test_what_is_larger_than_a_document_may_be_is_not_read(bucket: Bucket, desk: Desk) -> None:
    desk.runtime.settings = desk.runtime.settings.model_copy(update={"max_document_mb": 0})
    bucket.put("a.txt", text_of(0))
    assert desk.ingest(of_bucket()).documents.dead == 1
    assert "larger than the limit" in reasons(desk)["a.txt"]
    assert not [url for url in bucket.take_asked("GET") if "a.txt" in url]


def test_what_is_archived_is_said_and_stays_and_is_read_once_it_is_restored(
    bucket: Bucket, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "endpoint_of", lambda _: "http://one-that-lists-no-state")
    bucket.put("old.txt", text_of(0))
    bucket.put("new.txt", text_of(1))
    desk.ingest(of_bucket())
    bucket.put("old.txt", text_of(0), StorageClass="GLACIER")
    bucket.put("never.txt", text_of(2), StorageClass="DEEP_ARCHIVE")
    report = desk.ingest(of_bucket(), allow_deletes=True)
    told = "it is archived ({}), and is read once it is restored"
    assert reasons(desk) == {"old.txt": told.format("GLACIER"), "never.txt": told.format("DEEP_ARCHIVE")}
    assert (report.documents.unchanged, report.documents.skipped, report.problems) == (2, 1, 0)
    assert len(desk.indexed()) == 2
    bucket.client.restore_object(Bucket=bucket.name, Key="never.txt", RestoreRequest={"Days": 1})
    desk.ingest(of_bucket())
    assert len(desk.indexed()) == 3


def test_an_object_of_two_sources_leaves_with_the_last(bucket: Bucket, desk: Desk) -> None:
    first, second = "", "a"
    for number in range(6):
        bucket.put(f"a/{number}.txt", text_of(number))
    desk.ingest(of_bucket(first))
    desk.ingest(of_bucket(second))
    found = {row["spec"]["uri"]: row["id"] for row in desk.tracker.rows(source_table) if "uri" in row["spec"]}
    close_source(desk.runtime, found[f"s3://embedmill-test/{first}"])
    assert len(desk.indexed()) == 6
    assert desk.ingest(of_bucket(second)).problems == 0


def test_a_listing_is_read_on_whatever_its_pages_hold(bucket: Bucket) -> None:
    listing = [f"{number:04}.txt" for number in range(25)]
    pages = [listing[:10], [], listing[10:20], [], [], listing[20:]]
    assert [entry["Key"] for entry in BucketListing(Pages(pages), BucketPlace("b", ""))] == listing


def test_a_listing_that_expired_goes_on_after_its_last_key(bucket: Bucket) -> None:
    listing = [f"{number:04}.txt" for number in range(25)]
    client = Pages([listing[:10], listing[10:20], listing[20:]], expires_at=2)
    assert [entry["Key"] for entry in BucketListing(client, BucketPlace("b", ""))] == listing
    assert client.started_after == ["0019.txt"]


@pytest.mark.parametrize(
    ("page", "status", "code"), [(0, 500, "InternalError"), (1, 403, "AccessDenied"), (2, 503, "SlowDown")]
)
def test_a_listing_that_breaks_off_departs_nothing(
    bucket: Bucket, desk: Desk, monkeypatch: pytest.MonkeyPatch, page: int, status: int, code: str
) -> None:
    monkeypatch.setattr(source_module, "PAGE_KEYS", 2)
    for number in range(6):
        bucket.put(f"{number}.txt", text_of(number))
    desk.ingest(of_bucket())
    bucket.remove("5.txt")
    asked: list[str] = []

    def fail(request: Any) -> Any:
        asked.append(request.url)
        return refusal(request, status, code) if len(asked) > page else None

    with bucket.answering(fail):
        report = desk.ingest(of_bucket(), allow_deletes=True)
    assert report.problems == 1
    assert any("listed to its end" in row["reason"] for row in desk.tracker.rows(scan_note))
    assert len(desk.indexed()) == 6


def test_a_bucket_that_there_is_not_departs_nothing(bucket: Bucket, desk: Desk) -> None:
    (problem,) = read(S3Source(BucketPlace("embedmill-none", "")))
    assert isinstance(problem, Problem)
    assert "NoSuchBucket" in problem.reason


class Pages:
    """A store that lists such pages; at one of them its listing has expired."""

    def __init__(self, pages: list[list[str]], *, expires_at: int | None = None) -> None:
        self.pages = pages
        self.expires_at = expires_at
        self.started_after: list[str] = []

    def list_objects_v2(self, **asked: Any) -> dict[str, Any]:
        number = int(asked.get("ContinuationToken", 0))
        if after := asked.get("StartAfter"):
            self.started_after.append(after)
            number = next(place for place, page in enumerate(self.pages) if page and page[0] > after)
        elif number == self.expires_at:
            error = {"Error": {"Code": "InvalidArgument"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(error, "ListObjectsV2")
        last = number + 1 == len(self.pages)
        entries = [{"Key": key, "Size": 1, "ETag": '"e"'} for key in self.pages[number]]
        more = {} if last else {"NextContinuationToken": str(number + 1)}
        return {"Contents": entries, "IsTruncated": not last, **more}


def test_what_is_archived_and_was_never_read_is_skipped_whoever_counts(bucket: Bucket, desk: Desk) -> None:
    bucket.put("a.txt", "read")
    desk.ingest(S3Source(BucketPlace(bucket.name, "")))
    bucket.put("a.txt", "read", StorageClass="GLACIER")
    bucket.put("b.txt", "cold", StorageClass="GLACIER")
    source = S3Source(BucketPlace(bucket.name, ""))
    foreseen = preview(desk.runtime, [source], collection="default").documents
    guessed = estimate(desk.runtime, [source], collection="default")
    done = desk.ingest(source).documents
    for counts in (foreseen, guessed, done):
        assert (counts.unchanged, counts.skipped) == (1, 1)


def test_an_estimate_of_many_objects_reads_some_of_each_size(bucket: Bucket, desk: Desk) -> None:
    for number in range(EACH_FETCHED + 60):
        bucket.place(f"{number}.txt", text_of(number, paragraphs=1 + 7 * (number % 2)))
    bucket.asked.clear()
    found = estimate(desk.runtime, [S3Source(BucketPlace(bucket.name, ""))], collection="default")
    fetched = [url for method, url in bucket.asked if method == "GET" and ".txt" in url]
    assert (found.documents, found.basis) == (EACH_FETCHED + 60, "rough")
    assert found.read == len(fetched) <= EACH_FETCHED
    exact = estimate(desk.runtime, [S3Source(BucketPlace(bucket.name, "1"))], collection="default")
    assert exact.read == exact.documents, "few are all read"
    tokens, scaled = (each.stages["chunk"].tokens / each.documents for each in (exact, found))  # type: ignore[attr-defined]
    assert 0.7 * tokens < scaled < 1.3 * tokens


def test_a_bucket_is_found_by_its_name_alone(bucket: Bucket, desk: Desk) -> None:
    bucket.put("a.txt", text_of(0))
    desk.ingest(opened("s3://embedmill-test"))
    assert show_source(desk.runtime, "s3://embedmill-test").documents == 1


def test_of_what_shows_by_its_head_that_it_is_no_document_the_rest_is_not_fetched(
    bucket: Bucket, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 10 * HEAD_BYTES
    bucket.put("scan.dat", b"\x89PNG\r\n\x1a\n" + bytes(size))
    bucket.put("notes.zip", b"no archive" + bytes(size))
    bucket.put("long.txt", text_of(0) + " and so on" * HEAD_BYTES)
    fetched: Counter[str] = Counter()
    real = StreamingBody.read

    def count(body: StreamingBody, amt: int | None = None) -> bytes:
        data: bytes = real(body, amt)
        fetched[data[:4].decode("latin-1")] += len(data)
        return data

    monkeypatch.setattr(StreamingBody, "read", count)
    report = desk.ingest(of_bucket())
    assert (report.documents.completed, report.documents.skipped, report.problems) == (1, 1, 1)
    assert fetched["\x89PNG"] == HEAD_BYTES
    assert fetched["no a"] == CHUNK_BYTES
    assert sum(fetched.values()) < HEAD_BYTES + CHUNK_BYTES + 11 * HEAD_BYTES
