import logging

from embedmill.shared.logs import OneLine, write_line


def test_an_event_on_a_terminal_is_one_harmless_line() -> None:
    event = {"timestamp": "2026-11-29T12:03:04.5Z", "level": "warning", "event": "chore.failed", "uri": "a\x1b[2Jb\nc"}
    assert write_line(None, "warning", event) == "12:03:04 warning chore.failed uri=a\\x1b[2Jb\\nc"


def test_a_foreign_traceback_is_its_errors_name() -> None:
    error = ValueError("what the document says\x1b[2J")
    record = logging.LogRecord("celery", logging.ERROR, "x.py", 1, "it\nfailed", (), (ValueError, error, None))
    assert OneLine("%(levelname)s %(name)s %(message)s").format(record) == "ERROR celery it\\nfailed\\nValueError"
