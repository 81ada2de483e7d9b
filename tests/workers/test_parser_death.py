"""A document whose parser dies hurts only itself: its attempt is recorded and its neighbours go on."""

import os
import signal
import threading
import time

from embedmill.shared.errors import ParserCrashed
from embedmill.shared.outcomes import Advance, Fail
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.parsing.making import word, word_paragraph


def test_a_parser_that_is_killed_costs_one_attempt_of_its_document(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: object
) -> None:
    folder = runtime.home / "documents"
    folder.mkdir()
    (folder / "a.docx").write_bytes(word(word_paragraph(text_of(1))))
    (folder / "b.docx").write_bytes(word(word_paragraph("word ") * 150_000))
    (folder / "c.docx").write_bytes(word(word_paragraph(text_of(2))))
    claim = tracker.take([(folder / name).as_uri() for name in ("a.docx", "b.docx", "c.docx")])
    parser = runtime.parser
    killed: list[int] = []

    def kill_the_parser_of_the_second() -> None:
        while not killed:
            child = parser._child
            if child is not None and child.asked == 2:
                os.kill(child.pid, signal.SIGKILL)
                killed.append(child.pid)
            time.sleep(0.001)

    watcher = threading.Thread(target=kill_the_parser_of_the_second)
    watcher.start()
    outcomes = chunk(runtime, claim)
    watcher.join()
    first, second, third = (outcomes[item.id] for item in claim.items)
    assert isinstance(first, Advance) and isinstance(third, Advance)
    assert isinstance(second, Fail) and isinstance(second.error, ParserCrashed)
    assert parser.pid not in (None, *killed)
