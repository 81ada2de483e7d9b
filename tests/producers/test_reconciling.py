"""What commands over the same sources make of the index together: no case of them loses or keeps a document wrongly."""

import io
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from embedmill.producers.departing import close_source, delete_documents, preview_closing
from embedmill.producers.sources.base import Source
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import gather_options
from embedmill.producers.submission import Submitted, Submitter
from embedmill.shared.addresses import document_id
from embedmill.shared.db import jobs, scan_notes, tallies
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import chore, source
from embedmill.shared.errors import ScanStopped, ScanTakenOver
from tests.producers.walking import Walk
from tests.shared.containers.making import taped, zipped
from tests.shared.db.conftest import url_of


class Desk:
    """Commands over a folder `docs` of ten files and files of rows, worked off at once by a stand-in for workers."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.walk = Walk(database, folder, Random(0))
        self.database, self.folder, self.runtime = database, folder, self.walk.runtimes[0]
        for path in (folder / "docs").rglob("*.*"):
            path.unlink()
        for n in range(10):
            (folder / "docs" / f"d{n}.txt").write_text(f"document {n}")

    def write_rows(self, name: str, rows: dict[str, str]) -> None:
        lines = [json.dumps({"id": id_, "text": text}) for id_, text in rows.items()]
        (self.folder / name).write_text("\n".join(lines))

    def sources(self, *names: str, include: tuple[str, ...] = ()) -> list[Source]:
        paths = [str(self.folder / name) for name in names]
        return open_sources(paths, options=gather_options({"include": include}), stdin=io.BytesIO())

    def open(self, *names: str, process: int = 0, include: tuple[str, ...] = ()) -> tuple[Submitter, Submitted, Any]:
        sources = self.sources(*names, include=include)
        submitter = Submitter(self.walk.runtimes[process])
        return submitter, submitter.open(sources, self.walk.collection, options={}), sources

    def submit(self, *names: str, allow: bool = False, include: tuple[str, ...] = ()) -> jobs.Job:
        submitter, submitted, sources = self.open(*names, include=include)
        submitter.enumerate(submitted, sources, self.walk.collection, allow_deletes=allow)
        return self.job(submitted.job_id)

    def ingest(self, *names: str, allow: bool = False, include: tuple[str, ...] = ()) -> dict[str, int]:
        """The counts of a command whose work is done."""
        found = self.submit(*names, allow=allow, include=include)
        self.walk.drain()
        with self.database.read() as connection:
            job = jobs.get_job(connection, found.id)
            counts = tallies.measure_progress(connection, job).documents
        return {**counts, "problems": job.problems, "held": job.held_deletions}

    def job(self, job_id: int) -> jobs.Job:
        with self.database.read() as connection:
            return jobs.get_job(connection, job_id)

    def notes(self, job_id: int) -> list[str]:
        with self.database.read() as connection:
            found = scan_notes.list_notes(connection, job_id, limit=100)
        return [f"{note.line}: {note.reason}" for note in found if note.kind == "problem"]

    def visible(self) -> set[str]:
        return {uri.rsplit("/", 1)[-1] for uri in self.walk.visible()}

    def find_source(self, kind: str) -> int:
        with self.database.read() as connection:
            query = select(source.c.id).where(source.c.spec["kind"].as_string() == kind)
            return int(connection.execute(query).scalar_one())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.chaos)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Here the cases are what matters: statements are tried on both engines by tests of the database and by walks."""
    return url_of(request, tmp_path)


on_both = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


TEN = {f"d{n}.txt" for n in range(10)}


@on_both
def test_a_file_that_was_also_named_by_itself_leaves_with_its_folder(desk: Desk) -> None:
    desk.ingest("docs")
    desk.ingest("docs/d3.txt")
    (desk.folder / "docs/d3.txt").unlink()
    assert desk.ingest("docs")["deleted"] == 1
    assert desk.visible() == TEN - {"d3.txt"}
    assert desk.ingest("docs")["deleted"] == 0


def test_a_file_that_was_only_named_by_itself_leaves_when_its_folder_is_read(desk: Desk) -> None:
    (desk.folder / "docs/z.md").write_text("named")
    desk.ingest("docs", include=("*.txt",))
    desk.ingest("docs/z.md")
    assert desk.ingest("docs", include=("*.txt",))["deleted"] == 0, "left out by a pattern is not gone"
    (desk.folder / "docs/z.md").unlink()
    assert desk.ingest("docs", include=("*.txt",))["deleted"] == 1


def test_members_of_an_archive_come_change_and_leave_one_by_one(desk: Desk) -> None:
    archive = desk.folder / "docs" / "z.zip"
    archive.write_bytes(zipped({"a.txt": "a", "b.txt": "b", "c.txt": "c"}))
    assert desk.ingest("docs")["completed"] == 13
    archive.write_bytes(zipped({"a.txt": "a", "b.txt": "changed", "d.txt": "d"}))
    counts = desk.ingest("docs")
    assert (counts["unchanged"], counts["completed"], counts["deleted"]) == (11, 2, 1)
    assert desk.visible() == TEN | {"a.txt", "b.txt", "d.txt"}


def test_an_archive_that_was_only_named_by_itself_keeps_its_members_until_it_is_gone(desk: Desk) -> None:
    archive = desk.folder / "docs" / "z.zip"
    archive.write_bytes(zipped({"a.txt": "a"}))
    desk.ingest("docs/z.zip")
    desk.ingest("docs", include=("*.txt",))
    assert "a.txt" in desk.visible()
    archive.unlink()
    desk.ingest("docs", include=("*.txt",))
    assert "a.txt" not in desk.visible()


def test_what_left_an_archive_that_was_also_named_by_itself_leaves_with_its_folder(desk: Desk) -> None:
    archive = desk.folder / "docs" / "z.zip"
    whole = {"x.txt": b"x", "in.zip": zipped({f"{name}.txt": name for name in "abc"})}
    archive.write_bytes(zipped(whole))
    desk.ingest("docs")
    desk.ingest("docs/z.zip")
    archive.write_bytes(zipped(whole | {"in.zip": zipped({"a.txt": "a"})})[:-30])
    assert desk.ingest("docs", allow=True)["deleted"] == 0, "what is damaged tells nothing"
    archive.write_bytes(zipped(whole | {"in.zip": zipped({"a.txt": "a", "b.txt": "b"})}))
    assert desk.ingest("docs")["deleted"] == 1
    assert desk.visible() == TEN | {"x.txt", "a.txt", "b.txt"}


def test_a_file_stays_as_long_as_the_same_folder_with_other_patterns_claims_it(desk: Desk) -> None:
    desk.ingest("docs")
    desk.ingest("docs", include=("d1.txt",))
    (desk.folder / "docs/d1.txt").unlink()
    assert desk.ingest("docs")["deleted"] == 0
    assert desk.ingest("docs", include=("d1.txt",), allow=True)["deleted"] == 1
    assert desk.visible() == TEN - {"d1.txt"}


def test_a_folder_and_its_child_count_a_document_once_and_do_not_disagree(desk: Desk) -> None:
    (desk.folder / "docs/sub/e.txt").write_text("below")
    first = desk.ingest("docs", "docs/sub")
    again = desk.ingest("docs", "docs/sub")
    assert (first["total"], first["problems"]) == (11, 0)
    assert (again["total"], again["unchanged"], again["problems"]) == (11, 11, 0)


def test_a_file_that_comes_back_before_its_removal_stays(desk: Desk) -> None:
    desk.ingest("docs")
    (desk.folder / "docs/d3.txt").rename(desk.folder / "kept")
    gone = desk.submit("docs")
    (desk.folder / "kept").rename(desk.folder / "docs/d3.txt")
    back = desk.submit("docs")
    assert gone.id == back.id
    desk.walk.drain()
    assert desk.visible() == TEN


@on_both
def test_more_than_a_fifth_is_held_back_and_nothing_of_it_is_forgotten(desk: Desk) -> None:
    desk.ingest("docs")
    for n in range(3):
        (desk.folder / f"docs/d{n}.txt").unlink()
    held = desk.ingest("docs")
    assert (held["held"], held["deleted"]) == (3, 0)
    assert desk.ingest("docs", allow=True)["deleted"] == 3


def test_rows_of_one_id_in_two_files_of_a_command_are_never_one(desk: Desk) -> None:
    desk.write_rows("a.jsonl", {"1": "alpha", "2": "alpha"})
    desk.write_rows("b.jsonl", {"2": "beta", "3": "beta"})
    job = desk.submit("a.jsonl", "b.jsonl")
    a = (desk.folder / "a.jsonl").as_uri()
    assert desk.notes(job.id) == [f"1: the id '2' is in {a}:2 too; that one is taken"]
    counts = desk.ingest("a.jsonl", "b.jsonl")
    assert (counts["total"], counts["skipped"], counts["problems"]) == (4, 1, 1)
    assert desk.visible() == {"1", "2", "3"}


def test_two_commands_that_disagree_about_an_id_are_reported_and_the_newer_one_is_taken(desk: Desk) -> None:
    desk.write_rows("a.jsonl", {"1": "alpha", "2": "same"})
    desk.write_rows("b.jsonl", {"1": "beta", "2": "same"})
    desk.ingest("a.jsonl")
    job = desk.submit("b.jsonl")
    a = (desk.folder / "a.jsonl").as_uri()
    assert desk.notes(job.id) == [f"1: the id '1' is in {a}:1 too, with other content; this one is newer and is taken"]
    desk.walk.drain()
    counts = desk.ingest("b.jsonl")
    assert (counts["total"], counts["unchanged"], counts["problems"]) == (2, 2, 1)


@on_both
def test_a_document_that_stays_for_a_source_that_says_otherwise_is_reported_until_that_is_read(desk: Desk) -> None:
    same = {str(n): "same" for n in range(2, 12)}
    desk.write_rows("a.jsonl", {"1": "alpha", **same})
    desk.write_rows("b.jsonl", {"1": "beta", **same})
    desk.ingest("a.jsonl")
    desk.ingest("b.jsonl")
    beta = desk.walk.visible()["1"]
    desk.write_rows("b.jsonl", {"3": "same"})
    job = desk.submit("b.jsonl", allow=True)
    (note,) = desk.notes(job.id)
    a = (desk.folder / "a.jsonl").as_uri()
    assert note.startswith(f"None: the id '1' is not here any more, and {a}:1 has it with other content; ")
    desk.walk.drain()
    assert desk.walk.visible()["1"] == beta
    again = desk.ingest("a.jsonl")
    assert (again["total"], again["completed"], again["unchanged"], again["problems"]) == (11, 1, 10, 0)
    assert desk.walk.visible()["1"] != beta
    assert desk.ingest("b.jsonl")["problems"] == 0


def test_whoever_was_not_taken_leaves_without_a_word(desk: Desk) -> None:
    desk.write_rows("a.jsonl", {"1": "alpha", "2": "two"})
    desk.write_rows("b.jsonl", {"1": "beta", "3": "three"})
    desk.ingest("a.jsonl")
    desk.ingest("b.jsonl")
    desk.write_rows("a.jsonl", {"2": "two"})
    assert desk.ingest("a.jsonl", allow=True)["problems"] == 0


def test_a_row_that_moves_from_one_file_of_a_command_to_another_stays(desk: Desk) -> None:
    desk.write_rows("a.jsonl", {"1": "one", "2": "two"})
    desk.write_rows("b.jsonl", {"3": "three"})
    desk.ingest("b.jsonl", "a.jsonl")
    desk.write_rows("a.jsonl", {"1": "one"})
    desk.write_rows("b.jsonl", {"2": "two", "3": "three"})
    assert desk.ingest("a.jsonl", "b.jsonl", allow=True)["deleted"] == 0
    assert desk.visible() == {"1", "2", "3"}


def test_one_id_in_a_folder_and_in_a_file_of_rows_is_a_problem(desk: Desk) -> None:
    uri = (desk.folder / "docs/d1.txt").as_uri()
    desk.write_rows("a.jsonl", {uri: "another text"})
    counts = desk.ingest("docs", "a.jsonl")
    assert (counts["completed"], counts["problems"]) == (10, 1)


@pytest.mark.parametrize("function", [jobs.pause_job, jobs.cancel_job])
def test_a_scan_stops_when_its_job_is_paused_or_cancelled_and_leaves_no_work(desk: Desk, function: Any) -> None:
    submitter, submitted, sources = desk.open("docs")
    desk.walk.control(function, submitted.job_id)
    with pytest.raises(ScanStopped, match=f"job {submitted.job_id} is"):
        submitter.enumerate(submitted, sources, desk.walk.collection, allow_deletes=False)
    desk.walk.drain()
    assert desk.visible() == set()
    assert desk.ingest("docs")["completed"] == 10


@on_both
def test_a_scan_that_was_taken_over_changes_nothing(desk: Desk) -> None:
    submitter, submitted, sources = desk.open("docs")
    with desk.database.write() as connection:
        connection.execute(update(chore).values(lease_until=0))
    successor, taken, again = desk.open("docs", process=1)
    assert (taken.job_id, taken.resumed, taken.to_scan) == (submitted.job_id, True, True)
    with pytest.raises(ScanTakenOver):
        submitter.enumerate(submitted, sources, desk.walk.collection, allow_deletes=False)
    successor.enumerate(taken, again, desk.walk.collection, allow_deletes=False)
    assert desk.ingest("docs")["total"] == 10


@on_both
def test_closing_a_source_takes_what_nobody_else_claims(desk: Desk) -> None:
    desk.ingest("docs")
    desk.ingest("docs/d1.txt")
    folder = desk.find_source("folder")
    assert preview_closing(desk.runtime, folder) == 9
    closed = close_source(desk.runtime, folder)
    assert closed.documents == 9 and closed.job_id is not None
    desk.walk.drain()
    assert desk.visible() == {"d1.txt"}
    assert desk.job(closed.job_id).options == {"removes": True}
    assert desk.ingest("docs")["completed"] == 9


def test_a_deleted_document_leaves_and_comes_back_with_its_source(desk: Desk) -> None:
    desk.ingest("docs")
    uri = (desk.folder / "docs/d1.txt").as_uri()
    assert delete_documents(desk.runtime, desk.walk.collection.id, [document_id("default", uri)]).documents == 1
    desk.walk.drain()
    assert desk.visible() == TEN - {"d1.txt"}
    assert desk.ingest("docs")["completed"] == 1


@on_both
def test_a_file_that_leaves_two_nested_folders_is_no_large_part_of_either(desk: Desk) -> None:
    (desk.folder / "docs/sub").mkdir(exist_ok=True)
    for n in range(10):
        (desk.folder / f"docs/sub/s{n}.txt").write_text(f"nested {n}")
    desk.ingest("docs")
    desk.ingest("docs/sub")
    (desk.folder / "docs/sub/s3.txt").unlink()
    assert (desk.ingest("docs/sub")["held"], "s3.txt" in desk.visible()) == (0, True)
    counts = desk.ingest("docs")
    assert (counts["held"], counts["deleted"]) == (0, 1)
    assert "s3.txt" not in desk.visible()


@on_both
def test_a_damaged_archive_keeps_what_lies_in_it_and_nothing_else(desk: Desk) -> None:
    archive = desk.folder / "docs" / "dam.zip"
    archive.write_bytes(zipped({"a.txt": "a", "b.txt": "b"}))
    desk.ingest("docs")
    archive.write_bytes(archive.read_bytes()[:40])
    (desk.folder / "docs/d3.txt").unlink()
    job = desk.submit("docs", allow=True)
    desk.walk.drain()
    assert desk.visible() == TEN - {"d3.txt"} | {"a.txt", "b.txt"}
    assert desk.job(job.id).held_deletions == 2
    with desk.database.read() as connection:
        kept = [note for note in scan_notes.list_notes(connection, job.id, limit=9) if "2 documents" in note.reason]
    assert [note.uri for note in kept] == [archive.as_uri()]
    archive.unlink()
    assert desk.ingest("docs", allow=True)["deleted"] == 2


def test_a_damaged_member_keeps_itself_and_nothing_else(desk: Desk) -> None:
    archive = desk.folder / "docs" / "z.zip"
    archive.write_bytes(zipped({"a.txt": "a" * 100, "b.txt": "b" * 100, "c.txt": "c"}))
    desk.ingest("docs")
    whole = bytearray(zipped({"a.txt": "a" * 100, "b.txt": "b" * 100}))
    at = whole.index(b"b.txt") + len("b.txt")
    whole[at : at + 4] = b"\xff\xff\xff\xff"
    archive.write_bytes(whole)
    counts = desk.ingest("docs", allow=True)
    assert (counts["deleted"], counts["held"]) == (1, 1)
    assert desk.visible() == TEN | {"a.txt", "b.txt"}


@pytest.mark.parametrize(("name", "mode", "length"), [
    ("z.tar", "w", 15_000), ("z.tar", "w", 512 + 9216 + 200), ("z.tgz", "w:gz", 15_000),
])  # fmt: skip
def test_a_tape_that_ends_too_soon_keeps_all_that_lay_on_it(desk: Desk, name: str, mode: str, length: int) -> None:
    archive = desk.folder / "docs" / name
    members = {f"{name}.txt": Random(name).randbytes(9000) for name in "abc"}
    archive.write_bytes(taped(members, mode=mode))
    desk.ingest("docs")
    archive.write_bytes(archive.read_bytes()[:length])
    (desk.folder / "docs/d3.txt").unlink()
    counts = desk.ingest("docs", allow=True)
    assert counts["deleted"] == 1
    assert desk.visible() == TEN - {"d3.txt"} | set(members)


def test_what_lies_in_a_folder_that_cannot_be_read_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "docs/sub!").mkdir()
    (desk.folder / "docs/sub!/e.txt").write_text("below")
    (desk.folder / "docs/sub!.txt").write_text("beside")
    desk.ingest("docs")
    (desk.folder / "docs/d3.txt").unlink()
    (desk.folder / "docs/sub!.txt").unlink()
    opened = FolderSource._open  # root reads every folder

    def refuse(source: FolderSource, folder: bytes) -> int:
        if folder:
            raise PermissionError(13, "refused")
        return opened(source, folder)

    monkeypatch.setattr(FolderSource, "_open", refuse)
    counts = desk.ingest("docs")
    assert (counts["deleted"], counts["held"]) == (2, 1)
    assert desk.visible() == TEN - {"d3.txt"} | {"e.txt"}


def test_what_is_gone_by_more_than_a_fifth_is_held_beside_what_may_be_there(desk: Desk) -> None:
    archive = desk.folder / "docs" / "dam.zip"
    archive.write_bytes(zipped({"a.txt": "a"}))
    desk.ingest("docs")
    archive.write_bytes(archive.read_bytes()[:40])
    for n in range(5):
        (desk.folder / f"docs/d{n}.txt").unlink()
    assert desk.ingest("docs")["held"] == 6
    counts = desk.ingest("docs", allow=True)
    assert (counts["deleted"], counts["held"]) == (5, 1)


def test_a_row_that_cannot_be_read_may_be_any_and_all_are_kept_and_counted(desk: Desk) -> None:
    desk.write_rows("a.jsonl", {str(n): "text" for n in range(9)})
    desk.ingest("a.jsonl")
    (desk.folder / "a.jsonl").write_text('{"id": "1", "text": "text"}\n{"id": ')
    counts = desk.ingest("a.jsonl", allow=True)
    assert (counts["deleted"], counts["held"]) == (0, 8)
