"""Exports of a Slack workspace, one after the other, through the scan and the stages into the index."""

from pathlib import Path

from embedmill.shared.db.schema import document, source
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.runtime import WorkerRuntime
from tests.producers.sources.slack.exports import LISTS, by_day, opened, said, stamp, write_export
from tests.shared.db.tracker import Tracker
from tests.workers.working import embed_by_hash, submit_sources, work_through

MAY = [said(f"note number {day} of the mill, with what was said there", stamp(5, day)) for day in range(1, 13)]
JUNE = said("something of june that was said at the mill", stamp(6, 20))


def ingest(runtime: WorkerRuntime, tracker: Tracker, path: Path) -> None:
    submit_sources(runtime, tracker, [opened(path)])
    work_through(runtime, dispatch(runtime.database, runtime.settings))
    tracker.complete_jobs()


def indexed(tracker: Tracker) -> set[str]:
    """The days that readers see."""
    return {row["uri"].rpartition("/")[2] for row in tracker.rows(document) if row["active_version"] is not None}


def test_a_newer_export_under_another_name_updates_the_source_and_an_older_one_does_not(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path
) -> None:
    embed_by_hash(runtime, tracker)
    may = write_export(tmp_path / "may.zip", {**LISTS, **by_day("general", MAY)})
    june = write_export(tmp_path / "june.zip", {**LISTS, **by_day("general", [MAY[0], *MAY[2:], JUNE])})
    ingest(runtime, tracker, may)
    before = indexed(tracker)
    assert len(before) == 12
    for _ in range(2):
        ingest(runtime, tracker, june)
        assert indexed(tracker) == before - {"2026-05-02"} | {"2026-06-20"}
    assert [row["spec"]["uri"] for row in tracker.rows(source) if row["spec"]["kind"] == "slack"] == [f"slack:{june}"]
    ingest(runtime, tracker, may)
    assert indexed(tracker) == before - {"2026-05-02"} | {"2026-06-20"}
