"""Sources are found by number and by URI, and say what they claim."""

from typing import Any

import pytest

from embedmill.shared.db import scans, sources
from embedmill.shared.db.catalogue import DocumentFilter, list_documents
from embedmill.shared.db.schema import claim
from embedmill.shared.db.sources import KnownSource
from embedmill.shared.errors import NotFound, UserError
from tests.shared.db.tracker import Tracker, submission

URIS = ["file:///docs/a", "file:///docs/b"]


@pytest.fixture
def claimed(tracker: Tracker) -> Tracker:
    """Two documents that one source claims, and one of them another."""
    tracker.submit(URIS)
    with tracker.database.write() as connection:
        connection.execute(claim.delete())
        other = scans.open_source(
            connection,
            collection_id=tracker.collection.id,
            identity="single",
            spec={"kind": "file", "uri": "file:///docs/a"},
        ).id
        rows = [(tracker.source, URIS[0]), (tracker.source, URIS[1]), (other, URIS[0])]
        for source_id, uri in rows:
            values = {"source_id": source_id, "document_id": submission(uri).document_id, "scan_id": 1, "seen_by": 1}
            connection.execute(claim.insert().values(values))
    return tracker


def ask(tracker: Tracker, function: Any, *arguments: Any, **options: Any) -> Any:
    with tracker.database.read() as connection:
        return function(connection, *arguments, **options)


def test_a_source_says_how_many_documents_it_claims(claimed: Tracker) -> None:
    found: list[KnownSource] = ask(claimed, sources.list_sources, collection_name=None, limit=10)
    assert [(known.documents, known.state, known.collection) for known in found] == [
        (2, "open", "default"),
        (1, "open", "default"),
    ]
    assert ask(claimed, sources.list_sources, collection_name=None, limit=10, after=found[0].id) == found[1:]


def test_a_source_is_found_by_its_number_and_by_its_uri(claimed: Tracker) -> None:
    found = ask(claimed, sources.find_source, ["file:///docs/a"])
    assert ask(claimed, sources.find_source, [str(found.id)]) == found
    assert ask(claimed, sources.find_source, ["a", "file:///docs/a"], collection_name="default") == found
    with pytest.raises(NotFound, match="no source '99'"):
        ask(claimed, sources.find_source, ["99"])


def test_a_uri_of_several_sources_asks_for_a_number(claimed: Tracker) -> None:
    with claimed.database.write() as connection:
        spec = {"kind": "folder", "uri": "file:///docs/a"}
        scans.open_source(connection, collection_id=claimed.collection.id, identity="x", spec=spec)
    with pytest.raises(UserError, match="several sources"):
        ask(claimed, sources.find_source, ["file:///docs/a"])


def test_documents_know_their_sources_and_sources_their_documents(claimed: Tracker) -> None:
    ids = [submission(uri).document_id for uri in URIS]
    found = ask(claimed, sources.find_claims, ids)
    assert [len(found[id_]) for id_ in ids] == [2, 1]
    page = ask(claimed, list_documents, DocumentFilter(source=claimed.source), limit=10)
    assert {listed.uri for listed in page.documents} == set(URIS)
    other = ask(claimed, sources.find_source, ["file:///docs/a"]).id
    for wanted in (DocumentFilter(source=other), DocumentFilter(source=other, job=claimed.job)):
        assert [listed.uri for listed in ask(claimed, list_documents, wanted, limit=10).documents] == [URIS[0]]
