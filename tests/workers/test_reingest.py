"""What a second reading of a folder costs the database, from its submission to its report."""

import io
import time
from pathlib import Path

import pytest

from embedmill.console.services.jobs import describe_job
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import SourceOptions
from embedmill.producers.submission import Submitter, ensure_collection
from embedmill.shared.db import jobs
from embedmill.shared.db.agenda import read_agenda
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.runtime import WorkerRuntime
from tests.workers.working import work_through

MOST_STATEMENTS = 59


def write(folder: Path, numbers: range, text: str) -> None:
    for n in numbers:
        (folder / f"{n}.txt").write_text(f"{text} {n} about mills that grind corn.\n")


def ingest(runtime: WorkerRuntime, folder: Path) -> tuple[int, int]:
    """(completed documents, statements) of one ingest with everything that it takes to the end."""
    before = runtime.database.statements
    sources = open_sources([str(folder)], options=SourceOptions(), stdin=io.BytesIO())
    collection = ensure_collection(runtime, "default")
    submitter = Submitter(runtime)
    submitted = submitter.open(sources, collection, options={})
    submitter.enumerate(submitted, sources, collection, allow_deletes=False)
    assert runtime.database.query(read_agenda).ready
    work_through(runtime, dispatch(runtime.database, runtime.settings))
    runtime.database.transact(jobs.complete_jobs)
    report = describe_job(runtime, submitted.job_id)
    assert report.state == "completed"
    return report.documents.completed, runtime.database.statements - before


def test_three_changed_files_cost_the_same_few_statements_however_many_did_not_change(
    runtime: WorkerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is, nothing is renewed or looked at again in between.
    runtime.settings = runtime.settings.model_copy(update={"lease_seconds": 3600.0})
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    counts = []
    for name, files in (("few", 10), ("many", 60)):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, range(files), f"{name} document")
        assert ingest(runtime, folder)[0] == files
        write(folder, range(3), f"{name} changed document")
        completed, statements = ingest(runtime, folder)
        assert completed == 3
        counts.append(statements)
    assert counts[0] == counts[1] <= MOST_STATEMENTS


def test_documents_of_a_release_that_cut_otherwise_are_cut_anew_by_the_next_reading(
    runtime: WorkerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, range(3), "document")
    monkeypatch.setattr("embedmill.shared.collections.PIPELINE_VERSION", "1")
    assert ingest(runtime, tmp_path)[0] == 3
    monkeypatch.undo()
    assert ingest(runtime, tmp_path)[0] == 3
