"""The embedding cache in each of its homes: a file, a database server, Redis."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from redis import Redis

from embedmill.shared.caches.embeddings import (
    CHECKSUM_BYTES,
    DOCUMENT,
    QUERY,
    EmbeddingCache,
    Size,
    as_kept,
    open_vector,
    seal_vector,
)
from embedmill.shared.caches.file import FileCache
from embedmill.shared.caches.redis import RedisCache
from embedmill.shared.configuration import load_settings
from embedmill.shared.db.cache import ServerCache
from embedmill.shared.db.engine import Database
from embedmill.shared.errors import FlowControl, SettingsError, StorageFailed
from embedmill.shared.runtime import Runtime
from tests import forked
from tests.contracts.cache import QUERY_BYTES, VECTOR_BYTES, Again, CacheContract, address, evict, vector
from tests.services import postgres, redis
from tests.services.needed import require
from tests.services.postgres import Server
from tests.waiting import wait_until


def write_fifty(path: Path) -> None:
    """A process that writes what others write too."""
    cache = FileCache(path)
    for n in range(50):
        cache.put_many({bytes([n]) * 32: np.full(4, n, np.float32)})


class TestFile(CacheContract):
    """SQLite."""

    @pytest.fixture
    def again(self, tmp_path: Path) -> Again:
        return lambda: FileCache(tmp_path / "cache.db")

    @pytest.fixture
    def cache(self, again: Again) -> EmbeddingCache:
        return again()

    def test_processes_that_write_the_same_agree(self, cache: EmbeddingCache, tmp_path: Path) -> None:
        forked.run_at_once(write_fifty, [(tmp_path / "cache.db",)] * 3)
        assert cache.count() == 50

    def test_a_place_that_cannot_be_written_is_a_storage_failure(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("here already")
        with pytest.raises(StorageFailed):
            FileCache(tmp_path / "file" / "cache.db").put_many({address(1): vector(1)})

    def test_a_file_of_the_first_release_is_taken_over(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "cache.db")) as old, old:
            old.execute("CREATE TABLE embedding (address BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID")
            old.execute("INSERT INTO embedding VALUES (?, ?)", (address(1), vector(1).tobytes()))
        cache = FileCache(tmp_path / "cache.db")
        assert cache.measure() == {DOCUMENT: Size(1, vector(1).nbytes)}
        assert np.array_equal(cache.get_many([address(1)])[address(1)], vector(1))
        assert cache.measure() == {DOCUMENT: Size(1, VECTOR_BYTES)}
        assert evict(cache, unused_seconds=60.0) == {}, "it counts as used when it was taken over"
        assert evict(cache) == {DOCUMENT: Size(1, VECTOR_BYTES)}

    @pytest.fixture
    def former(self, tmp_path: Path) -> EmbeddingCache:
        """A file as 0.1 left it: vector n was last used n hours before the newest, the second is a query's."""
        now = time.time() - 10
        with closing(sqlite3.connect(tmp_path / "cache.db")) as old, old:
            old.execute("CREATE TABLE embedding (address BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID")
            old.execute(
                "CREATE TABLE entry (address BLOB PRIMARY KEY, kind TEXT NOT NULL, "
                "bytes INTEGER NOT NULL, used_at REAL NOT NULL) WITHOUT ROWID"
            )
            for n in range(5):
                stored = seal_vector(address(n), vector(n), kind=QUERY)
                kind = QUERY if n == 1 else DOCUMENT
                old.execute("INSERT INTO embedding VALUES (?, ?)", (address(n), stored))
                old.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (address(n), kind, len(stored), now - 3600 * n))
        return FileCache(tmp_path / "cache.db")

    def test_what_an_older_release_kept_is_not_paid_for_again(self, former: EmbeddingCache) -> None:
        assert former.reserve([address(n) for n in range(6)], owner="a", seconds=60) == {address(5)}
        former.put_many({address(0): vector(9)})
        assert former.note_many([address(2), address(7)]) == {address(7)}
        found = former.get_many([address(n) for n in range(6)])
        assert all(np.array_equal(found[address(n)], vector(n)) for n in range(5)) and len(found) == 5
        assert former.measure() == {DOCUMENT: Size(5, 4 * VECTOR_BYTES), QUERY: Size(1, QUERY_BYTES)}
        assert former.count() == 6

    def test_of_what_an_older_release_kept_the_oldest_goes_first(self, former: EmbeddingCache) -> None:
        former.put_many({address(7): vector(7)})
        assert evict(former, limit=2) == {DOCUMENT: Size(2, 2 * VECTOR_BYTES)}
        assert former.find_known([address(n) for n in range(8)], dimensions=8) == {address(n) for n in (0, 1, 2, 7)}
        assert evict(former, unused_seconds=1800.0) == {}, "what was asked for counts as used"
        assert former.count() == 4

    def test_a_damaged_vector_of_an_older_release_is_embedded_anew(
        self, former: EmbeddingCache, tmp_path: Path
    ) -> None:
        with closing(sqlite3.connect(tmp_path / "cache.db")) as file, file:
            file.execute("UPDATE embedding SET vector = ? WHERE address = ?", (bytes(32), address(3)))
        assert former.get_many([address(3), address(4)], dimensions=8).keys() == {address(4)}
        assert (former.count_damaged(), former.count()) == (1, 4)
        assert former.reserve([address(3)], owner="a", seconds=60) == {address(3)}

    def test_a_use_is_noted_once_it_looks_too_old(self, cache: EmbeddingCache, tmp_path: Path) -> None:
        cache.put_many({address(n): vector(n) for n in range(2)})
        with closing(sqlite3.connect(tmp_path / "cache.db")) as file, file:
            file.execute("UPDATE held SET used_at = used_at - 7200")
        cache.get_many([address(n) for n in range(2)])
        assert evict(cache, unused_seconds=60.0) == {}
        assert cache.measure() == {DOCUMENT: Size(2, 2 * VECTOR_BYTES)}

    def test_vectors_that_are_narrow_share_pages(self, cache: EmbeddingCache, tmp_path: Path) -> None:
        cache.put_many({address(n): np.ones(256, np.float32) for n in range(700)})
        with closing(sqlite3.connect(tmp_path / "cache.db")) as file:
            (pages,) = file.execute("PRAGMA page_count").fetchone()
        assert pages * 4096 < 700 * (2 * 256 + 200)

    def test_the_file_shrinks_with_what_is_evicted(self, cache: EmbeddingCache, tmp_path: Path) -> None:
        cache.put_many({address(n): np.zeros(3072, np.float32) for n in range(100)})
        evict(cache)
        with closing(sqlite3.connect(tmp_path / "cache.db")) as file:
            assert file.execute("PRAGMA page_count").fetchone()[0] < 20


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server


class TestServer(CacheContract):
    """Postgres."""

    @pytest.fixture
    def again(self, server: Server) -> Iterator[Again]:
        server.execute("DROP TABLE IF EXISTS embedding, embedding_reservation, embedding_entry, embedding_damage")
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

    def test_tables_of_an_older_release_are_taken_over(self, again: Again, server: Server) -> None:
        server.execute("CREATE TABLE embedding (address bytea PRIMARY KEY, vector bytea NOT NULL)")
        server.execute(
            "CREATE TABLE embedding_reservation "
            "(address bytea PRIMARY KEY, owner text NOT NULL, until double precision NOT NULL)"
        )
        server.execute(f"INSERT INTO embedding VALUES ('\\x{address(1).hex()}', '\\x{vector(1).tobytes().hex()}')")
        cache = again()
        assert cache.measure() == {DOCUMENT: Size(1, vector(1).nbytes)}
        assert np.array_equal(cache.get_many([address(1)])[address(1)], vector(1))
        assert evict(cache, unused_seconds=60.0) == {}

    def test_a_use_is_noted_once_it_looks_too_old(self, cache: EmbeddingCache, server: Server) -> None:
        cache.put_many({address(n): vector(n) for n in range(2)})
        server.execute("UPDATE embedding_entry SET used_at = used_at - 7200")
        server.execute(f"DELETE FROM embedding_entry WHERE address = '\\x{address(1).hex()}'")
        cache.get_many([address(n) for n in range(2)])
        assert evict(cache, unused_seconds=60.0) == {}
        assert cache.measure() == {DOCUMENT: Size(2, 2 * VECTOR_BYTES)}


@pytest.fixture(scope="module")
def valkey() -> Iterator[redis.Server]:
    require(redis.why_not())
    with redis.running_server() as server:
        yield server


class TestRedis(CacheContract):
    """Redis."""

    @pytest.fixture
    def again(self, valkey: redis.Server) -> Iterator[Again]:
        valkey.wipe()
        opened: list[RedisCache] = []

        def open_again() -> EmbeddingCache:
            opened.append(RedisCache(valkey.url, keep_seconds={}, patience_seconds=20))
            return opened[-1]

        yield open_again
        for cache in opened:
            cache.close()

    @pytest.fixture
    def cache(self, again: Again) -> EmbeddingCache:
        return again()

    def test_a_vector_takes_two_bytes_a_number_and_a_checksum(
        self, cache: EmbeddingCache, valkey: redis.Server
    ) -> None:
        cache.put_many({address(1): vector(1)})
        with valkey.client as client:
            (key,) = client.keys("*vector:*")
            assert client.get(key) == seal_vector(address(1), vector(1))

    @pytest.mark.parametrize("spoiled", [b"x", b"x" * 7, b"x" * 4999])
    def test_a_row_of_another_length_leaves_no_size_behind(
        self, cache: EmbeddingCache, valkey: redis.Server, spoiled: bytes
    ) -> None:
        cache.put_many({address(n): vector(n) for n in range(3)})
        with closing(Redis.from_url(valkey.url)) as client:
            client.set(b"embedmill:cache:vector:" + address(1), spoiled)
        assert cache.get_many([address(n) for n in range(3)]).keys() == {address(0), address(2)}
        assert (cache.measure(), cache.count_damaged()) == ({DOCUMENT: Size(2, 2 * VECTOR_BYTES)}, 1)
        cache.put_many({address(1): vector(1)})
        assert cache.measure() == {DOCUMENT: Size(3, 3 * VECTOR_BYTES)}
        assert evict(cache, unused_seconds=0.0) == {DOCUMENT: Size(3, 3 * VECTOR_BYTES)}

    def test_redis_forgets_by_itself_what_nobody_uses_and_the_books_follow(self, valkey: redis.Server) -> None:
        valkey.wipe()
        cache = RedisCache(valkey.url, keep_seconds={QUERY: 1000.0}, patience_seconds=0)
        cache.put_many({address(1): vector(1)})
        cache.put_many({address(2): vector(2)}, kind=QUERY)
        with valkey.client as client:
            (key,) = [key for key in client.keys("*vector:*") if client.ttl(key) > 0]
            client.pexpire(key, 1)
            wait_until(lambda: not client.exists(key), "the query is forgotten")
        assert set(cache.get_many([address(1), address(2)])) == {address(1)}
        assert evict(cache, kinds=[QUERY]) == {QUERY: Size(1, QUERY_BYTES)}
        assert cache.measure() == {DOCUMENT: Size(1, VECTOR_BYTES)}
        cache.close()

    def test_a_redis_that_would_forget_too_much_is_warned_of(self, cache: EmbeddingCache, valkey: redis.Server) -> None:
        assert any("append-only" in warning for warning in cache.find_risks())
        with valkey.client as client:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert any("allkeys-lru" in warning for warning in cache.find_risks())
        finally:
            with valkey.client as client:
                client.config_set("maxmemory-policy", "noeviction")
                client.config_set("maxmemory", "0")

    def test_a_use_begins_the_time_anew(self, valkey: redis.Server) -> None:
        valkey.wipe()
        cache = RedisCache(valkey.url, keep_seconds={DOCUMENT: 1000.0}, patience_seconds=0)
        cache.put_many({address(1): vector(1)})
        with valkey.client as client:
            (key,) = client.keys("*vector:*")
            client.expire(key, 5)
            cache.get_many([address(1)])
            assert client.ttl(key) > 900
        cache.close()

    def test_while_redis_is_away_work_waits(self, valkey: redis.Server) -> None:
        if not valkey.can_die:
            pytest.skip("the Redis of TEST_REDIS_URL is not ours to kill")
        assert isinstance(valkey, redis.OwnServer)
        cache = RedisCache(valkey.url, keep_seconds={}, patience_seconds=0)
        valkey.kill()
        try:
            for ask in (
                lambda: cache.get_many([address(1)]),
                lambda: cache.reserve([address(1)], owner="a", seconds=60),
                lambda: cache.find_holders([address(1)]),
                lambda: cache.put_many({address(1): vector(1)}),
                cache.count,
                cache.require,
            ):
                with pytest.raises(FlowControl) as caught:
                    ask()
                assert caught.value.reason == "circuit"
            cache.release("a")
        finally:
            valkey.start()
        cache.close()

    def test_what_was_paid_for_is_held_on_to_until_redis_is_back(
        self, cache: EmbeddingCache, valkey: redis.Server
    ) -> None:
        if not valkey.can_die:
            pytest.skip("the Redis of TEST_REDIS_URL is not ours to kill")
        assert isinstance(valkey, redis.OwnServer)
        valkey.kill()
        with ThreadPoolExecutor(1) as pool:
            stored = pool.submit(cache.put_many, {address(1): vector(1)})
            valkey.start()
            stored.result(timeout=60)
        assert np.array_equal(cache.get_many([address(1)])[address(1)], vector(1))


def test_the_cache_is_where_the_tracking_database_is_unless_a_url_says_otherwise(
    server: Server, valkey: redis.Server, home: Path, tmp_path: Path
) -> None:
    for settings, kind in (
        ({"database_url": server.url}, ServerCache),
        ({"cache_url": server.url}, ServerCache),
        ({"cache_url": valkey.url}, RedisCache),
        ({"database_url": server.url, "cache_url": f"file://{tmp_path}/own%20cache.db"}, FileCache),
        ({}, FileCache),
    ):
        runtime = Runtime(load_settings(**settings), process_id="test")
        assert type(runtime.cache) is kind
        runtime.cache.put_many({address(len(settings)): vector(1)})
        runtime.close()
    assert (tmp_path / "own cache.db").exists()
    with pytest.raises(SettingsError, match="CACHE_URL"):
        Runtime(load_settings(cache_url="nowhere at all"), process_id="test").cache.count()


ADDRESS = b"a" * 32
SEALED = seal_vector(ADDRESS, np.arange(8, dtype=np.float32))
WHOLE = seal_vector(ADDRESS, np.arange(8, dtype=np.float32), kind=QUERY)
PLAIN = np.arange(8, dtype=np.float32).tobytes()


@pytest.mark.parametrize("stored", [SEALED, WHOLE, PLAIN], ids=["half", "whole", "of the first release"])
def test_what_is_whole_is_read(stored: bytes) -> None:
    found = open_vector(ADDRESS, stored, 8)
    assert found is not None and np.array_equal(found, np.arange(8))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        SEALED[:-1],
        SEALED[4:],
        SEALED[:7] + b"\xff" + SEALED[8:],
        SEALED[:-1] + b"\x00",
        SEALED[:-CHECKSUM_BYTES],
        SEALED[:-CHECKSUM_BYTES] + WHOLE[-CHECKSUM_BYTES:],
        SEALED[:-CHECKSUM_BYTES] + b"\x01" + SEALED[-4:],
        WHOLE[:-1],
        WHOLE[4:],
        WHOLE[:-1] + b"\x00",
        PLAIN[:-4],
        PLAIN[:-3],
        bytes(32),
        np.full(8, np.nan, np.float32).tobytes(),
        np.full(8, np.inf, np.float32).tobytes(),
    ],
)
def test_what_is_damaged_is_no_vector(stored: bytes) -> None:
    assert open_vector(ADDRESS, stored, 8 if stored != SEALED[:-CHECKSUM_BYTES] else 9) is None


def test_vectors_are_the_same_whether_they_were_in_a_cache_or_not() -> None:
    rows = np.random.default_rng(3).standard_normal((3, 8)).astype(np.float32) * np.array(
        [[0.1], [1e6], [0]], np.float32
    )
    read = [open_vector(ADDRESS, seal_vector(ADDRESS, row)) for row in rows]
    assert np.array_equal(as_kept(rows), np.stack([row for row in read if row is not None]))


def test_a_vector_at_anothers_address_is_none() -> None:
    assert open_vector(b"b" * 32, SEALED) is None


def test_zeros_that_were_stored_on_purpose_stay() -> None:
    """As the vector of an empty text is."""
    assert open_vector(ADDRESS, seal_vector(ADDRESS, np.zeros(8, np.float32)), 8) is not None


@pytest.mark.parametrize("spoiled", [b"", bytes(32), b"\xff" * 32, b"x" * 7])
def test_a_damaged_row_of_the_file_is_embedded_anew(tmp_path: Path, spoiled: bytes) -> None:
    with closing(FileCache(tmp_path / "cache.db")) as cache:
        cache.put_many({ADDRESS: np.arange(8, dtype=np.float32)})
        with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
            connection.execute("UPDATE vector SET data = ?", (spoiled,))
            connection.commit()
        assert cache.get_many([ADDRESS], dimensions=8) == {}
        assert (cache.count(), cache.count_damaged()) == (0, 1)
        assert cache.reserve([ADDRESS], owner="a", seconds=60) == {ADDRESS}
