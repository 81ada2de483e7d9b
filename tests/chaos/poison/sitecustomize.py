"""Loaded by every interpreter whose PYTHONPATH has this folder: makes worker processes die of marked documents.

A real poison document needs a bug in a library; this stands in for one, in the test's own environment. The stage and
the way to die come from POISON_STAGE and POISON_DEATH; a text that holds MARKER is the poison. `sleep` does not kill,
but takes POISON_SECONDS. Where DEAF names a file that is not there yet, the worker that makes it subscribes to nothing.
"""

import ctypes
import os
import signal
import sys
import time
from importlib import import_module
from typing import Any

from altering import in_each_worker, in_workers

MARKER = "POISON-PILL"


def die() -> None:
    match os.environ.get("POISON_DEATH", "SIGKILL"):
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(0)
        case "sleep":
            time.sleep(float(os.environ["POISON_SECONDS"]))
        case "SystemExit":
            sys.exit(7)
        case "MemoryError":
            raise MemoryError
        case "RecursionError":
            raise RecursionError


def poison_chunking() -> None:
    stage: Any = import_module("embedmill.workers.stages.chunk")
    original = stage.normalise

    def normalise(parsed: Any) -> Any:
        if any(MARKER in block.text for block in parsed.blocks):
            die()
        return original(parsed)

    stage.normalise = normalise


def poison_embedding() -> None:
    from embedmill.shared.providers.embeddings.base import Embedder
    from embedmill.shared.providers.embeddings.hash import HashEmbedder

    # An instant model's vectors are made when they are indexed.
    HashEmbedder.is_instant = False
    original = Embedder.embed_many

    def embed_many(self: Embedder, texts: Any, **options: Any) -> Any:
        if any(MARKER in text for text in texts):
            die()
        return original(self, texts, **options)

    Embedder.embed_many = embed_many  # type: ignore[method-assign]


def deafen(path: str) -> None:
    """The first worker of all consumes nothing, as after a reconnect that went wrong."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    import kombu.messaging

    kombu.messaging.Consumer.consume = lambda *_, **__: None


def poison_indexing() -> None:
    from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore

    original = EmbeddedVectorStore.upsert

    def upsert(self: EmbeddedVectorStore, shard: str, rows: Any) -> None:
        if any(MARKER in row.text for row in rows):
            die()
        original(self, shard, rows)

    EmbeddedVectorStore.upsert = upsert  # type: ignore[method-assign]


def poison() -> None:
    match os.environ.get("POISON_STAGE"):
        case "chunk":
            poison_chunking()
        case "embed":
            poison_embedding()
        case "index":
            poison_indexing()


in_workers(poison)
if "DEAF" in os.environ:
    in_each_worker(lambda: deafen(os.environ["DEAF"]))
