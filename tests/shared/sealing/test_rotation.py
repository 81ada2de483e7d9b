"""A rotation keeps every order and comes back; whoever knows as many pairs as dimensions undoes it."""

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.sealing.rotation import Rotation

DIMENSIONS = 64
KEY = b"k" * 32
PINNED = (-0.219285, -0.732064, -1.663784, 0.493742)


def vectors(count: int, seed: int = 1) -> "NDArray[np.float32]":
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    found: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return found


def cosines(rows: "NDArray[np.float32]", query: "NDArray[np.float32]") -> "NDArray[np.float32]":
    found: NDArray[np.float32] = (rows @ query) / (np.linalg.norm(rows, axis=1) * np.linalg.norm(query))
    return found


def test_every_query_finds_the_same_rows_in_the_same_order() -> None:
    rotation, rows = Rotation(KEY, DIMENSIONS), vectors(2_000)
    kept = rotation.apply(rows)
    for query in vectors(50, seed=2):
        before = np.argsort(-cosines(rows, query), kind="stable")[:10]
        after = np.argsort(-cosines(kept, rotation.apply(query)), kind="stable")[:10]
        assert before.tolist() == after.tolist()


def test_vectors_come_back_and_are_not_what_is_kept() -> None:
    rotation, rows = Rotation(KEY, DIMENSIONS), vectors(20)
    kept = rotation.apply(rows)
    assert np.abs(rotation.undo(kept) - rows).max() < 1e-5
    assert np.abs(np.einsum("ij,ij->i", kept, rows)).mean() < 0.5
    other = Rotation(b"o" * 32, DIMENSIONS)
    assert np.abs(other.undo(kept) - rows).max() > 0.1


def test_it_is_the_same_on_every_machine() -> None:
    first = Rotation(KEY, 4).apply(np.eye(4, dtype=np.float32))
    assert np.abs(first - Rotation(KEY, 4).apply(np.eye(4, dtype=np.float32))).max() == 0
    assert np.abs(first[0] - np.array(PINNED, np.float32)).max() < 1e-5


def test_as_many_known_pairs_as_dimensions_undo_it() -> None:
    rotation, rows = Rotation(KEY, DIMENSIONS), vectors(DIMENSIONS + 50)
    kept = rotation.apply(rows)
    solved, *_ = np.linalg.lstsq(kept[:DIMENSIONS], rows[:DIMENSIONS], rcond=None)
    told = kept[DIMENSIONS:] @ solved
    assert np.abs(told - rows[DIMENSIONS:]).max() < 0.05, "which is why it is called obfuscation"
