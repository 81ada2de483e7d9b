"""`feedback` and `stats` for people and for programs: what they print, and what makes no sense."""

import json
from pathlib import Path

import pytest

from embedmill.console.cli.app import _run
from embedmill.console.services.opening import open_runtime
from embedmill.shared.db.query_records import store_records
from embedmill.shared.db.schema import collection
from embedmill.shared.settings import Settings
from tests.migrated import place_migrated
from tests.shared.db.test_query_records import KEEPING, record
from tests.shared.db.tracker import Tracker


@pytest.fixture
def recorded(settings: Settings, home: Path) -> Path:
    """A home with two results, of which one can be told by its text."""
    place_migrated(home / "tracking.db")
    with open_runtime(settings) as runtime:
        tracker = Tracker(runtime.database)
        runtime.database.transact(
            store_records, [record("hashed", "pump", asked_at=0.0)], key=bytes(32), monotonic=60.0
        )
        tracker.write(tracker.collection.id, collection, settings=KEEPING)
        runtime.database.transact(store_records, [record("told", asked_at=0.0)], key=bytes(32), monotonic=0.0)
    return home


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert _run(list(arguments), debug=False) == 0
    return capsys.readouterr().out


def test_what_is_said_is_reported_and_exported(
    recorded: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(capsys, "feedback", "add", "last", "1", "--helpful") == 'helpful: d1 for "wet stack"\n'
    assert "not helpful: d2 for query " in run(
        capsys, "feedback", "add", "hashed", "c2", "--not-helpful", "--why", "a pump"
    )
    report = run(capsys, "feedback", "report")
    assert "2 queries recorded, 2 of them judged: 1 hits helpful, 1 not" in report
    assert "a pump" in report
    assert json.loads(run(capsys, "feedback", "report", "--json"))["worst"][0]["whys"] == ["a pump"]
    judgement = json.loads(run(capsys, "feedback", "export"))
    assert (judgement["document"], judgement["relevance"]) == ("d1", 1)
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.jsonl"
    told = json.loads(run(capsys, "feedback", "export", "--queries", str(queries), "--qrels", str(qrels), "--json"))
    assert told["left_out"] == 1
    assert json.loads(queries.read_text()) == {"id": judgement["query"], "text": "wet stack"}
    assert json.loads(qrels.read_text()) == judgement


def test_whether_it_helped_has_to_be_said(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["feedback", "add", "last", "1"], debug=False) == 2
    assert "--helpful" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["feedback", "export", "--queries", str(recorded)], debug=False) == 1
    assert "error: " in capsys.readouterr().err


def test_statistics_are_shown_by_day_and_step(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "stats", "--days", "2")
    assert "250.00" in shown
    assert "embed" in shown
    days = json.loads(run(capsys, "stats", "--days", "2", "--json"))["days"]
    assert sum(day["queries"] for day in days) == 2
    assert days[0]["steps"]["embed"] == {"count": days[0]["queries"], "p50": 0.125, "p95": 0.125, "p99": 0.125}
    assert run(capsys, "stats", "--days", "2", "--collection", "default") == shown


def test_a_home_without_queries_says_so(settings: Settings, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place_migrated(home / "tracking.db")
    assert "no query is recorded since" in run(capsys, "stats")
    assert "0 queries recorded" in run(capsys, "feedback", "report")
