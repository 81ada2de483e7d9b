"""Archives in a bucket: what is in them are documents, fetched once for each state of the archive."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from embedmill.producers.sources.buckets.events import S3Changes
from embedmill.producers.sources.buckets.source import S3Source
from embedmill.shared.buckets.names import BucketPlace
from embedmill.shared.db.schema import scan_note, source_memory
from tests.contracts.sources import Desk, desk
from tests.corpus import text_of
from tests.services.buckets import Bucket, refusal
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]
WHOLE = S3Source(BucketPlace("embedmill-test", ""))
KEY = "in/notes.zip"


def packed(texts: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return packed.getvalue()


TEXTS = {f"{number}.txt": text_of(number) for number in range(6)}


@pytest.fixture
def filled(bucket: Bucket, desk: Desk) -> Desk:
    """A bucket with an archive and an object beside it, that was read."""
    bucket.put(KEY, packed(TEXTS | {".git/config": "x", "id_rsa": "x"}))
    bucket.put("beside.txt", text_of(9))
    desk.ingest(WHOLE)
    return desk


def names(desk: Desk) -> set[str]:
    return {uri.removeprefix("s3://embedmill-test/") for uri in desk.indexed()}


ALL = {f"{KEY}!/{name}" for name in TEXTS} | {"beside.txt"}


def test_what_is_in_it_is_read_and_left_out_as_in_a_folder(filled: Desk) -> None:
    assert names(filled) == ALL
    assert filled.indexed()[f"s3://embedmill-test/{KEY}!/3.txt"] == text_of(3)
    skipped = {row["uri"] for row in filled.tracker.rows(scan_note) if row["kind"] == "skipped"}
    assert {uri.partition("!/")[2] for uri in skipped} == {".git/", "id_rsa"}


def test_nothing_is_fetched_of_one_that_has_not_changed(bucket: Bucket, filled: Desk) -> None:
    bucket.take_asked("GET")
    assert filled.ingest(WHOLE).documents.unchanged == len(ALL)
    assert not [url for url in bucket.take_asked("GET") if "list-type" not in url]


def test_what_changed_left_and_came_in_it_does(bucket: Bucket, filled: Desk) -> None:
    changed = {**TEXTS, "1.txt": text_of(30), "new.txt": text_of(31)}
    del changed["5.txt"]
    bucket.put(KEY, packed(changed))
    report = filled.ingest(WHOLE)
    assert (report.documents.completed, report.documents.deleted) == (2, 1)
    assert names(filled) == {f"{KEY}!/{name}" for name in changed} | {"beside.txt"}
    assert filled.ingest(WHOLE).documents.unchanged == len(changed) + 1


@pytest.mark.parametrize("fault", ["damaged", "no archive", "refused"])
def test_one_that_cannot_be_read_any_more_loses_nothing(bucket: Bucket, filled: Desk, fault: str) -> None:
    whole = packed(TEXTS)
    bucket.put(KEY, {"damaged": whole[:-30], "no archive": b"text", "refused": whole + b"x"}[fault])
    refuses = fault == "refused"
    with bucket.answering(
        lambda asked: refusal(asked, 403, "AccessDenied") if refuses and "notes.zip" in asked.url else None
    ):
        report = filled.ingest(WHOLE, allow_deletes=True)
    assert report.problems == 1
    assert names(filled) == ALL


def test_one_that_is_gone_takes_all_with_it(bucket: Bucket, filled: Desk) -> None:
    bucket.remove(KEY)
    assert filled.ingest(WHOLE).held_deletions == len(TEXTS)
    filled.ingest(WHOLE, allow_deletes=True)
    assert names(filled) == {"beside.txt"}


def test_events_name_it_too(bucket: Bucket, filled: Desk) -> None:
    bucket.put(KEY, packed({**TEXTS, "1.txt": text_of(30)}))
    named = [BucketPlace("embedmill-test", KEY)]
    filled.ingest(S3Changes.of(WHOLE, named, []), allow_deletes=True)
    assert filled.indexed()[f"s3://embedmill-test/{KEY}!/1.txt"] == text_of(30)
    bucket.remove(KEY)
    filled.ingest(S3Changes.of(WHOLE, named, []), allow_deletes=True)
    assert names(filled) == {"beside.txt"}


def test_a_kill_before_its_end_makes_it_be_fetched_again(bucket: Bucket, desk: Desk) -> None:
    bucket.put(KEY, packed(TEXTS))
    desk.ingest(WHOLE, limit=3)
    assert not desk.tracker.rows(source_memory)
    desk.ingest(WHOLE)
    assert len(names(desk)) == len(TEXTS)
