"""Random walks over files, sources, scans, freezes, cancels, deletes and returns, on both databases."""

from pathlib import Path
from random import Random

import pytest

from embedmill.shared.buckets import access
from embedmill.shared.db.engine import Database
from tests.producers.memory_bucket import MemoryBucket
from tests.producers.walking import Walk


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryBucket:
    """What is listed in the place of a bucket."""
    bucket = MemoryBucket()
    monkeypatch.setattr(access, "connect", lambda *_, **__: bucket)
    return bucket


def test_a_short_walk_ends_with_the_index_that_the_sources_ask_for(
    database: Database, tmp_path: Path, bucket: MemoryBucket
) -> None:
    Walk(database, tmp_path, Random(1), bucket=bucket).go(100, settle_every=50)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(3))
def test_a_long_walk_does_too(database: Database, tmp_path: Path, bucket: MemoryBucket, seed: int) -> None:
    Walk(database, tmp_path, Random(100 + seed), bucket=bucket).go(2000, settle_every=100)
