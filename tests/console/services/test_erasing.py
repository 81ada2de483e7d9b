"""Erasing as a service: who is meant, what is said beforehand, receipts that hold, and tombstones that are lifted."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from embedmill.console.services.deleting import preview_deletion
from embedmill.console.services.documents import DocumentQuery
from embedmill.console.services.erasing import (
    erase_documents,
    lift_tombstones,
    list_erasures,
    preview_erasure,
    show_receipt,
)
from embedmill.console.services.receipts import verify_receipt
from embedmill.console.services.subjects import Subject
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.query_records import store_records
from embedmill.shared.db.schema import document, query_record
from embedmill.shared.errors import KeyUnavailable, NotFound, UsageError
from embedmill.shared.privacy.roots import open_root
from embedmill.shared.settings import Settings
from embedmill.workers.erasing import eraser
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.shared.db.test_query_records import record
from tests.shared.db.tracker import Tracker
from tests.workers.erasing.conftest import opened
from tests.workers.working import embed_by_hash, submit_sources, work_off

TEXTS = {
    "letter": "Dear Ms Quill, your number is +44 20 7946 0958, is it not?",
    "reply": "Write to quill@example.org, please.",
    "copy": "Write to quill@example.org, please.",
    "mill": "The mill grinds corn.",
}


@pytest.fixture
def runtime(settings: Settings) -> Iterator[WorkerRuntime]:
    place_migrated(settings.home_path / "tracking.db")
    with opened(settings) as runtime:
        yield runtime


@pytest.fixture
def tracker(runtime: WorkerRuntime) -> Tracker:
    tracker = Tracker(runtime.database)
    embed_by_hash(runtime, tracker)
    return tracker


def ingest(runtime: WorkerRuntime, tracker: Tracker, folder: Path) -> None:
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps({"id": id, "text": text}) + b"\n" for id, text in TEXTS.items()))
    submit_sources(runtime, tracker, [JsonlSource(bytes(path))])
    work_off(runtime, tracker)
    tracker.complete_jobs()


@pytest.fixture
def taken(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> Tracker:
    ingest(runtime, tracker, tmp_path)
    return tracker


def uris(tracker: Tracker) -> set[str]:
    return {row["uri"] for row in tracker.rows(document)}


def test_documents_are_meant_by_name_or_by_a_condition_or_by_a_person(runtime: WorkerRuntime, taken: Tracker) -> None:
    with pytest.raises(UsageError, match="one of them"):
        erase_documents(runtime)
    with pytest.raises(UsageError, match="one of them"):
        erase_documents(runtime, ["mill"], subject="quill@example.org")
    with pytest.raises(NotFound):
        erase_documents(runtime, ["none"])
    assert preview_erasure(runtime, query=DocumentQuery(uri="*l*")).would_erase == 3
    assert uris(taken) == TEXTS.keys()


def test_who_asks_beforehand_is_told_of_copies_that_stay(runtime: WorkerRuntime, taken: Tracker) -> None:
    found = preview_erasure(runtime, ["reply"])
    assert (found.would_erase, found.examples, found.same_content) == (1, ["reply"], 1)
    erase_documents(runtime, ["reply"])
    assert uris(taken) == TEXTS.keys() - {"reply"}


def test_a_document_is_erased_by_another_spelling_of_its_name(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path
) -> None:
    path, typed, uri = tmp_path / "pages.jsonl", "HTTP://X.example/b/../%61", "https://x.example/a"
    path.write_bytes(orjson.dumps({"id": 1, "uri": uri, "text": "corn"}))
    submit_sources(runtime, tracker, [JsonlSource(bytes(path))])
    work_off(runtime, tracker)
    tracker.complete_jobs()
    assert uris(tracker) == {uri}
    assert preview_erasure(runtime, [typed]).spelled == preview_deletion(runtime, [typed]).spelled == {typed: uri}
    assert preview_erasure(runtime, [uri]).spelled == {}
    done = erase_documents(runtime, [typed])
    assert (done.erased, done.spelled, uris(tracker)) == (1, {typed: uri}, set())


def test_a_person_is_found_however_the_value_is_written(runtime: WorkerRuntime, taken: Tracker) -> None:
    done = erase_documents(runtime, subject="+44 (20) 79460958")
    assert (done.erased, uris(taken)) == (1, TEXTS.keys() - {"letter"})
    assert erase_documents(runtime, subject="QUILL@Example.org").erased == 2
    assert uris(taken) == {"mill"}
    assert erase_documents(runtime, subject="quill@example.org").receipt is None


def test_a_person_whom_redaction_hid_is_found_by_a_hash(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path
) -> None:
    settings = {**tracker.collection.settings, "redact": "patterns"}
    runtime.database.transact(update_settings, tracker.collection.id, settings)
    runtime.forget_collections()
    ingest(runtime, tracker, tmp_path)
    kept = [runtime.blobs.get(name) for name, _ in runtime.blobs.list_objects()]
    assert not any(b"quill@example.org" in data for data in kept)
    assert erase_documents(runtime, subject="quill@example.org").erased == 2
    assert uris(tracker) == {"letter", "mill"}


def test_queries_that_name_the_person_are_forgotten(runtime: WorkerRuntime, taken: Tracker) -> None:
    settings = {**taken.collection.settings, "keep_queries": True}
    runtime.database.transact(update_settings, taken.collection.id, settings)
    asked = [record("a", "who is quill@example.org"), record("b", "what grinds corn")]
    runtime.database.transact(store_records, asked, key=bytes(32), monotonic=0.0)
    erase_documents(runtime, subject="quill@example.org")
    assert {row["id"]: row["text"] for row in taken.rows(query_record)} == {"a": None, "b": "what grinds corn"}


def test_what_tells_nobody_is_no_person() -> None:
    with pytest.raises(UsageError, match="tells no person"):
        Subject("an")
    assert not Subject("+44 20 7946 0958").is_in("44 2 0794, 60958")


def test_a_receipt_holds_until_its_document_is_here_again(
    runtime: WorkerRuntime, taken: Tracker, tmp_path: Path
) -> None:
    done = erase_documents(runtime, ["mill"])
    assert done.receipt is not None
    found = verify_receipt(runtime, str(done.receipt))
    assert (found.ok, found.documents, found.lifted) == (True, 1, 0)
    ingest(runtime, taken, tmp_path)
    assert verify_receipt(runtime, done.erasures[0]).ok
    assert lift_tombstones(runtime, ["mill"]).lifted == 1
    assert verify_receipt(runtime, done.erasures[0]).lifted == 1
    assert lift_tombstones(runtime, done.erasures).lifted == 1, "its content had a tombstone, too"
    ingest(runtime, taken, tmp_path)
    again = verify_receipt(runtime, done.erasures[0])
    assert not again.ok
    assert {found.place for found in again.found} == {"documents", "store default/v1-000"}
    with pytest.raises(NotFound, match="nothing that was erased"):
        lift_tombstones(runtime, ["mill"])


def test_a_receipt_that_was_changed_is_none(runtime: WorkerRuntime, taken: Tracker, tmp_path: Path) -> None:
    del taken
    done = erase_documents(runtime, ["mill"])
    receipt = dict(show_receipt(runtime, done.erasures[0]))
    forged = tmp_path / "forged.json"
    forged.write_bytes(orjson.dumps({**receipt, "documents": []}))
    assert [found.place for found in verify_receipt(runtime, str(forged)).found] == ["receipt"]
    forged.write_bytes(b"[]")
    with pytest.raises(UsageError, match="no receipt"):
        verify_receipt(runtime, str(forged))
    with pytest.raises(NotFound):
        verify_receipt(runtime, "none")


def test_an_erasure_that_was_cut_off_is_taken_up_by_asking_for_the_same(
    runtime: WorkerRuntime, taken: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr(eraser, "_conclude", stop)
        with pytest.raises(KeyboardInterrupt):
            erase_documents(runtime, ["mill"])
    assert "mill" not in uris(taken), "nothing knows it any more"
    (open_,) = list_erasures(runtime).erasures
    assert (open_.state, open_.step, open_.receipt) == ("open", "receipt", None)
    done = erase_documents(runtime, ["mill"])
    assert (done.erased, done.erasures) == (1, [open_.id])


def test_nothing_is_begun_without_the_key_of_what_is_to_be_erased(
    runtime: WorkerRuntime, taken: Tracker, settings: Settings, tmp_path: Path
) -> None:
    runtime.keys.derive("audit")  # the secret lies under the installation's own root, the data key under another
    (tmp_path / "right").write_bytes(b"\x01" * 32)
    (tmp_path / "wrong").write_bytes(b"\x02" * 32)
    root = open_root(f"file://{tmp_path / 'right'}")
    runtime.database.transact(runtime.keys.create_data_key, taken.collection.id, root)
    runtime.database.transact(update_settings, 1, {**taken.collection.settings, "encrypt": True})
    with opened(settings.model_copy(update={"key": f"file://{tmp_path / 'wrong'}"})) as other:
        with pytest.raises(KeyUnavailable):
            erase_documents(other, ["mill"])
        assert not list_erasures(other).erasures
        assert preview_erasure(other, ["mill"]).would_erase == 1
