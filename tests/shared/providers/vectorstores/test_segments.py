"""Segments: several become one that is the same as if it had been made of their rows."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedmill.shared.providers.vectorstores.embedded import codes, segment
from embedmill.shared.providers.vectorstores.embedded.segment import Segment, make, merge, ranked
from embedmill.shared.providers.vectorstores.embedded.segment_files import open_written, write
from embedmill.shared.words.counts import CountsOfMany, TermCounts

DIMENSIONS = 70
SHAPES = [[300, 5, 0, 40], [0], [1, 1], [90]]
Row = tuple[int, str, TermCounts, Any]


def _rows(count: int, seed: int) -> list[Row]:
    choose = np.random.default_rng(seed)
    terms = [np.unique(choose.integers(0, 50, choose.integers(0, 30)).astype(np.uint32)) for _ in range(count)]
    words = [TermCounts(each, choose.integers(1, 255, len(each)).astype(np.uint8), len(each) + 2) for each in terms]
    vectors = choose.standard_normal((count, DIMENSIONS)).astype(np.float32)
    keys = range(1_000 * seed, 1_000 * seed + count)
    return list(zip(keys, map(str, choose.permutation(count) + count * seed), words, vectors, strict=True))


def _segment(rows: Sequence[Row]) -> Segment:
    vectors = np.array([row[3] for row in rows], np.float32).reshape(len(rows), DIMENSIONS)
    words = CountsOfMany.read([row[2].kept for row in rows])
    return make([row[0] for row in rows], [row[1] for row in rows], words, codes.encode(vectors))


def _arrays(found: Segment) -> list[tuple[str, Any]]:
    parts = (found, found.postings, found.codes)
    named = [(f.name, getattr(part, f.name)) for part in parts for f in fields(part)]
    return [(name, (array.dtype, array.tolist())) for name, array in named if isinstance(array, np.ndarray)]


@pytest.mark.parametrize("sizes", SHAPES)
@pytest.mark.parametrize("share", [None, 0.0, 0.5])
@pytest.mark.parametrize("at_once", [1, 7, 2**18])
def test_merged_segments_are_as_if_made_of_the_rows_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int], share: float | None, at_once: int
) -> None:
    monkeypatch.setattr(segment, "MOVED_AT_ONCE", at_once)
    monkeypatch.setattr(codes, "BLOCK_ROWS", 16)
    parts = [_rows(size, seed + 1) for seed, size in enumerate(sizes)]
    choose = np.random.default_rng(9)
    kept = [None if share is None else choose.random(size) < share for size in sizes]
    pairs = [
        (row, keep is None or keep[at]) for part, keep in zip(parts, kept, strict=True) for at, row in enumerate(part)
    ]
    left = [row for row, is_kept in pairs if is_kept]
    mapped = [open_written(tmp_path, write(tmp_path, _segment(part))) for part in parts]
    opened, ranks = [one for one in mapped if one is not None], ranked([row[1] for row in left])
    assert _arrays(merge(opened, kept, ranks)) == _arrays(_segment(left))
    written = open_written(tmp_path, write(tmp_path, merge(opened, kept, ranks, codes.join_to_write)))
    assert written is not None and _arrays(written) == _arrays(_segment(left))
