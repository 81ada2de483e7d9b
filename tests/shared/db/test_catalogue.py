"""The catalogue: states follow from rows, filters meet, and every page is read along an index of its own."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from bench.documents import fill
from embedmill.shared.db import catalogue
from embedmill.shared.db.catalogue import MEANINGS, CataloguePage, DocumentFilter, list_documents
from embedmill.shared.db.dead_letters import discard_letters
from embedmill.shared.errors import NotFound, UnreadableDocument, UserError
from embedmill.shared.globs import Glob
from embedmill.shared.letters import LetterFilter
from embedmill.shared.notes import join_notes
from embedmill.shared.outcomes import Advance, Complete, Fail, Park
from embedmill.shared.states import DocumentState, Result
from tests.shared.db.statements import count_statements, read_plans
from tests.shared.db.tracker import SETTINGS_HASH, Tracker, submission

EVERYTHING = DocumentFilter()


def ask(
    tracker: Tracker, wanted: DocumentFilter = EVERYTHING, *, limit: int = 100, after: str | None = None
) -> CataloguePage:
    with tracker.database.read() as connection:
        return list_documents(connection, wanted, limit=limit, after=after)


def uris(page: CataloguePage) -> list[str]:
    return [listed.uri for listed in page.documents]


def states(tracker: Tracker, **wanted: Any) -> dict[str, str]:
    return {
        listed.uri.removeprefix("file:///"): listed.state for listed in ask(tracker, DocumentFilter(**wanted)).documents
    }


def take(tracker: Tracker, *names: str, job: int | None = None) -> Any:
    tracker.submit([f"file:///{name}" for name in names], job=job)
    return tracker.claim(tracker.queue(job=job))


def index(tracker: Tracker, *names: str, chunks: int = 2, notes: tuple[str, ...] = (), **options: Any) -> None:
    claim = take(tracker, *names, **options)
    ids = [item.id for item in claim.items]
    tracker.settle(claim, Advance("index", {"chunks_expected": chunks, "notes": join_notes(notes)}))
    last = tracker.claim(ids, "index")
    tracker.switch(last)
    tracker.settle(last, Complete(Result.INDEXED if chunks else Result.SKIPPED))


def bury(tracker: Tracker, *names: str) -> None:
    tracker.settle(take(tracker, *names), Fail(UnreadableDocument("torn")))


@pytest.fixture
def varied(tracker: Tracker) -> Tracker:
    """A document in every state that needs no removal."""
    index(tracker, "indexed")
    index(tracker, "empty", chunks=0)
    bury(tracker, "dead")
    bury(tracker, "discarded")
    discard_letters(tracker.database, LetterFilter(ids=[2]), reason="known")
    tracker.settle(take(tracker, "waiting"), Park("rate", 60.0))
    take(tracker, "running")
    tracker.submit(["file:///queued"])
    tracker.queue()
    tracker.submit(["file:///pending"])
    return tracker


def test_a_state_follows_from_the_row_and_the_newest_work(varied: Tracker) -> None:
    found = states(varied)
    assert found == {name: name for name in found}
    assert len(found) == 8


def test_documents_are_found_by_their_state(varied: Tracker) -> None:
    for state in ("indexed", "empty", "dead", "discarded", "waiting", "running", "queued", "pending"):
        assert states(varied, state=DocumentState(state)) == {state: state}
        assert states(varied, state=DocumentState(state), job=varied.job) == {state: state}
        assert states(varied, state=DocumentState(state), collection="default") == {state: state}
        assert states(varied, state=DocumentState(state), job=varied.job + 1) == {}


def test_a_document_that_is_taken_out_is_removing_and_then_deleted_and_listed_no_more(tracker: Tracker) -> None:
    index(tracker, "a", "b")
    remove(tracker, "a")
    assert states(tracker) == {"a": "removing", "b": "indexed"}
    assert states(tracker, state=DocumentState.REMOVING) == {"a": "removing"}
    claim = tracker.claim(tracker.queue(job=2), "index")
    tracker.switch(claim)
    tracker.settle(claim, Complete(Result.DELETED))
    assert states(tracker) == {"b": "indexed"}
    assert states(tracker, state=DocumentState.DELETED) == {"a": "deleted"}
    tracker.submit(["file:///a"], job=tracker.create_job("again"))
    assert states(tracker) == {"a": "pending", "b": "indexed"}
    assert states(tracker, state=DocumentState.DELETED) == {}


def remove(tracker: Tracker, name: str) -> None:
    """Queue the removal of a document as departures do."""
    document, job = submission(f"file:///{name}").document_id, tracker.create_job("removal")
    with tracker.database.write() as connection:
        connection.execute(text("UPDATE document SET generation = 2 WHERE id = :id"), {"id": document})
        connection.execute(
            text(
                "INSERT INTO work (job_id, document_id, generation, deletes, stage, state, max_attempts, size, "
                "content_hash, settings_hash, version, origin, created_at) "
                "VALUES (:job, :id, 2, true, 'index', 'pending', 3, 0, '', '', '', '{}', 0)"
            ),
            {"id": document, "job": job},
        )


def test_a_cancelled_job_leaves_what_was_indexed_before_and_says_cancelled_of_the_rest(tracker: Tracker) -> None:
    index(tracker, "old")
    second = tracker.create_job("second")
    tracker.submit(["file:///old", "file:///new"], text="two", job=second)
    tracker.control("cancel_job", second)
    assert states(tracker) == {"old": "cancelled", "new": "cancelled"}
    old = next(listed for listed in ask(tracker).documents if listed.uri == "file:///old")
    assert old.version == submission("file:///old").version


def test_pages_follow_each_other_in_the_order_of_uris(tracker: Tracker) -> None:
    names = ["b", "a/2", "a/10", "a", "B", "ä", "z"]
    tracker.submit([f"file:///{name}" for name in names])
    expected = sorted(f"file:///{name}" for name in names)
    seen: list[str] = []
    after: str | None = None
    while True:
        page = ask(tracker, limit=3, after=after)
        seen += uris(page)
        if (after := page.next) is None:
            break
    assert seen == expected


@pytest.mark.parametrize("filters", [{"state": DocumentState.PENDING}, {"job": 1}, {}, {"collection": "default"}])
def test_pages_of_every_kind_of_list_are_whole(tracker: Tracker, filters: dict[str, Any]) -> None:
    tracker.submit([f"file:///{n:03d}" for n in range(25)])
    found: list[str] = []
    after: str | None = None
    while True:
        page = ask(tracker, DocumentFilter(**filters), limit=7, after=after)
        found += uris(page)
        if (after := page.next) is None:
            break
    assert sorted(found) == [f"file:///{n:03d}" for n in range(25)]


def test_a_cursor_of_another_list_is_refused(tracker: Tracker) -> None:
    tracker.submit(["file:///a", "file:///b"])
    cursor = ask(tracker, limit=1).next
    for bad in ("nonsense", "%%%", cursor):
        with pytest.raises(UserError, match="--after"):
            ask(tracker, DocumentFilter(job=tracker.job), after=bad)


def test_globs_noted_stale_and_jobs_narrow_a_list_together(tracker: Tracker) -> None:
    index(tracker, "a.pdf", notes=("page 2 holds no text",))
    index(tracker, "b.pdf", "c.txt")
    second = tracker.create_job("second")
    index(tracker, "d.pdf", job=second, notes=("guessed",))
    assert uris(ask(tracker, DocumentFilter(noted=True))) == sorted(
        uris(ask(tracker, DocumentFilter(noted=True))), key=id_of
    )
    assert set(states(tracker, noted=True)) == {"a.pdf", "d.pdf"}
    assert set(states(tracker, noted=True, job=second)) == {"d.pdf"}
    assert set(states(tracker, uris=[Glob("file:///*.pdf")])) == {"a.pdf", "b.pdf", "d.pdf"}
    assert set(states(tracker, uris=[Glob("file:///[a-c]*")], noted=True)) == {"a.pdf"}
    assert set(states(tracker, uris=[Glob("file:///c.txt")])) == {"c.txt"}
    assert len(states(tracker, fresh=lambda _: "other settings")) == 4
    assert states(tracker, fresh=lambda _: SETTINGS_HASH) == {}


def id_of(uri: str) -> str:
    return submission(uri).document_id


def test_a_document_is_found_by_the_metadata_of_its_newest_submission(tracker: Tracker) -> None:
    for name, metadata in (("a", '{"team": "red", "n": 7}'), ("b", '{"team": "blue"}')):
        tracker.submit([f"file:///{name}"])
        with tracker.database.write() as connection:
            connection.execute(
                text("UPDATE work SET origin = :origin WHERE document_id = :id"),
                {"origin": f'{{"kind": "row", "metadata": {metadata}}}', "id": id_of(f"file:///{name}")},
            )
    assert set(states(tracker, metadata={"team": "red"})) == {"a"}
    assert set(states(tracker, metadata={"team": "red", "n": "7"})) == {"a"}
    assert set(states(tracker, metadata={"team": "red", "n": "8"})) == set()


def test_collections_come_one_after_another_and_one_alone_if_asked(tracker: Tracker) -> None:
    tracker.submit(["file:///a"])
    tracker.create_collection("other")
    assert [listed.collection for listed in ask(tracker).documents] == ["default"]
    assert uris(ask(tracker, DocumentFilter(collection="other"))) == []
    with pytest.raises(NotFound):
        ask(tracker, DocumentFilter(collection="nowhere"))


def test_a_page_takes_as_many_statements_whatever_is_on_it(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n}" for n in range(100)])
    assert count_statements(tracker, lambda: ask(tracker, limit=100)) == 3
    assert count_statements(tracker, lambda: ask(tracker, limit=1)) == 3


def test_every_state_has_its_meaning() -> None:
    assert set(MEANINGS) == set(DocumentState)


ROADS: dict[str, tuple[DocumentFilter, str]] = {
    "all": (DocumentFilter(), "ix_document_uri"),
    "collection": (DocumentFilter(collection="default"), "ix_document_uri"),
    "prefix": (DocumentFilter(uris=[Glob("file:///bench/00012*")]), "ix_document_uri"),
    "noted": (DocumentFilter(noted=True), "ix_document_noted"),
    "deleted": (DocumentFilter(state=DocumentState.DELETED), "ix_document_deleted"),
    "empty": (DocumentFilter(state=DocumentState.EMPTY), "ix_document_empty"),
    "dead": (DocumentFilter(state=DocumentState.DEAD), "ix_work_left"),
    "pending": (DocumentFilter(state=DocumentState.PENDING), "ix_work_left"),
    "removing": (DocumentFilter(state=DocumentState.REMOVING), "ix_work_removing"),
    "job": (DocumentFilter(job=1), "job_id_document_id|sqlite_autoindex_work"),
    "source": (DocumentFilter(source=1), "claim"),
    "noted by a job": (DocumentFilter(job=1, noted=True), "ix_work_noted"),
}


@pytest.fixture
def many(tracker: Tracker) -> Tracker:
    fill(tracker.database, 4000)
    return tracker


def test_pages_are_read_along_their_indexes_without_sorting(many: Tracker) -> None:
    for name, (wanted, index_name) in ROADS.items():
        plans = read_plans(many.database, partial(list_documents, wanted=wanted, limit=20))
        if many.database.is_sqlite:
            # A server that knows how few rows these are may rightly take another way; bench documents has a million.
            assert any(part in line for part in index_name.split("|") for line in plans), (name, plans)
            assert not [line for line in plans if "TEMP B-TREE FOR ORDER BY" in line], (name, plans)


def test_a_page_in_the_middle_is_like_the_first(many: Tracker) -> None:
    first = ask(many, limit=50)
    later = ask(many, limit=50, after=first.next)
    assert later.documents[0].uri > first.documents[-1].uri
    assert len(later.documents) == 50
    assert count_statements(many, lambda: ask(many, limit=50, after=later.next)) == 3


def test_the_state_of_a_document_without_work_is_that_of_its_row(tracker: Tracker) -> None:
    index(tracker, "a")
    with tracker.database.write() as connection:
        connection.execute(text("DELETE FROM work"))
    assert states(tracker) == {"a": "indexed"}
    assert catalogue.state_of(_Row(None, 0), None) is DocumentState.DELETED


class _Row:
    def __init__(self, active_version: str | None, chunks_expected: int) -> None:
        self.active_version, self.chunks_expected = active_version, chunks_expected
