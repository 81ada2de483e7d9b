from shared.logs import write_line


def test_an_event_on_a_terminal_is_one_harmless_line() -> None:
    event = {"timestamp": "2026-11-29T12:03:04.5Z", "level": "warning", "event": "chore.failed", "uri": "a\x1b[2Jb\nc"}
    assert write_line(None, "warning", event) == "12:03:04 warning chore.failed uri=a\\x1b[2Jb\\nc"
