"""A document whose parser dies hurts only itself: its attempt is recorded and its neighbours go on."""

import os
import signal

import pytest

from embedmill.shared.errors import ParserCrashed
from embedmill.shared.outcomes import Advance, Fail
from embedmill.workers.parsing import sandbox
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.parsing.making import word, word_paragraph


def test_a_parser_that_is_killed_costs_one_attempt_of_its_document(
    runtime: WorkerRuntime, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = runtime.home / "documents"
    folder.mkdir()
    (folder / "a.docx").write_bytes(word(word_paragraph(text_of(1))))
    (folder / "b.docx").write_bytes(word(word_paragraph("word ") * 150_000))
    (folder / "c.docx").write_bytes(word(word_paragraph(text_of(2))))
    claim = tracker.take([(folder / name).as_uri() for name in ("a.docx", "b.docx", "c.docx")])
    killed: list[int] = []
    # Others may have asked the child that is there.
    runtime.parser.close()
    read = sandbox._Child._read_frame

    def kill_at_the_second(child: sandbox._Child, deadline: float) -> bytes:
        if child.asked == 2 and not killed:
            os.kill(child.pid, signal.SIGKILL)
            killed.append(child.pid)
        return read(child, deadline)

    monkeypatch.setattr(sandbox._Child, "_read_frame", kill_at_the_second)
    outcomes = chunk(runtime, claim)
    first, second, third = (outcomes[item.id] for item in claim.items)
    assert isinstance(first, Advance) and isinstance(third, Advance)
    assert isinstance(second, Fail) and isinstance(second.error, ParserCrashed)
    assert runtime.parser.pid not in (None, *killed)
