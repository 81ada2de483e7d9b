"""What a worker process does before its first batch."""

import os
import sys

import pytest

from embedmill.workers.processes.worker import _announce


def test_a_worker_whose_command_has_ended_meanwhile_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as ended:
            _announce("p1")
    assert ended.value.code == 0
