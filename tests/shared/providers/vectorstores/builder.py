"""Small segments, rows for them, and processes that write and delete some, or die at a moment of it."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from embedmill.shared.providers.vectorstores.embedded import building, view
from embedmill.shared.providers.vectorstores.embedded import shard as shards_module
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from tests.contracts.rows import DIMENSIONS, make_row, vector_of

SLICE = 20
MOMENTS = {"written": "write", "listed": "replace_listed"}
TURNS = 12


def make_small(put: Callable[[object, str, int], None]) -> None:
    """Have segments of some dozen rows, looked after at every change."""
    put(building, "SLICE_ROWS", SLICE)
    put(building, "MOST_ROWS", 6 * SLICE)
    put(view, "MOST_ROWS", 6 * SLICE)
    put(building, "MERGED_AT_ONCE", 3)
    put(shards_module, "LOOKED_AFTER_EVERY", 1)
    put(shards_module, "READ_SLICES", 1)


def opened(root: Path) -> EmbeddedVectorStore:
    """A store of the shard `s`."""
    return EmbeddedVectorStore(root, dimensions=DIMENSIONS)


def any_row(rng: np.random.Generator, document: str) -> VectorRow:
    """With some of thirty words."""
    text = " ".join(f"w{n}" for n in rng.zipf(1.3, rng.integers(1, 12)) if n < 30)
    return make_row(document, text=text, vector=vector_of(rng))


def write_and_die(root: Path, moment: str) -> None:
    """Write until a segment is `written`, or has just been `listed`."""
    done = getattr(building, MOMENTS[moment])

    def die(*arguments: object) -> None:
        done(*arguments)
        os._exit(9)

    setattr(building, MOMENTS[moment], die)
    write(root, moment, seed=len(moment))


def write(root: Path, prefix: str, seed: int) -> None:
    """Write some rows and delete some of those before, again and again."""
    make_small(setattr)
    rng, store = np.random.default_rng(seed), opened(root)
    for turn in range(TURNS):
        store.upsert("s", [any_row(rng, f"{prefix}-{turn}-{n}") for n in range(8)])
        store.delete_ids("s", [f"{prefix}-{gone}-{turn % 8}-v1-1.0" for gone in range(turn)])
