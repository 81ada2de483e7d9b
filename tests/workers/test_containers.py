"""What lies in archives and mailboxes goes through every stage as files do, and keeps its own address."""

import hashlib
import io
from pathlib import Path

import pytest

from embedmill.console.services.measuring import measure_job
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared.db.schema import document
from embedmill.shared.states import State
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.containers.making import mailbox, taped, zipped
from tests.shared.db.tracker import Tracker
from tests.workers.working import embed_by_hash, submit_sources, work_off

TEXTS = {
    "a.zip!/b%20c.txt": b"A walrus sleeps on the ice.",
    "a.zip!/in.tgz!/d.txt": b"An ibis stands in the water.",
    "box.mbox!/1@x.eml": b"Message-ID: <1@x>\nSubject: s\n\nA toucan.\n\n",
}


@pytest.fixture
def job(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> int:
    folder = tmp_path / "docs"
    folder.mkdir()
    tape = taped({"d.txt": TEXTS["a.zip!/in.tgz!/d.txt"]}, mode="w:gz")
    (folder / "a.zip").write_bytes(zipped({"b c.txt": TEXTS["a.zip!/b%20c.txt"], "in.tgz": tape}))
    (folder / "box.mbox").write_bytes(mailbox("Message-ID: <1@x>\nSubject: s\n\nA toucan."))
    embed_by_hash(runtime, tracker)
    return submit_sources(runtime, tracker, open_sources([str(folder)], options=SourceOptions(), stdin=io.BytesIO()))


def test_each_is_a_document(runtime: WorkerRuntime, tracker: Tracker, job: int, tmp_path: Path) -> None:
    work_off(runtime, tracker)
    assert tracker.states() == [State.COMPLETED] * 3
    found = {
        row["uri"].removeprefix(f"{(tmp_path / 'docs').as_uri()}/"): row["content_hash"]
        for row in tracker.rows(document)
    }
    assert found == {uri: hashlib.sha256(data).hexdigest() for uri, data in TEXTS.items()}


def test_what_left_its_archive_before_a_worker_came_is_its_own_failure(
    runtime: WorkerRuntime, tracker: Tracker, job: int, tmp_path: Path
) -> None:
    (tmp_path / "docs" / "a.zip").write_bytes(zipped({"b c.txt": "A walrus."}))
    work_off(runtime, tracker)
    assert sorted(tracker.states()) == [State.COMPLETED, State.COMPLETED, State.DEAD]


def test_they_are_measured_before_anything_is_paid(runtime: WorkerRuntime, tracker: Tracker, job: int) -> None:
    measured = measure_job(runtime, job, runtime.collection_settings(1), runtime.collection(1))
    assert (measured.totals.documents, measured.totals.unreadable) == (3, 0)
