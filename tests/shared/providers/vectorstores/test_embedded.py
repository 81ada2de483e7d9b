"""The embedded store: the contract, and what only files and processes can show."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedmill.shared.errors import ShardDamaged, StorageFailed
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.embedded import changes
from embedmill.shared.providers.vectorstores.embedded.marks import read_marks
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.places import Owner
from embedmill.shared.providers.vectorstores.rows import Found
from tests.contracts.rows import (
    DIMENSIONS,
    StoreFactory,
    eventually,
    make_row,
    near,
    unit_vector,
    vector_of,
    without_vector,
    worded,
    wording_of,
)
from tests.contracts.vectorstore import VectorStoreContract
from tests.shared.providers.vectorstores.writer import BATCHES, ROWS, SHARED_EVERY

WRITER = [sys.executable, "-m", "tests.shared.providers.vectorstores.writer"]


@pytest.fixture
def store_factory(tmp_path: Path) -> StoreFactory:
    def open_store(*, dimensions: int) -> VectorStore:
        return EmbeddedVectorStore(tmp_path / "vectors", dimensions=dimensions)

    return open_store


def opened(root: Path) -> EmbeddedVectorStore:
    return EmbeddedVectorStore(root, dimensions=DIMENSIONS)


class TestEmbeddedVectorStore(VectorStoreContract):
    """The contract."""


def test_reading_creates_no_file(tmp_path: Path) -> None:
    store = opened(tmp_path / "vectors")
    assert store.count("s") == 0
    assert store.delete_stale("s", {"d": 1}) == 0
    store.drop("s")
    assert not (tmp_path / "vectors").exists()


def test_three_writers_and_a_kill_lose_and_double_nothing(tmp_path: Path) -> None:
    writers = [subprocess.Popen([*WRITER, str(tmp_path), str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)]
    acknowledged: set[str] = set()
    victim = writers[0]
    assert victim.stdout is not None
    for line in victim.stdout:
        acknowledged.add(line.strip())
        if len(acknowledged) == 15:
            victim.kill()
            break
    for writer in writers[1:]:
        acknowledged.update(writer.communicate(timeout=120)[0].split())
    acknowledged.update(victim.communicate()[0].split())
    assert [writer.returncode for writer in writers] == [-signal.SIGKILL, 0, 0]

    ids = [row.id for row in opened(tmp_path).list_rows("s")]
    assert len(ids) == len(set(ids))
    counts = opened(tmp_path).count_versions("s", dict.fromkeys(acknowledged, "v1"))
    assert counts == dict.fromkeys(acknowledged, ROWS), "an acknowledged batch is whole"
    assert len(acknowledged) >= BATCHES // SHARED_EVERY + 2 * (BATCHES - BATCHES // SHARED_EVERY)
    assert all(rows == ROWS for *_, rows in opened(tmp_path).list_editions("s")), "no batch is half-written"
    assert len(worded(opened(tmp_path), "s", "number7", top_k=10_000)) == len(ids) // ROWS


def test_a_reader_sees_what_other_processes_write_and_delete(tmp_path: Path) -> None:
    reader = opened(tmp_path)
    opened(tmp_path).upsert("s", [make_row("d0", vector=unit_vector(0, 1))])
    assert len(near(reader, "s", unit_vector(1), top_k=9)) == 1
    with subprocess.Popen([*WRITER, str(tmp_path), "1"], stdout=subprocess.PIPE, text=True) as writer:
        eventually(lambda: len(near(reader, "s", unit_vector(1), top_k=9_999)), 1 + BATCHES * ROWS, "rows written")
        assert writer.wait() == 0
    opened(tmp_path).delete_stale("s", {"w1-1": 2})
    left = near(reader, "s", unit_vector(1), top_k=9_999)
    assert len(left) == 1 + (BATCHES - 1) * ROWS
    assert "w1-1" not in {match.document for match in left}


def test_a_forked_child_opens_its_own_connection(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.upsert("s", [make_row("parent")])
    near(store, "s", unit_vector(1), top_k=1)
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            store.upsert("s", [make_row("child")])
            failed = len(near(store, "s", unit_vector(1), top_k=9)) - 2
        finally:
            os._exit(failed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.upsert("s", [make_row("parent again")])
    assert {m.document for m in near(store, "s", unit_vector(1), top_k=9)} == {"parent", "child", "parent again"}


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def write(thread: int) -> None:
        for n in range(10):
            store.upsert("s", [make_row(f"t{thread}-{n}")])
            near(store, "s", unit_vector(1), top_k=5)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(near(store, "s", unit_vector(1), top_k=99)) == store.count("s") == 40


def test_a_reader_behind_pruned_tombstones_loads_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "TOMBSTONES_KEPT", 3)
    reader, writer = opened(tmp_path), opened(tmp_path)
    writer.upsert("s", [make_row(f"d{n}") for n in range(12)])
    assert len(near(reader, "s", unit_vector(1), top_k=99)) == 12
    for n in range(8):
        writer.delete_ids("s", [f"d{n}-v1-1.0"])
    assert {m.document for m in near(reader, "s", unit_vector(1), top_k=99)} == {"d8", "d9", "d10", "d11"}


def test_a_reader_follows_random_writes_and_deletes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    reader, writer = opened(tmp_path), opened(tmp_path)
    for _ in range(60):
        chosen = [f"d{n}" for n in rng.integers(0, 30, 5)]
        if rng.random() < 0.5:
            vector = rng.standard_normal(DIMENSIONS).astype(np.float32)
            writer.upsert("s", [make_row(d, vector=vector, text=d) for d in set(chosen)])
        else:
            writer.delete_ids("s", [f"{d}-v1-1.0" for d in chosen])
        if rng.random() < 0.4:
            held = {row.id: row.vector for row in writer.list_rows("s", with_vectors=True)}
            query = rng.standard_normal(DIMENSIONS).astype(np.float32)
            query /= np.linalg.norm(query)
            found = {match.id: match.score for match in near(reader, "s", query, top_k=99)}
            assert found == pytest.approx({id: v @ query / np.linalg.norm(v) for id, v in held.items()}, abs=1e-5)


def test_a_shard_dropped_by_another_process_is_noticed(tmp_path: Path) -> None:
    mine, other = opened(tmp_path), opened(tmp_path)
    mine.upsert("s", [make_row("old")])
    near(mine, "s", unit_vector(1), top_k=1)
    other.drop("s")
    assert near(mine, "s", unit_vector(1), top_k=1) == []
    other.upsert("s", [make_row("new")])
    assert [m.document for m in near(mine, "s", unit_vector(1), top_k=9)] == ["new"]
    mine.upsert("s", [make_row("newer")])
    assert other.count("s") == 2


def test_a_shard_made_anew_by_another_process_scores_its_own_rows(tmp_path: Path) -> None:
    mine, other = opened(tmp_path), opened(tmp_path)
    rows = [make_row("a", text="stack"), make_row("b", text="stack stack stack and more")]
    mine.upsert("s", rows)
    wording = wording_of(mine, ["s"], "stack")
    scores = {match.id: match.score for match in worded(mine, "s", "stack", top_k=9)}
    other.drop("s")
    other.upsert("s", rows[::-1])
    assert len(scores) == 2
    assert mine.score_words("s", [row.id for row in rows], wording) == scores


def test_a_full_disk_is_a_typed_failure_and_leaves_the_shard_whole(tmp_path: Path) -> None:
    opened(tmp_path).upsert("s", [make_row("before")])
    script = f"""
import signal, sys
from pathlib import Path
from embedmill.shared.errors import StorageFailed
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.vectorstore import make_row
store = EmbeddedVectorStore(Path({str(tmp_path)!r}), dimensions={DIMENSIONS})
written = 0
try:
    for n in range(1000):
        store.upsert("s", [make_row(f"d{{n}}", k, text="apple " * 200) for k in range(20)])
        written += 1
except StorageFailed as error:
    print(written, store.count("s"), error.hint)
"""

    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        preexec_fn=limit_file_size,
    )
    written, counted, hint = run.stdout.split(" ", 2)
    assert "disk" in hint, run.stderr
    assert int(counted) == int(written) * 20 + 1
    assert opened(tmp_path).count("s") == int(counted)
    opened(tmp_path).upsert("s", [make_row("after")])


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_a_damaged_file_is_a_typed_failure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.db").write_bytes(content)
    store = opened(tmp_path)
    for use in (lambda: store.count("s"), lambda: store.upsert("s", [make_row()])):
        with pytest.raises(ShardDamaged, match=r"s\.db") as caught:
            use()
        assert "verify --repair" in caught.value.hint
    assert (tmp_path / "s.db").read_bytes() == content


def test_a_damaged_file_is_kept_aside_and_the_shard_written_anew(tmp_path: Path) -> None:
    for _ in range(2):
        store = opened(tmp_path)
        store.upsert("s", [make_row("before")])
        store.examine("s")
        store.close()
        (tmp_path / "s.db").write_bytes(b"garbage" * 1000)
        with pytest.raises(ShardDamaged):
            store.examine("s")
        kept = Path(store.set_aside("s"))
        assert kept.read_bytes() == b"garbage" * 1000
        assert (store.count("s"), (tmp_path / "s.db").exists()) == (0, False)
    store.upsert("s", [make_row("after")])
    assert [row.document for row in store.list_rows("s")] == ["after"]
    assert sorted(path.name for path in tmp_path.glob("*.damaged-?")) == ["s.db.damaged-1", "s.db.damaged-2"]


def test_damage_in_the_middle_is_a_typed_failure(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.upsert("s", [make_row(f"d{n}", text="apple " * 200) for n in range(200)])
    store.close()
    file = tmp_path / "s.db"
    content = bytearray(file.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(ShardDamaged, match=r"s\.db"):
        list(opened(tmp_path).list_rows("s"))
    with pytest.raises(ShardDamaged, match=r"s\.db"):
        opened(tmp_path).examine("s")


def test_what_cannot_be_opened_is_not_taken_for_damaged(tmp_path: Path) -> None:
    (tmp_path / "s.db").mkdir()
    with pytest.raises(StorageFailed, match=r"s\.db") as caught:
        opened(tmp_path).examine("s")
    assert not isinstance(caught.value, ShardDamaged)
    assert "permissions" in caught.value.hint


def test_a_foreign_database_is_refused_and_untouched(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = (tmp_path / "s.db").read_bytes()
    with pytest.raises(StorageFailed, match="not a vector shard"):
        opened(tmp_path).upsert("s", [make_row()])
    assert (tmp_path / "s.db").read_bytes() == before


def test_a_newer_schema_and_other_dimensions_are_refused(tmp_path: Path) -> None:
    opened(tmp_path).upsert("s", [make_row()])
    with pytest.raises(StorageFailed, match="dimensions"):
        EmbeddedVectorStore(tmp_path, dimensions=DIMENSIONS + 1).count("s")
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StorageFailed, match="schema 99"):
        opened(tmp_path).count("s")


def test_a_file_left_empty_by_a_crash_is_finished_by_the_next_writer(tmp_path: Path) -> None:
    (tmp_path / "s.db").touch()
    assert opened(tmp_path).count("s") == 0
    opened(tmp_path).upsert("s", [make_row()])
    assert opened(tmp_path).count("s") == 1


def test_a_folder_that_cannot_be_made_is_a_typed_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed, match="file"):
        opened(tmp_path / "file" / "vectors").upsert("s", [make_row()])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_typed_failure(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageFailed, match=r"s\.db|creating") as caught:
        opened(tmp_path).upsert("s", [make_row()])
    assert "permissions" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anywhere")
def test_whose_folder_it_is_may_be_refused_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o000)
    with pytest.raises(StorageFailed, match="owner") as caught:
        read_marks(tmp_path)
    assert "permissions" in caught.value.hint


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.upsert("s", [make_row("d1", text="apple")])
    with pytest.raises(StorageFailed):
        store.upsert("s", [make_row("d1", text="pear", generation=2), make_row("d2", page=object())])
    assert [without_vector(row) for row in store.list_rows("s")] == [without_vector(make_row("d1", text="apple"))]
    assert len(worded(store, "s", "apple", top_k=3)) == 1


def made_by_version_1(file: Path, rows: int) -> None:
    """A shard as an earlier release left it, with a row deleted and the full-text index."""
    connection = sqlite3.connect(file)
    connection.executescript((Path(__file__).parent / "shard_1.sql").read_text())
    for n in range(rows):
        row = make_row(f"d{n}", text=f"apple number{n} {'filler ' * 30}", vector=unit_vector(1, n / 10 + 1 / 3))
        connection.execute(
            "INSERT INTO vectors VALUES (?, ?, ?, 'v1', 1, 1, 0, 'c0', ?, 0, 10, NULL, 'i1', '{}', ?, '', '', ?)",
            (n + 1, row.id, row.document, row.uri, row.vector.tobytes(), row.text),
        )
    connection.execute("INSERT INTO lexicon (lexicon) VALUES ('rebuild')")
    connection.commit()
    connection.close()


def test_a_shard_of_the_older_schema_is_read_as_it_is_and_brought_up_to_date_by_a_write(tmp_path: Path) -> None:
    made_by_version_1(tmp_path / "s.db", 30)
    store = opened(tmp_path)
    before = list(store.list_rows("s", with_vectors=True))
    assert [match.document for match in worded(store, "s", "number7", top_k=3)] == ["d7"]
    nearest = near(store, "s", unit_vector(1, 2), top_k=5)
    store.upsert("s", [make_row("new", text="number7")])
    assert {match.document for match in worded(store, "s", "number7", top_k=3)} == {"d7", "new"}
    assert near(store, "s", unit_vector(1, 2), top_k=5) == nearest
    rows = {row.id: row for row in opened(tmp_path).list_rows("s", with_vectors=True)}
    assert len(rows) == 31
    for row in before:
        assert without_vector(rows[row.id]) == without_vector(row)
        np.testing.assert_array_equal(rows[row.id].vector, row.vector)
    assert store.delete_ids("s", [before[0].id]) == 1
    assert len(worded(store, "s", "apple", top_k=99)) == 29


def test_a_shard_of_version_2_is_read_as_it_is_and_knows_heads_after_a_write(tmp_path: Path) -> None:
    store = opened(tmp_path)
    old = [make_row(f"d{n}", text=f"apple number{n}") for n in range(3)]
    store.upsert("s", old)
    store.close()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        for column in ("head_start", "head_end", "last_page"):
            connection.execute(f"ALTER TABLE vectors DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    store = opened(tmp_path)
    assert [without_vector(row) for row in store.list_rows("s")] == [without_vector(row) for row in old]
    assert store.fetch("s", [old[0].id])[old[0].id].head is None
    new = make_row("d9", text="k | v\n1 | apple", page=2, head=(4, 9), last_page=3)
    store.upsert("s", [new])
    assert [without_vector(row) for row in store.list_rows("s")] == [without_vector(row) for row in [*old, new]]
    assert len(worded(store, "s", "apple", top_k=9)) == 4


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_a_vector_comes_back_to_the_last_bit_in_whatever_width_it_is_kept(
    tmp_path: Path, kind: type[np.floating[Any]]
) -> None:
    rng = np.random.default_rng(0)
    vectors = [vector_of(rng).astype(kind).astype(np.float32) for _ in range(4)]
    store = opened(tmp_path)
    store.upsert("s", [make_row(f"d{n}", vector=vector) for n, vector in enumerate(vectors)])
    for row, vector in zip(store.list_rows("s", with_vectors=True), vectors, strict=True):
        np.testing.assert_array_equal(row.vector, vector)
    width = sqlite3.connect(tmp_path / "s.db").execute("SELECT max(length(vector)) FROM vectors").fetchone()[0]
    assert width == np.dtype(kind).itemsize * DIMENSIONS


def test_who_drops_the_last_shard_leaves_nothing_behind(tmp_path: Path) -> None:
    store = EmbeddedVectorStore(tmp_path / "c1", dimensions=DIMENSIONS, owner=Owner(lambda: "mill-1", len))
    for shard in ("s", "t"):
        store.upsert(shard, [make_row("d")])
    (tmp_path / "c1" / "s.db.damaged-1").write_bytes(b"what was put aside holds texts too")
    store.drop("s")
    assert {file.name for file in (tmp_path / "c1").iterdir()} >= {"t.db", "owner"}
    assert not list((tmp_path / "c1").glob("s.*"))
    store.drop("t")
    assert not (tmp_path / "c1").exists()
    store.upsert("s", [make_row("d")])
    assert store.count("s") == 1


def test_an_older_file_in_the_place_of_a_shard_is_noticed(tmp_path: Path) -> None:
    store = EmbeddedVectorStore(tmp_path / "c1", dimensions=DIMENSIONS)
    for shard in ("s", "t"):
        store.upsert(shard, [make_row(f"{shard}1")])
    store.close()
    shutil.copy(tmp_path / "c1" / "s.db", tmp_path / "kept")
    store.upsert("s", [make_row("s2")])
    store.delete_ids("s", ["s1-v1-1.0"])
    store.examine("s")
    store.close()
    shutil.copy(tmp_path / "kept", tmp_path / "c1" / "s.db")
    for reader in (store, EmbeddedVectorStore(tmp_path / "c1", dimensions=DIMENSIONS)):
        found = reader.search_vectors(["s", "t"], make_row("t1").vector, top_k=3)
        assert [match.shard for match in found.matches] == ["t"]
        assert "an older file" in found.failed["s"]
        for look in (reader.examine, reader.describe):
            with pytest.raises(ShardDamaged, match="older"):
                look("s")
        reader.examine("t")
    store.set_aside("s")
    store.upsert("s", [make_row("s2")])
    assert store.search_vectors(["s", "t"], make_row("t1").vector, top_k=3).failed == {}


def test_a_file_of_before_a_repair_is_noticed_and_no_write_to_it_makes_it_the_shard(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.upsert("s", [make_row("d1"), make_row("d2")])
    stale = opened(tmp_path)
    assert near_found(stale).failed == {}
    kept = store.set_aside("s")
    store.upsert("s", [make_row("d3")])
    store.close()
    with closing(sqlite3.connect(kept)) as former:
        former.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(kept, tmp_path / "s.db")
    for reader in (store, stale, opened(tmp_path)):
        assert "an older file" in near_found(reader).failed["s"]
        with pytest.raises(ShardDamaged, match="older"):
            reader.examine("s")
        with pytest.raises(ShardDamaged, match="older"):
            reader.count("s")
        reader.upsert("s", [make_row(f"d{n}") for n in range(4, 9)])
        assert "an older file" in near_found(reader).failed["s"]
    store.set_aside("s")
    store.upsert("s", [make_row("d3")])
    assert near_found(store).failed == {}


def test_an_older_file_does_not_catch_up_with_what_it_lost(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.upsert("s", [make_row("d1")])
    store.close()
    shutil.copy(tmp_path / "s.db", tmp_path / "kept")
    store.upsert("s", [make_row("d2")])
    store.close()
    shutil.copy(tmp_path / "kept", tmp_path / "s.db")
    for n in range(3, 9):
        opened(tmp_path).upsert("s", [make_row(f"d{n}")])
    assert "an older file" in near_found(opened(tmp_path)).failed["s"]


def test_a_file_of_the_first_schema_that_is_put_back_is_noticed(tmp_path: Path) -> None:
    opened(tmp_path).upsert("s", [make_row("d1")])
    (tmp_path / "s.db").unlink()
    made_by_version_1(tmp_path / "s.db", 3)
    assert "an older file" in near_found(opened(tmp_path)).failed["s"]


def test_a_shard_whose_file_was_taken_away_is_made_anew_by_a_write(tmp_path: Path) -> None:
    opened(tmp_path).upsert("s", [make_row("d1")])
    for file in tmp_path.glob("s.db*"):
        file.unlink()
    store = opened(tmp_path)
    store.upsert("s", [make_row("d2")])
    assert [match.document for match in near_found(store).matches] == ["d2"]
    assert near_found(store).failed == {}


def test_who_reads_while_another_writes_does_not_take_the_shard_for_an_older_file(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.upsert("s", [make_row("d1")])
    shard = store._shard("s")
    with shard.file.read() as connection:
        assert connection is not None
        connection.execute("SELECT count(*) FROM vectors").fetchone()
        opened(tmp_path).upsert("s", [make_row("d2")])
        shard.require_whole(connection)


def near_found(store: EmbeddedVectorStore) -> Found:
    return store.search_vectors(["s"], make_row("d1").vector, top_k=9)
