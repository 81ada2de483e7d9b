"""Retention: what is older than its collection keeps it is erased, and comes back only when it has changed."""

from pathlib import Path

import pytest
from sqlalchemy import update

from embedmill.console.services.collections import show_collection
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.shared.db import erasures
from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.schema import document, job, query_record, scan_note, work
from embedmill.workers.chores import retainer
from embedmill.workers.chores.eraser import Eraser
from embedmill.workers.erasing.eraser import take_up
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.test_query_records import record, store
from tests.shared.db.tracker import Tracker
from tests.workers.working import embed_by_hash, submit_sources, work_off

DAY_SECONDS = 86_400.0
DAYS = 90


def ingest(runtime: WorkerRuntime, tracker: Tracker, folder: Path, **texts: str) -> None:
    path = folder / "rows.jsonl"
    path.write_text("".join(f'{{"id": "{id}", "text": "{text}"}}\n' for id, text in texts.items()))
    submit_sources(runtime, tracker, [JsonlSource(bytes(path))])
    work_off(runtime, tracker)
    tracker.complete_jobs()


@pytest.fixture
def kept(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> Tracker:
    """Two documents in a collection that keeps them for 90 days; a record of a query."""
    embed_by_hash(runtime, tracker)
    ingest(runtime, tracker, tmp_path, plum="Plums are blue.", pear="Pears are green.")
    store(runtime.database, record("asked"))
    settings = {**tracker.collection.settings, "retain_days": DAYS}
    runtime.database.transact(update_settings, tracker.collection.id, settings)
    return tracker


def retain(runtime: WorkerRuntime) -> int:
    begun = retainer.retain(runtime)
    assert take_up(runtime) == bool(begun)
    return begun


def age(tracker: Tracker, uri: str, days: float) -> None:
    """As if a document had come so long ago."""
    seconds = DAY_SECONDS * days
    with tracker.database.write() as connection:
        one = connection.execute(document.select().where(document.c.uri == uri)).one()
        connection.execute(
            update(document).where(document.c.id == one.id).values(updated_at=document.c.updated_at - seconds)
        )
        mine = work.c.document_id == one.id
        moved = {"created_at": work.c.created_at - seconds, "finished_at": work.c.finished_at - seconds}
        connection.execute(update(work).where(mine).values(**moved))


def uris(tracker: Tracker) -> set[str]:
    return {row["uri"] for row in tracker.rows(document)}


def test_a_document_goes_when_its_time_has_come_and_no_earlier(runtime: WorkerRuntime, kept: Tracker) -> None:
    age(kept, "plum", DAYS - 1)
    assert retain(runtime) == 0
    age(kept, "plum", 2)
    assert retain(runtime) == 1
    assert uris(kept) == {"pear"}
    assert retain(runtime) == 0
    (done,) = runtime.database.query(erasures.list_erasures, limit=2)
    assert (done.cause, done.state, done.documents) == ("retention", "done", 1)


def test_the_same_content_stays_out_and_another_comes_in(runtime: WorkerRuntime, kept: Tracker, tmp_path: Path) -> None:
    age(kept, "plum", DAYS + 1)
    retain(runtime)
    ingest(runtime, kept, tmp_path, plum="Plums are blue.", pear="Pears are green.", copy="Plums are blue.")
    assert uris(kept) == {"pear", "copy"}, "what has another name has a time of its own"
    assert any("its time was up" in row["reason"] for row in kept.rows(scan_note))
    ingest(runtime, kept, tmp_path, plum="Plums are yellow.", pear="Pears are green.", copy="Plums are blue.")
    assert uris(kept) == {"plum", "pear", "copy"}


def test_records_of_queries_and_notes_of_jobs_go_too(runtime: WorkerRuntime, kept: Tracker) -> None:
    with kept.database.write() as connection:
        connection.execute(scan_note.insert().values(job_id=kept.job, kind="note", uri="plum", reason="twice"))
    assert retain(runtime) == 0
    assert kept.rows(query_record)
    with kept.database.write() as connection:
        old = DAY_SECONDS * (DAYS + 1)
        connection.execute(update(query_record).values(created_at=query_record.c.created_at - old))
        connection.execute(update(job).where(job.c.id == kept.job).values(finished_at=job.c.finished_at - old))
    retain(runtime)
    assert (kept.rows(query_record), kept.rows(scan_note)) == ([], [])


def test_a_collection_says_what_is_due_and_what_went(runtime: WorkerRuntime, kept: Tracker) -> None:
    age(kept, "plum", DAYS + 1)
    due = show_collection(runtime, "default").retention
    assert due is not None
    assert (due.days, due.due, due.erased, due.last) == (DAYS, 1, 0, None)
    retain(runtime)
    gone = show_collection(runtime, "default").retention
    assert gone is not None
    assert (gone.due, gone.erased) == (0, 1)
    assert gone.last is not None


def test_the_chore_erases_what_is_due_and_takes_up_what_was_cut_off(runtime: WorkerRuntime, kept: Tracker) -> None:
    age(kept, "plum", DAYS + 1)
    retainer.retain(runtime)
    age(kept, "pear", DAYS + 1)
    eraser = Eraser(runtime)
    assert eraser.has_work()
    eraser.work()
    assert uris(kept) == set()
    assert not eraser.has_work()
