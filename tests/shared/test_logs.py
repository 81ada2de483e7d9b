import json
import logging
from datetime import datetime

import pytest

from embedmill.shared import logs
from embedmill.shared.logs import AsEvent, OneLine, write_line


def test_an_event_on_a_terminal_is_one_harmless_line() -> None:
    event = {"timestamp": "2026-11-29T12:03:04.5Z", "level": "warning", "event": "chore.failed", "uri": "a\x1b[2Jb\nc"}
    assert write_line(None, "warning", event) == "12:03:04 warning chore.failed uri=a\\x1b[2Jb\\nc"


def test_a_foreign_traceback_is_its_errors_name() -> None:
    error = ValueError("what the document says\x1b[2J")
    record = logging.LogRecord("celery", logging.ERROR, "x.py", 1, "it\nfailed", (), (ValueError, error, None))
    assert OneLine("%(levelname)s %(name)s %(message)s").format(record) == "ERROR celery it\\nfailed\\nValueError"
    told = json.loads(AsEvent().format(record))
    assert datetime.fromisoformat(told.pop("timestamp")).tzinfo is not None
    assert told == {
        "event": "library.failed",
        "level": "error",
        "library": "celery",
        "error": "it\\nfailed\\nValueError",
    }


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that only imports the package, whatever other tests did to this process."""
    monkeypatch.setattr(logs, "PROCESSORS", [logs.HandOver()])


def test_a_program_that_set_no_logging_up_hears_nothing(
    imported: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # pytest's own handlers are the root's.
    monkeypatch.setattr(logging.getLogger(logs.NAME), "propagate", False)
    logs.get_logger().error("chore.failed", chore="rescue")
    assert capfd.readouterr() == ("", "")


def test_a_program_hears_events_where_its_logging_is_set_up(imported: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger=logs.NAME)
    log = logs.get_logger()
    log.warning("chore.failed", chore="rescue")
    log.info("session.woken", work=1)
    assert [record.getMessage() for record in caplog.records] == ["chore.failed chore=rescue"]


def test_a_command_writes_events_of_its_level_and_above(
    imported: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    logs.configure_logs("warning")
    log = logs.get_logger()
    log.info("session.woken")
    log.warning("chore.failed", chore="rescue")
    out, err = capsys.readouterr()
    told = json.loads(err)
    assert (out, told["event"], told["level"], told["chore"]) == ("", "chore.failed", "warning", "rescue")
