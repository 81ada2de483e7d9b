"""The embedding cache: what was paid for is there afterwards, for every process, bit by bit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.cache import EmbeddingCache
from shared.errors import StorageFailed

WRITE = """
import sys, numpy as np
from pathlib import Path
from shared.cache import EmbeddingCache
cache = EmbeddingCache(Path(sys.argv[1]))
for n in range(50):
    cache.put_many({bytes([n]) * 32: np.full(4, n, np.float32)})
"""


def address(number: int) -> bytes:
    return number.to_bytes(32, "big")


def vector(number: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return np.random.default_rng(number).standard_normal(8).astype(np.float32)


@pytest.fixture
def cache(tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "cache.db")


def test_vectors_come_back_bit_by_bit(cache: EmbeddingCache) -> None:
    cache.put_many({address(n): vector(n) for n in range(3)})
    found = cache.get_many([address(n) for n in range(5)])
    assert set(found) == {address(n) for n in range(3)}
    assert all(np.array_equal(found[address(n)], vector(n)) for n in range(3))


def test_more_addresses_than_one_statement_takes_are_looked_up(cache: EmbeddingCache) -> None:
    cache.put_many({address(n): vector(n) for n in range(1201)})
    assert len(cache.get_many([address(n) for n in range(1300)])) == cache.count() == 1201


def test_a_known_address_keeps_its_vector(cache: EmbeddingCache) -> None:
    cache.put_many({address(1): vector(1)})
    cache.put_many({address(1): vector(2)})
    assert np.array_equal(cache.get_many([address(1)])[address(1)], vector(1))


def test_it_outlives_the_process(cache: EmbeddingCache, tmp_path: Path) -> None:
    cache.put_many({address(1): vector(1)})
    cache.close()
    assert EmbeddingCache(tmp_path / "cache.db").count() == 1


def test_processes_that_write_the_same_agree(cache: EmbeddingCache, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "cache.db")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr.decode()
    assert cache.count() == 50


def test_a_place_that_cannot_be_written_is_a_storage_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here already")
    with pytest.raises(StorageFailed):
        EmbeddingCache(tmp_path / "file" / "cache.db").put_many({address(1): vector(1)})
