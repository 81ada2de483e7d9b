"""Reports of jobs: a list costs the same few statements a job, whatever was passed over in it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from embedmill.console.services import ingesting as running
from embedmill.console.services.ingesting import (
    WAITS_FOR,
    describe_job,
    explain_job,
    list_summaries,
    require_prices,
    warn_of_spellings,
)
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.submission import ensure_collection
from embedmill.shared.db import presence, scan_notes
from embedmill.shared.db.scans import ensure_source
from embedmill.shared.db.waits import SCALED
from embedmill.shared.errors import UnknownPrice
from embedmill.shared.outcomes import Park
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.spend.prices import Prices
from embedmill.shared.states import WaitReason
from tests.shared.db.tracker import Tracker


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Presence(settings.home_path / "run") as presence_:
        opened = Runtime(settings, process_id=presence_.id)
        yield opened
        opened.close()


def test_a_list_of_jobs_asks_nothing_about_what_each_passed_over(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    ids = [tracker.create_job(f"job {n}") for n in range(30)]
    note = {"kind": "skipped", "uri": "file:///fifo", "line": None, "reason": "a FIFO"}
    with runtime.database.write() as connection:
        scan_notes.note_scan(connection, ids[0], [note] * 500)
    before = runtime.database.statements
    rows = list_summaries(runtime, limit=1000)
    assert runtime.database.statements - before <= 7, "however many there are"
    assert [row["job"] for row in rows] == [*reversed(ids), tracker.job]
    assert not any("notes" in row for row in rows)
    assert len(describe_job(runtime, ids[0])["notes"]) == 500


def test_a_queue_that_a_live_worker_serves_has_a_consumer(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    tracker.submit(["file:///a"])
    assert [row["queue"] for row in explain_job(runtime, tracker.job)["queues_without_consumer"]] == ["chunk"]
    with runtime.database.write() as connection:
        presence.register_worker(connection, runtime.process_id, host="here", pid=1, queues=["chunk"])
    assert explain_job(runtime, tracker.job)["queues_without_consumer"] == []


def test_a_worker_that_is_gone_serves_nothing(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    tracker.submit(["file:///a"])
    with Presence(runtime.run_folder) as dead, runtime.database.write() as connection:
        presence.register_worker(connection, dead.id, host="here", pid=1, queues=["chunk"])
    assert [row["queue"] for row in explain_job(runtime, tracker.job)["queues_without_consumer"]] == ["chunk"]


def test_the_pace_of_a_job_gives_the_time_that_is_left(runtime: Runtime) -> None:
    tracker = Tracker(runtime.database)
    with runtime.database.write() as connection:
        presence.register_worker(connection, runtime.process_id, host="here", pid=1, queues=["chunk"])
    tracker.index(tracker.take(["file:///a", "file:///b"]))
    tracker.submit([f"file:///{n}" for n in range(10)])
    report = explain_job(runtime, tracker.job)
    assert report["rate"] > 0
    assert report["seconds_left"] == pytest.approx(10 / report["rate"], rel=0.05)


def test_whoever_waits_for_long_is_told_why_once(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "NOTICE_SECONDS", 0.0)
    tracker = Tracker(runtime.database)
    claim = tracker.take(["file:///a", "file:///b"])
    parks = (
        Park("budget", 300.0, told="openai answered 402: no credit is left"),
        Park("key", 60.0, told="anthropic answered 401: it does not accept the key; check ANTHROPIC_API_KEY"),
    )
    tracker.settle(claim, {item.id: park for item, park in zip(claim.items, parks, strict=True)})
    notice = running.Notice()
    for _ in range(3):
        runtime.database.query(lambda connection: notice.give_if_due(connection, tracker.job))
    told = capsys.readouterr().err
    assert told.count("waits for money: openai answered 402: no credit is left;") == 1
    assert told.count("waits for a key: anthropic answered 401") == 1


def test_a_source_that_is_known_by_another_spelling_is_named(
    runtime: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "link").symlink_to("docs")
    former = FolderSource(bytes(tmp_path / "link"))
    collection = ensure_collection(runtime, "default")
    with runtime.database.write() as connection:
        ensure_source(connection, collection_id=collection.id, identity=former.identity, spec=former.spec)
    warn_of_spellings(runtime, collection, [FolderSource(bytes(tmp_path / "docs"))])
    assert f"embedmill sources remove {(tmp_path / 'link').as_uri()}" in capsys.readouterr().err
    warn_of_spellings(runtime, collection, [former])
    assert not capsys.readouterr().err


def test_every_reason_to_wait_is_explained_to_people() -> None:
    assert {*WaitReason, "queue", "lease", "scanning", SCALED} == set(WAITS_FOR)


def required(settings: Settings, prices: Prices, **changed: str) -> None:
    """Ask for the prices of a job under some settings."""
    with closing(Runtime(settings.model_copy(update=changed), process_id="test")) as runtime:
        vars(runtime.spender)["prices"] = prices
        require_prices(runtime, Tracker(runtime.database).collection)


def test_a_job_whose_store_would_bill_without_a_price_is_refused(settings: Settings) -> None:
    with pytest.raises(UnknownPrice, match="pinecone/serverless"):
        required(settings, Prices([]), vector_url="pinecone://mill")


@pytest.mark.parametrize(
    ("prices", "store"),
    [
        (Prices([]), "embedded://"),
        (Prices([], allow_unpriced=True), "pinecone://mill"),
        (Prices.load(), "pinecone://mill"),
    ],
)
def test_a_job_whose_store_is_free_or_priced_or_may_be_unpriced_is_not(
    settings: Settings, prices: Prices, store: str
) -> None:
    required(settings, prices, vector_url=store)
