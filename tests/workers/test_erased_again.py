"""What was erased and is still in a source: it is passed over with a note, and none of its text is stored."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from embedmill.producers import erased
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.producers.sources.named import FileSource
from embedmill.shared.addresses import document_id
from embedmill.shared.db import submitting, tombstones
from embedmill.shared.db.schema import document, scan_note, work
from embedmill.shared.db.tombstones import Barred, NamedDocument
from embedmill.shared.erasing import MarkKind
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.workers.working import embed_by_hash, submit_sources, work_off


def rows(tmp_path: Path) -> JsonlSource:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"id": "row-{n}", "text": "plum {n}"}}\n' for n in range(3)))
    return JsonlSource(bytes(path))


def bury(runtime: WorkerRuntime, name: str) -> str:
    mark = runtime.marker.of_document(document_id("default", name))
    runtime.database.transact(tombstones.set_tombstones, "e1", {mark: MarkKind.DOCUMENT})
    return mark


def stored_text(runtime: WorkerRuntime) -> bytes:
    return b"".join(runtime.blobs.get(object_) for object_, _ in runtime.blobs.list_objects())


def test_it_is_passed_over_with_a_note_that_does_not_name_it(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path
) -> None:
    mark = bury(runtime, "row-1")
    submit_sources(runtime, tracker, [rows(tmp_path)])
    assert {row["uri"] for row in tracker.rows(document)} == {"row-0", "row-2"}
    (note,) = (row for row in tracker.rows(scan_note) if row["kind"] == "skipped")
    assert note["uri"] == f"erased:{mark[:16]}"
    assert "erasures lift" in note["reason"]
    assert b"plum 1" not in stored_text(runtime)


def test_one_that_is_erased_while_it_is_submitted_leaves_no_text(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Callable[..., object] = erased.find_items

    def find_and_bury(*given: object) -> object:
        found = find(*given)
        bury(runtime, "row-1")
        return found

    monkeypatch.setattr(erased, "find_items", find_and_bury)
    submit_sources(runtime, tracker, [rows(tmp_path)])
    assert {row["uri"] for row in tracker.rows(document)} == {"row-0", "row-2"}
    kept = {row["origin"]["ref"] for row in tracker.rows(work)}
    found = runtime.blobs.get_pack(sorted(kept))
    whole = {runtime.blobs.get(reference.partition(":")[0]) for reference in found}
    assert not any(b"plum 1" in data for data in whole)


def test_who_submits_what_was_erased_is_told(tracker: Tracker) -> None:
    with tracker.database.write() as connection, pytest.raises(submitting.WereErased):
        submitting.submit_batch(
            connection,
            [],
            job_id=tracker.job,
            collection_id=tracker.collection.id,
            max_attempts=3,
            find_erased=lambda _connection, _submissions: {"a": Barred("a", MarkKind.DOCUMENT, 0.0)},
        )


def test_a_file_that_changes_into_what_was_erased_is_found_out_when_it_is_read(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path
) -> None:
    embed_by_hash(runtime, tracker)
    path = tmp_path / "harmless.txt"
    path.write_text("Harmless.")
    submit_sources(runtime, tracker, [FileSource(bytes(path))])
    path.write_text("What was erased.")
    gone = NamedDocument("a" * 32, "default", hashlib.sha256(path.read_bytes()).hexdigest())
    mark = runtime.marker.marks(gone)[MarkKind.CONTENT]
    runtime.database.transact(tombstones.set_tombstones, "e1", {mark: MarkKind.CONTENT})
    work_off(runtime, tracker)
    (row,) = tracker.rows(work)
    assert (row["result"], row["chunks_ref"]) == ("skipped", None)
    assert "its content was erased" in row["reason"]
