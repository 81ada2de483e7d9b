"""Loaded by commands whose PYTHONPATH has this folder: documents that hold a text hold their worker up at the gate.

A worker that is about to split a document that holds HOLD_MARKER writes its process id to the file `held` in the folder
HOLD_AT, and goes on once the file `closed` is gone from there, so that a test can strike while work is surely in
flight.
"""

import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from altering import in_workers


def hold_up() -> None:
    stage: Any = import_module("embedmill.workers.stages.chunk")
    original = stage.normalise
    gate = Path(os.environ["HOLD_AT"])
    closed = gate / "closed"

    def normalise(parsed: Any) -> Any:
        if any(os.environ["HOLD_MARKER"] in block.text for block in parsed.blocks):
            while closed.exists():
                mine = gate / f"held-{os.getpid()}"
                mine.write_text(str(os.getpid()))
                mine.replace(gate / "held")  # at once: another worker may have written it, and is being read
                time.sleep(0.02)
        return original(parsed)

    stage.normalise = normalise


if "HOLD_AT" in os.environ:
    in_workers(hold_up)
