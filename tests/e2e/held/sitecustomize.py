"""Loaded by every interpreter whose PYTHONPATH has this folder: a document that says so holds its worker up.

Chunking a text that holds MARKER makes the file HELD_AT and then waits until it is gone, so that a test can strike
while a task is surely in flight.
"""

import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from altering import in_workers

MARKER = "HOLD-UP"


def hold_up() -> None:
    stage: Any = import_module("embedmill.workers.stages.chunk")
    original = stage.normalise

    def normalise(parsed: Any) -> Any:
        if any(MARKER in block.text for block in parsed.blocks):
            held = Path(os.environ["HELD_AT"])
            held.touch()
            while held.exists():
                time.sleep(0.02)
        return original(parsed)

    stage.normalise = normalise


if os.environ.get("HELD_AT"):
    in_workers(hold_up)
