"""The embedding cache in a file and on a server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.cache import EmbeddingCache, FileCache
from shared.db.cache import ServerCache
from shared.db.engine import Database
from shared.errors import StorageFailed
from shared.runtime import Runtime
from shared.settings import load_settings
from tests.contracts.cache import Again, CacheContract, address, vector
from tests.services import postgres
from tests.services.needed import require
from tests.services.postgres import Server

WRITE = """
import sys, numpy as np
from pathlib import Path
from shared.cache import FileCache
cache = FileCache(Path(sys.argv[1]))
for n in range(50):
    cache.put_many({bytes([n]) * 32: np.full(4, n, np.float32)})
"""


class TestFile(CacheContract):
    """SQLite."""

    @pytest.fixture
    def again(self, tmp_path: Path) -> Again:
        return lambda: FileCache(tmp_path / "cache.db")

    @pytest.fixture
    def cache(self, again: Again) -> EmbeddingCache:
        return again()

    def test_processes_that_write_the_same_agree(self, cache: EmbeddingCache, tmp_path: Path) -> None:
        command = [sys.executable, "-c", WRITE, str(tmp_path / "cache.db")]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
        for process in processes:
            _, stderr = process.communicate(timeout=60)
            assert process.returncode == 0, stderr.decode()
        assert cache.count() == 50

    def test_a_place_that_cannot_be_written_is_a_storage_failure(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("here already")
        with pytest.raises(StorageFailed):
            FileCache(tmp_path / "file" / "cache.db").put_many({address(1): vector(1)})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server


class TestServer(CacheContract):
    """Postgres."""

    @pytest.fixture
    def again(self, server: Server) -> Iterator[Again]:
        server.execute("DROP TABLE IF EXISTS embedding, embedding_reservation")
        opened: list[ServerCache] = []

        def open_again() -> EmbeddingCache:
            opened.append(ServerCache(Database(server.url), owns_database=True))
            return opened[-1]

        yield open_again
        for cache in opened:
            cache.close()

    @pytest.fixture
    def cache(self, again: Again) -> EmbeddingCache:
        return again()

    def test_the_cache_is_where_the_tracking_database_is_unless_a_url_says_otherwise(
        self, server: Server, home: Path
    ) -> None:
        for settings, kind in (
            ({"database_url": server.url}, ServerCache),
            ({"cache_url": server.url}, ServerCache),
            ({}, FileCache),
        ):
            runtime = Runtime(load_settings(**settings), process_id="test")
            assert type(runtime.cache) is kind
            runtime.cache.put_many({address(len(settings)): vector(1)})
            runtime.close()
