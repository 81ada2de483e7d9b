"""Tombstones: what was erased is known by keyed hashes, under its name and by its content, until they are lifted."""

from dataclasses import dataclass

import pytest

from embedmill.shared.addresses import document_id
from embedmill.shared.db import tombstones
from embedmill.shared.db.engine import Database
from embedmill.shared.db.tombstones import NO_CONTENT, Marker, NamedDocument
from embedmill.shared.erasing import MarkKind
from embedmill.shared.spellings import one_spelling
from tests.shared.db.tracker import Tracker, submission

DOCUMENT = NamedDocument("a" * 32, "default", "c" * 64)
COPY = NamedDocument("b" * 32, "default", "c" * 64)


@dataclass
class OneKey:
    key: bytes = b"k" * 32

    def derive(self, purpose: str, collection: str = "") -> bytes:
        return self.key + purpose.encode()


@pytest.fixture
def marker() -> Marker:
    return Marker(OneKey)


def bury(database: Database, marker: Marker, *kinds: MarkKind) -> dict[MarkKind, str]:
    marks = marker.marks(DOCUMENT)
    database.transact(tombstones.set_tombstones, "e1", {marks[kind]: kind for kind in kinds})
    return marks


def barred(database: Database, marker: Marker, *coming: NamedDocument) -> dict[str, MarkKind]:
    found = database.query(tombstones.find_barred, marker, coming)
    return {id: why.kind for id, why in found.items()}


def test_an_erased_document_is_known_under_its_name(tracker: Tracker, marker: Marker) -> None:
    bury(tracker.database, marker, MarkKind.DOCUMENT)
    assert barred(tracker.database, marker, DOCUMENT, COPY) == {DOCUMENT.id: MarkKind.DOCUMENT}


def test_its_content_is_known_under_another_name(tracker: Tracker, marker: Marker) -> None:
    bury(tracker.database, marker, MarkKind.DOCUMENT, MarkKind.CONTENT)
    elsewhere = NamedDocument(COPY.id, "other", COPY.content_hash)
    assert barred(tracker.database, marker, COPY) == {COPY.id: MarkKind.CONTENT}
    assert barred(tracker.database, marker, elsewhere) == {}


@pytest.mark.parametrize(
    ("erased", "coming"),
    [
        ("file:///a/x", "file:///a/../a/x"),
        ("file:///a/x", "FILE:///a//%78"),
        ("file:///a/%78/", "file:///a/x"),
        ("https://shop.example/a?x=1&y=2", "HTTP://Shop.EXAMPLE:80/b/../%61?y=2&x=1#part"),
        ("http://shop.example", "https://shop.example:443/"),
        ("https://x.example/a/b", "https://x.example/a/%2e%2E/./a//b"),
        ("https://x.example/a/b?x=1", "https://user:pw@X.example.:443\\a\\b?x=%31&&PHPSESSID=9&access_token=p"),
        ("https://x.example/?x=1&x=0", "https://x.example?x=%31&x=0"),
        ("https://x.example/a", " https://x.example/a;jsessionid=1\n"),
        ("https://b\xfccher.example/\xe4?q=\xf6", "https://xn--bcher-kva.example/%c3%a4?q=%C3%B6"),
        ("https://xn--bcher-kva.example/", "http://B\xdcCHER.example"),
        ("http://127.0.0.1:8765/a", "http://127.1:8765/a"),
        ("http://2130706433/a", "https://0x7f.1/a"),
        ("http://0177.0.0.1/", "http://[::ffff:7f00:1]/"),
        ("http://[::1]/", "http://[0:0::0001]:80/"),
        ("s3://bucket/docs/a.md", "S3://BUCKET/docs/a.md"),
        ("s3://store:9000/b/a", "s3://STORE:9000/B/a"),
        ("file:///tmp/q", "file:/tmp/q"),
        ("file:///tmp/q", " file://LOCALHOST/tmp/q"),
        ("file:///tmp/q", "file:////tmp/q"),
        ("file:///tmp/q", "file:///tmp/q?x#y"),
        ("file:///tmp/q#1", "file:///tmp/../tmp/%71#1"),
        ("https://x.example/a#1", "http://x.example:80/%61#1"),
        ("file:///tmp/\xe4 b", "file:/tmp/%c3%a4%20b"),
        ("row 7", "row 7"),
    ],
)
def test_it_is_known_by_every_spelling_of_its_name(tracker: Tracker, marker: Marker, erased: str, coming: str) -> None:
    gone, back = (
        NamedDocument(document_id("default", uri), "default", content * 64, uri)
        for uri, content in ((erased, "c"), (coming, "d"))
    )
    mark = marker.marks(gone)[MarkKind.DOCUMENT]
    tracker.database.transact(tombstones.set_tombstones, "e1", {mark: MarkKind.DOCUMENT})
    other = NamedDocument("b" * 32, "default", "e" * 64, f"other:{coming}")
    assert barred(tracker.database, marker, back, other) == {back.id: MarkKind.DOCUMENT}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.example/a", "https://x.example/a/"),
        ("https://x.example/a/b", "https://x.example/a%2Fb"),
        ("https://x.example/A", "https://x.example/a"),
        ("https://x.example/100%", "https://x.example/100"),
        ("http://1.2.3.4/", "http://1.2.3.4.example/"),
        ("s3://bucket/a//b", "s3://bucket/a/b"),
        ("s3://bucket/%61", "s3://bucket/a"),
        ("s3://bucket/x/../a", "s3://bucket/a"),
        ("file://host/a", "file:///a"),
        ("file:a", "file:///a"),
        ("file:///a%23b", "file:///a#b"),
        ("row 7", " row 7"),
        ("https://", "https:///"),
        ("http://x:port/", "http://x/"),
        ("http://[::g]/", "http://[::1]/"),
        ("s3://me@b/a", "s3://b/a"),
    ],
)
def test_other_names_are_of_others(one: str, other: str) -> None:
    assert one_spelling(one) != one_spelling(other)
    assert one_spelling(one_spelling(one)) == one_spelling(one)


@pytest.mark.parametrize("whole", ["file:///a.md", "https://x.example/a"])
def test_a_part_that_was_erased_keeps_out_neither_the_whole_nor_other_parts(
    tracker: Tracker, marker: Marker, whole: str
) -> None:
    gone, *others = (
        NamedDocument(document_id("default", uri), "default", f"{number}" * 64, uri)
        for number, uri in enumerate((f"{whole}#1", whole, f"{whole}#2"))
    )
    marks = {marker.marks(gone)[MarkKind.DOCUMENT]: MarkKind.DOCUMENT}
    tracker.database.transact(tombstones.set_tombstones, "e1", marks)
    assert barred(tracker.database, marker, gone, *others) == {gone.id: MarkKind.DOCUMENT}


def test_a_document_that_had_the_same_content_before_stays(tracker: Tracker, marker: Marker) -> None:
    tracker.index(tracker.take(["file:///copy"], text="same"))
    copy = submission("file:///copy", "same")
    same = NamedDocument(copy.document_id, "default", copy.content_hash)
    tracker.database.transact(tombstones.set_tombstones, "e1", {marker.marks(same)[MarkKind.CONTENT]: MarkKind.CONTENT})
    assert barred(tracker.database, marker, same) == {}


def test_a_version_whose_time_was_up_comes_back_when_it_has_changed(tracker: Tracker, marker: Marker) -> None:
    bury(tracker.database, marker, MarkKind.VERSION)
    assert barred(tracker.database, marker, DOCUMENT) == {DOCUMENT.id: MarkKind.VERSION}
    assert barred(tracker.database, marker, NamedDocument(DOCUMENT.id, "default", "d" * 64), COPY) == {}


def test_an_empty_file_bars_no_other(marker: Marker) -> None:
    assert marker.marks(NamedDocument("a" * 32, "default", NO_CONTENT)).keys() == {MarkKind.DOCUMENT}


def test_whoever_has_another_key_makes_other_marks(marker: Marker) -> None:
    other = Marker(lambda: OneKey(b"x" * 32))
    assert other.of_document(DOCUMENT.id) != marker.of_document(DOCUMENT.id)


def test_marks_are_lifted_by_their_beginning_or_with_their_erasure(tracker: Tracker, marker: Marker) -> None:
    marks = bury(tracker.database, marker, MarkKind.DOCUMENT, MarkKind.CONTENT)
    assert tracker.database.transact(tombstones.lift, marks[MarkKind.DOCUMENT][:8]) == 0
    assert tracker.database.transact(tombstones.lift, marks[MarkKind.DOCUMENT][:16]) == 1
    assert barred(tracker.database, marker, DOCUMENT) == {DOCUMENT.id: MarkKind.CONTENT}
    assert tracker.database.transact(tombstones.lift, "e1") == 1
    assert barred(tracker.database, marker, DOCUMENT) == {}
