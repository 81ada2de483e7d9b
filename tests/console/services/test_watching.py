"""Sources that are read again by themselves: when, by whom, and what is kept of it."""

import io
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embedmill.console.cli.sources import _print_sources
from embedmill.console.cli.watching import RunPrinter
from embedmill.console.services import doctor
from embedmill.console.services.jobs import describe_job
from embedmill.console.services.sources import close_source, list_sources, reschedule_source, show_source
from embedmill.console.services.submitting import JobOptions
from embedmill.console.services.watcher import Watcher
from embedmill.console.services.watching import ScheduleReport, WatchedRun, schedule_sources
from embedmill.producers.sources.base import Source
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.listing import ListSource
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import gather_options
from embedmill.shared.db import presence, schedules
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import chore, job, schedule
from embedmill.shared.errors import SourceError
from embedmill.shared.runtime import Runtime
from embedmill.shared.timetable import Timetable
from tests.shared.db.tracker import Tracker

HOURLY = Timetable(every_seconds=3600.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "docs"
    path.mkdir()
    (path / "a.txt").write_text("the mill grinds corn")
    return path


def source_of(folder: Path) -> FolderSource:
    return FolderSource(bytes(folder))


def watch(runtime: Runtime, source: Source, timetable: Timetable = HOURLY, **options: Any) -> int:
    (watched,) = schedule_sources(runtime, [source], collection="default", timetable=timetable, **options)
    return watched.source


def kept(runtime: Runtime, source: int) -> ScheduleReport:
    found = show_source(runtime, str(source)).schedule
    assert found is not None
    return found


def test_lists_of_sources_say_which_are_read_by_themselves(
    runtime: Runtime, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = watch(runtime, source_of(folder))
    found = list_sources(runtime)
    assert [each.schedule for each in found.sources] == [kept(runtime, source)]
    _print_sources(found, limit=100)
    head, row = capsys.readouterr().out.splitlines()[:2]
    assert "schedule" in head and kept(runtime, source).timetable in row


def test_why_documents_are_kept_is_said_when_their_number_changes(
    runtime: Runtime, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = watch(runtime, source_of(folder))
    read_due(runtime)
    report, printer = kept(runtime, source), RunPrinter()
    assert report.job is not None
    done = describe_job(runtime, report.job)
    warned = []
    for held in (0, 2, 2, 1, 0, 1):
        printer.print(WatchedRun(source, "docs", "default", report, replace(done, held_deletions=held)))
        out, err = capsys.readouterr()
        assert (f"{held} kept that were not met" in out) == bool(held)
        warned.append("--allow-deletes" in err)
    assert warned == [False, True, False, True, False, True]


def read_due(runtime: Runtime) -> None:
    """What a watcher does at one look, to its end."""
    watcher = Watcher(runtime)
    watcher.look()
    for thread in watcher._running.values():
        thread.join()


def make_due(runtime: Runtime) -> None:
    with runtime.database.write() as connection:
        connection.execute(schedule.update().values(due_at=clock() - 100_000))


def jobs_of(tracker: Tracker) -> int:
    return len([row for row in tracker.rows(job) if row["identity"] != "job"])


def test_a_source_is_read_when_its_time_has_come_and_missed_times_are_one(
    runtime: Runtime, tracker: Tracker, folder: Path
) -> None:
    source = watch(runtime, source_of(folder))
    read_due(runtime)
    first = kept(runtime, source)
    assert (first.failures, first.error, first.running) == (0, None, False)
    assert first.job is not None
    assert first.ended is not None
    assert 3600 <= (first.next - (first.began or first.next)).total_seconds() <= 3660
    read_due(runtime)
    assert jobs_of(tracker) == 1
    make_due(runtime)
    read_due(runtime)
    read_due(runtime)
    # The first job waits for workers still, and is the one that is taken up.
    assert kept(runtime, source).job == first.job
    assert kept(runtime, source).next > first.next


def test_a_source_that_another_process_reads_is_left_to_it_until_that_is_gone(
    runtime: Runtime, tracker: Tracker, folder: Path
) -> None:
    source = watch(runtime, source_of(folder))
    with runtime.database.write() as connection:
        assert presence.take_chore(connection, f"watch-{source}", holder="other-process", seconds=60.0)
    read_due(runtime)
    assert jobs_of(tracker) == 0
    assert kept(runtime, source).running
    with runtime.database.write() as connection:
        presence.take_chore(connection, f"watch-{source}", holder="other-process", seconds=-1.0)
    read_due(runtime)
    assert jobs_of(tracker) == 1
    assert not kept(runtime, source).running


def test_a_run_that_was_taken_over_says_nothing(runtime: Runtime, folder: Path) -> None:
    source = watch(runtime, source_of(folder))
    mine, other = (schedules.Claimant(name, 60.0, lambda _: None) for name in ("one", "two"))
    with runtime.database.write() as connection:
        assert schedules.begin_run(connection, source, mine)
        assert schedules.begin_run(connection, source, other) is None
        connection.execute(chore.update().values(lease_until=clock() - 1))
        assert schedules.begin_run(connection, source, other)
        schedules.end_run(connection, source, mine, due_at=0.0, job_id=None, error="late")
    assert kept(runtime, source).error is None
    assert kept(runtime, source).running


def test_a_source_that_cannot_be_read_rests_longer_and_the_doctor_says_so_from_the_third_time(
    runtime: Runtime, folder: Path
) -> None:
    source = watch(runtime, source_of(folder))
    folder.rename(folder.with_name("away"))

    def checked() -> doctor.Check:
        return doctor._check("sources", lambda: doctor._PROBES["sources"](runtime))

    for count in (1, 2, 3):
        assert checked().ok
        make_due(runtime)
        read_due(runtime)
        found = kept(runtime, source)
        assert found.failures == count
        assert "not there" in (found.error or "")
        assert (found.next - (found.began or found.next)).total_seconds() >= 3600 * 2 ** (count - 1)
    assert not checked().ok
    assert "3 times" in checked().detail
    folder.with_name("away").rename(folder)
    make_due(runtime)
    read_due(runtime)
    assert (kept(runtime, source).failures, kept(runtime, source).failing_since) == (0, None)
    assert checked().ok


def test_what_a_source_raises_that_nobody_thought_of_is_a_failure_without_its_words(
    runtime: Runtime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(*_: object) -> None:
        raise ValueError("password=hunter2")

    source = watch(runtime, source_of(folder))
    monkeypatch.setattr(FolderSource, "read", raises)
    read_due(runtime)
    assert kept(runtime, source).error == "ValueError"


def test_a_process_that_ends_stops_its_readings_and_leaves_them_to_the_next(
    runtime: Runtime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    read = FolderSource.read

    def slowly(self: FolderSource, context: Any) -> Any:
        begun.set()
        go_on.wait(30)
        return read(self, context)

    source = watch(runtime, source_of(folder))
    monkeypatch.setattr(FolderSource, "read", slowly)
    monkeypatch.setattr("embedmill.console.services.watcher.LOOK_SECONDS", 0.01)
    with Watcher(runtime) as watcher:
        assert begun.wait(30)
        assert kept(runtime, source).running
        watcher._ended.set()
        go_on.set()
    found = kept(runtime, source)
    assert (found.running, found.ended, found.failures) == (False, None, 0)
    monkeypatch.setattr(FolderSource, "read", read)
    read_due(runtime)
    assert kept(runtime, source).ended is not None


def test_of_readings_that_found_nothing_new_one_job_is_kept(runtime: Runtime, tracker: Tracker, folder: Path) -> None:
    (folder / "a.txt").unlink()
    (folder / "empty").mkdir()
    source = watch(runtime, source_of(folder), options=JobOptions(allow_deletes=True))
    seen = []
    for _ in range(4):
        make_due(runtime)
        read_due(runtime)
        seen.append(kept(runtime, source).job)
    with runtime.database.read() as connection:
        assert {row.id for row in connection.execute(job.select()) if row.identity != "job"} <= set(seen[-2:])
    assert len(set(seen)) == 4


def test_a_timetable_that_is_changed_while_its_source_is_read_counts(
    runtime: Runtime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FolderSource.read

    def meanwhile(self: FolderSource, context: Any) -> Any:
        reschedule_source(runtime, str(source), Timetable(every_seconds=10 * 86400.0))
        return read(self, context)

    source = watch(runtime, source_of(folder))
    monkeypatch.setattr(FolderSource, "read", meanwhile)
    read_due(runtime)
    found = kept(runtime, source)
    assert (found.next - (found.ended or found.next)).days >= 9


def test_a_paused_job_is_no_failure(runtime: Runtime, tracker: Tracker, folder: Path) -> None:
    source = watch(runtime, source_of(folder))
    read_due(runtime)
    tracker.control("pause_job", kept(runtime, source).job)
    make_due(runtime)
    read_due(runtime)
    assert kept(runtime, source).failures == 0


def test_a_schedule_is_changed_and_ends_with_itself_or_its_source(runtime: Runtime, folder: Path) -> None:
    source = watch(runtime, source_of(folder), begins_now=False)
    read_due(runtime)
    assert kept(runtime, source).began is None
    nightly = reschedule_source(runtime, str(source), Timetable(cron="0 2 * * *", zone="Europe/Berlin"))
    assert nightly.schedule is not None
    assert nightly.schedule.timetable == "0 2 * * * (Europe/Berlin)"
    assert reschedule_source(runtime, str(source), None).schedule is None
    watch(runtime, source_of(folder))
    close_source(runtime, str(source))
    assert show_source(runtime, str(source)).schedule is None
    make_due(runtime)
    read_due(runtime)
    assert show_source(runtime, str(source)).state == "closed"


def test_what_comes_only_once_is_not_watched(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a\n")
    with (tmp_path / "list").open("rb") as stream:
        source = ListSource.of_stream(stream, base=bytes(tmp_path), null_separated=False)
    with pytest.raises(SourceError, match="cannot be read again"):
        watch(runtime, source)


@pytest.mark.parametrize("spelled", ["HTTP://me:planted@WIKI.corp:80", "http://me:pl%61nted@wiki.corp/#top"])
def test_a_site_with_a_password_in_another_spelling_is_the_one_that_is_watched(runtime: Runtime, spelled: str) -> None:
    crawl = gather_options({"crawl": True})
    (known,) = open_sources(["http://wiki.corp/"], options=crawl, stdin=io.BytesIO())
    watched = watch(runtime, known)
    (given,) = open_sources([spelled], options=crawl, stdin=io.BytesIO())
    assert given.holds_secret
    with pytest.raises(SourceError, match="nobody could read it again") as refused:
        watch(runtime, given)
    assert "planted" not in f"{refused.value} {given.spec} {given.identity}"
    assert watch(runtime, given, stays=True) == watched
    assert "planted" not in str(show_source(runtime, str(watched)))


def test_what_was_opened_with_a_password_is_read_by_whoever_stays_and_by_nobody_else(
    runtime: Runtime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderSource, "holds_secret", True)
    read: list[Source] = []

    def note(self: FolderSource, _: Any) -> Any:
        read.append(self)
        return iter(())

    monkeypatch.setattr(FolderSource, "read", note)
    given = source_of(folder)
    with pytest.raises(SourceError, match="nobody could read it again"):
        watch(runtime, given)
    watch(runtime, given, stays=True)
    watcher = Watcher(runtime, [given])
    watcher.look()
    for thread in watcher._running.values():
        thread.join()
    assert read[0] is given


@pytest.mark.parametrize(
    ("url", "told"), [("https://me:pw@host/a", "EMBEDMILL_WEB_LOGINS"), ("postgresql://me:pw@host/a", "--credentials")]
)
def test_who_has_a_password_in_the_address_is_told_where_else_it_goes(runtime: Runtime, url: str, told: str) -> None:
    options = gather_options({"table": "a"} if url.startswith("p") else {})
    sources = open_sources([url], options=options, stdin=io.BytesIO())
    with pytest.raises(SourceError) as raised:
        schedule_sources(runtime, sources, collection="default", timetable=HOURLY)
    assert told in raised.value.hint
    assert ("--credentials" in raised.value.hint) == (told == "--credentials")
