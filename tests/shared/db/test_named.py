"""The document that is meant by a name: under its own spelling first, then under any that sources hold equal."""

import pytest

from embedmill.shared.access.labels import Reach
from embedmill.shared.db import named
from embedmill.shared.errors import NotFound, UserError
from tests.shared.db.tracker import Tracker


def find(tracker: Tracker, *names: str) -> str:
    return str(tracker.database.query(named.find_document, names)[0].uri)


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("https://x.example/a/b?x=1", "HTTP://X.example:80/c/../a/%62?utm_source=n&x=1"),
        ("HTTP://X.example/a%2fb/", "https://x.example/a%2Fb/"),
        ("https://b\xfccher.example/\xe4", "https://xn--bcher-kva.example/%C3%A4"),
        ("http://127.0.0.1/a", "http://127.1/a"),
        ("http://x.example", "https://x.example/"),
        ("file:///tmp/a%20b", "file:/tmp/./a b"),
        ("file:///tmp/q#1", "file:///tmp//%71#1"),
        ("s3://STORE:9000/B/a", "s3://store:9000/b/a"),
        (" https://x.example/a", "https://x.example/a"),
    ],
)
def test_a_document_is_found_under_every_spelling_of_its_name(tracker: Tracker, stored: str, name: str) -> None:
    tracker.submit(["row 7", "https://x.example/other%61", stored])
    assert find(tracker, name) == stored


@pytest.mark.parametrize(
    "name", ["file:///tmp/q", "file:///tmp/../tmp/q#1", "https://x.example/a#1", "s3://b/%61", "ROW 7", "http://["]
)
def test_a_part_is_another_document_and_so_is_what_only_looks_alike(tracker: Tracker, name: str) -> None:
    tracker.submit(["row 7", "file:///tmp/q#2", "https://x.example/a#2", "https://x.example/a", "s3://b/a"])
    with pytest.raises(NotFound):
        find(tracker, name)


def test_its_own_spelling_goes_first_and_one_of_several_others_is_asked_for(tracker: Tracker) -> None:
    both = ["http://x.example/a", "https://x.example/a"]
    tracker.submit(both)
    assert [find(tracker, uri) for uri in both] == both
    with pytest.raises(UserError, match=r"several documents: http://x\.example/a, https://x\.example/a"):
        find(tracker, "https://X.example/a")


def test_several_are_found_together_and_none_beyond_reach(tracker: Tracker) -> None:
    uris = [f"https://x.example/{n}" for n in range(named.MOST_LETTERS + 2)]
    tracker.submit(uris)
    names = [[f"http://x.example//{n}"] for n in range(len(uris))]
    assert [row.uri for row, _ in tracker.database.query(named.find_documents, names)] == uris
    reach = Reach("reader", frozenset({"public"}), unlabelled=False, unowned=False)
    with tracker.database.read() as connection, pytest.raises(NotFound):
        named.find_document(connection, names[0], find_reach=lambda _: reach)
