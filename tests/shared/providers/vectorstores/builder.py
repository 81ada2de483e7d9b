"""Writes and deletes rows in small segments; or dies when a segment is `written`, or just before it is `listed`."""

import os
import sys
from pathlib import Path

import numpy as np

from embedmill.shared.providers.vectorstores.embedded import building
from tests.shared.providers.vectorstores.test_embedded_index import any_row, make_small, opened

root, moment, *number = sys.argv[1:]
make_small(setattr)
if moment:
    name = {"written": "write", "listed": "replace_listed"}[moment]
    after = getattr(building, name)

    def die(*arguments: object) -> None:
        """Do it, and nothing more."""
        after(*arguments)
        os._exit(9)

    setattr(building, name, die)
rng = np.random.default_rng(int(number[0]) if number else len(moment))
prefix = f"p{''.join(number)}{moment}"
store = opened(Path(root))
for turn in range(20):
    store.upsert("s", [any_row(rng, f"{prefix}-{turn}-{n}") for n in range(8)])
    store.delete_ids("s", [f"{prefix}-{gone}-{turn % 8}-v1-1.0" for gone in range(turn)])
