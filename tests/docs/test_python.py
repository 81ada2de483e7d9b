"""The examples of docs/python.md run as they are written, in a thread, and print what the page shows."""

import logging
import re
import signal
import threading
from pathlib import Path

import pytest

from embedmill.shared.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> tuple[str, str]:
    """The program of the page, and what it prints."""
    blocks: dict[str, list[str]] = {"python": [], "text": []}
    for kind, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        blocks[kind].append(body)
    return "".join(blocks["python"]), "".join(blocks["text"])


def global_state() -> list[object]:
    """What a library must leave to its program: signal handlers and logging."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD)]
    root = logging.getLogger()
    return [*handlers, *root.handlers, root.level, *logging.getLogger("embedmill").handlers]


def test_the_examples_print_what_the_page_shows_and_leave_the_program_alone(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    program, printed = examples()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            exec(compile(program, PAGE, "exec"), {"__name__": "example"})
        except BaseException as error:
            failures.append(error)
            raise

    before = global_state()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failures
    out, err = capfd.readouterr()
    assert (out, err) == (printed, "")
    assert global_state() == before
