"""Sources: what each claims, alone and with others, and what closing one takes along."""

import pytest

from embedmill.console.services.sources import close_source, list_sources, preview_closing, show_source
from embedmill.shared.db import scans
from embedmill.shared.errors import NotFound
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker


@pytest.fixture
def other(tracker: Tracker) -> int:
    """A second source, which claims one of the first's two documents too."""
    spec = {"kind": "list", "uri": "file:///list", "include": ["*.txt"]}
    with tracker.database.write() as connection:
        found = scans.open_source(connection, collection_id=tracker.collection.id, identity="list", spec=spec).id
    tracker.meet(tracker.scan(), ["file:///a", "file:///b"])
    tracker.meet(tracker.scan(source=found), ["file:///b"])
    return found


def test_sources_are_listed_with_what_they_claim(runtime: Runtime, tracker: Tracker, other: int) -> None:
    found = list_sources(runtime).sources
    assert [(source.id, source.documents, source.state) for source in found] == [
        (tracker.source, 2, "open"), (other, 1, "open"),
    ]  # fmt: skip
    assert found[1].options == {"include": ["*.txt"]}
    assert [source.id for source in list_sources(runtime, after=tracker.source).sources] == [other]
    with pytest.raises(NotFound):
        list_sources(runtime, collection="none")


def test_what_a_source_alone_claims_would_leave_with_it(runtime: Runtime, tracker: Tracker, other: int) -> None:
    assert show_source(runtime, str(tracker.source)).only_here == 1
    assert show_source(runtime, "file:///list").only_here == 0
    preview = preview_closing(runtime, str(tracker.source))
    assert (preview.deleted, preview.would_delete, preview.source.id) == (0, 1, tracker.source)
    with pytest.raises(NotFound, match="no source '77'"):
        preview_closing(runtime, "77")


def test_a_source_that_claims_nothing_alone_is_closed_at_once(runtime: Runtime, other: int) -> None:
    done = close_source(runtime, "file:///list")
    assert (done.deleted, done.jobs, done.removed.state, done.removed.documents) == (0, [], "closed", 0)
