"""Loaded by every interpreter whose PYTHONPATH has this folder: makes worker processes die of marked documents.

A real poison document needs a bug in a library; this stands in for one, in the test's own environment. The stage and
the way to die come from POISON_STAGE and POISON_DEATH; a text that holds MARKER is the poison.
"""

import ctypes
import os
import signal
import sys
from typing import Any

MARKER = "POISON-PILL"


def die() -> None:
    match os.environ.get("POISON_DEATH", "SIGKILL"):
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(0)
        case "SystemExit":
            sys.exit(7)
        case "MemoryError":
            raise MemoryError
        case "RecursionError":
            raise RecursionError


def poison_chunking() -> None:
    import workers.chunking

    original = workers.chunking.normalise

    def normalise(parsed: Any) -> Any:
        if any(MARKER in block.text for block in parsed.blocks):
            die()
        return original(parsed)

    workers.chunking.normalise = normalise


def poison_embedding() -> None:
    from shared.providers.embeddings.base import Embedder

    original = Embedder.embed_many

    def embed_many(self: Embedder, texts: Any, **options: Any) -> Any:
        if any(MARKER in text for text in texts):
            die()
        return original(self, texts, **options)

    Embedder.embed_many = embed_many  # type: ignore[method-assign]


if "workers.process" in sys.orig_argv:
    match os.environ.get("POISON_STAGE"):
        case "chunk":
            poison_chunking()
        case "embed":
            poison_embedding()
