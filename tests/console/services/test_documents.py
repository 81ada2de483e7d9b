"""Documents: found by globs over paths and every spelling of a name, listed, explained, and chosen for deletion."""

import os
from pathlib import Path

import pytest

from embedmill.console.services.deleting import delete_documents, preview_deletion
from embedmill.console.services.document_names import spellings
from embedmill.console.services.document_reports import show_document
from embedmill.console.services.documents import DocumentQuery, _globs, list_documents
from embedmill.shared.errors import NotFound, UnreadableDocument, UsageError
from embedmill.shared.globs import Glob
from embedmill.shared.outcomes import Fail
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import DocumentState
from tests.shared.db.tracker import Tracker


def test_a_glob_over_paths_is_one_over_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _globs("./a b/*.p?f") == [Glob(f"file://{tmp_path}/a%20b/*.p?f")]
    assert _globs("/x/[a-c]*") == [Glob("file:///x/[a-c]*")]
    assert _globs("*.pdf") == [Glob("*.pdf")]
    assert _globs("row-1*") == [Glob("row-1*")]


def test_a_name_may_be_a_uri_an_id_or_a_path_through_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "link")
    assert spellings("file:///a") == ["file:///a"]
    found = spellings("link/a.txt")
    assert found[0] == "link/a.txt"
    assert {f"file://{tmp_path}/link/a.txt", (tmp_path / "real").resolve().as_uri() + "/a.txt"} == set(found[1:])


@pytest.mark.parametrize("typed", ["sqlite:///{0}/w.db/pages", "sqlite:////{0}/w.db/pages", "sqlite:///w.db/pages"])
def test_a_file_of_sqlite_is_found_by_every_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"sqlite://{tmp_path}/w.db/pages" in spellings(typed.format(str(tmp_path)[1:]))


@pytest.fixture
def indexed(tracker: Tracker) -> list[str]:
    """Three documents that readers see, which a source claims, and one that died."""
    uris = [f"file:///shelf/{n}.txt" for n in range(3)]
    scan = tracker.scan()
    tracker.meet(scan, uris)
    tracker.index(tracker.claim(tracker.queue()))
    tracker.meet(scan, ["file:///shelf/torn.txt"])
    tracker.settle(tracker.claim(tracker.queue()), Fail(UnreadableDocument("torn")))
    tracker.end_scan()
    tracker.complete_jobs()
    return uris


def test_documents_are_listed_a_page_at_a_time(runtime: Runtime, indexed: list[str]) -> None:
    page = list_documents(runtime, limit=3)
    assert [(row.uri, row.state, row.chunks) for row in page.documents] == [
        (uri, DocumentState.INDEXED, 2) for uri in indexed
    ]
    rest = list_documents(runtime, after=page.next)
    assert ([row.state for row in rest.documents], rest.next) == ([DocumentState.DEAD], None)
    assert len(list_documents(runtime, DocumentQuery(uri="/shelf/[0-1].txt")).documents) == 2


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*sp aces*", ["file:///sp%20aces/%281%29%20%C3%A4.txt", "file:///x.zip!/sp%20aces/(1)%20b"]),
        ("*sp%20aces*", ["file:///sp%20aces/%281%29%20%C3%A4.txt", "file:///x.zip!/sp%20aces/(1)%20b"]),
        ("file:///sp aces/*", ["file:///sp%20aces/%281%29%20%C3%A4.txt"]),
        ("/sp aces/(1) ä.txt", ["file:///sp%20aces/%281%29%20%C3%A4.txt"]),
        ("*/(1) [!a-z]*.txt", ["file:///sp%20aces/%281%29%20%C3%A4.txt"]),
        ("/x.zip!/sp aces/(1)*", ["file:///x.zip!/sp%20aces/(1)%20b"]),
        ("*(1) b", ["file:///x.zip!/sp%20aces/(1)%20b"]),
        ("*[ä]*", ["given:ä b"]),
        ("*ä b", ["given:ä b"]),
    ],
)
def test_a_glob_is_met_by_names_and_by_uris(runtime: Runtime, tracker: Tracker, glob: str, found: list[str]) -> None:
    tracker.submit(
        ["file:///sp%20aces/%281%29%20%C3%A4.txt", "file:///x.zip!/sp%20aces/(1)%20b", "given:ä b", "file:///A4.txt"]
    )
    assert [row.uri for row in list_documents(runtime, DocumentQuery(uri=glob)).documents] == found


def test_what_a_query_names_and_is_not_there_is_an_error(runtime: Runtime, indexed: list[str]) -> None:
    for query in (DocumentQuery("none"), DocumentQuery(job=77), DocumentQuery(source="77")):
        with pytest.raises(NotFound):
            list_documents(runtime, query)
    with pytest.raises(NotFound):
        show_document(runtime, "file:///nowhere")


def test_a_document_is_explained_with_what_stands_in_its_way(runtime: Runtime, indexed: list[str]) -> None:
    torn = show_document(runtime, "file:///shelf/torn.txt")
    assert (torn.state, torn.last_error) == (DocumentState.DEAD, "UnreadableDocument: torn")
    assert [letter.error for letter in torn.letters] == ["torn"]
    assert [attempt.outcome for attempt in torn.attempts] == ["error"]
    fine = show_document(runtime, indexed[0])
    assert (fine.last_error, fine.chunks.indexed, [version.active for version in fine.versions]) == (None, 2, [True])
    assert [found.stage for found in fine.stages] == ["chunk", "index"]


def test_documents_to_delete_are_named_or_asked_for_and_not_both(runtime: Runtime, indexed: list[str]) -> None:
    found = preview_deletion(runtime, query=DocumentQuery(uri="*.txt"))
    assert (found.deleted, found.would_delete, found.examples[:3]) == (0, 4, indexed)
    assert preview_deletion(runtime, [indexed[0], indexed[0]]).would_delete == 1
    for names, query in (([], DocumentQuery()), (indexed, DocumentQuery(uri="*"))):
        with pytest.raises(UsageError, match="not both, and not neither"):
            delete_documents(runtime, names, query)


def test_what_lies_in_an_archive_goes_by_its_path_too(tmp_path: Path) -> None:
    archive = (tmp_path / "an archive.zip").as_uri()
    assert f"{archive}!/m.txt" in spellings(str(tmp_path / "an archive.zip!/m.txt"))
    assert f"{archive}!/in.zip!/a%20b.txt" in spellings(str(tmp_path / "an archive.zip!/in.zip!/a b.txt"))
