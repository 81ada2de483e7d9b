"""The embedded store's index: segments made small, compared with reading every row, whatever happens to them."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from isal import isal_zlib

from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores import exact
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.embedded import (
    building,
    field_index,
    listing,
    portions,
    read_whole,
    vector_search,
)
from embedmill.shared.providers.vectorstores.embedded import shard as shards_module
from embedmill.shared.providers.vectorstores.embedded.segment_files import open_written
from embedmill.shared.providers.vectorstores.embedded.shard import Shard
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.rows import IndexChanged, Selection
from embedmill.shared.words import counting, cutting
from embedmill.shared.words.queries import parse_query, weigh
from embedmill.shared.words.weighing import Wording
from tests import forked
from tests.contracts.rows import make_row, near, vector_of, wording_of
from tests.shared.providers.vectorstores import builder
from tests.shared.providers.vectorstores.builder import SLICE, any_row, make_small, opened

WORDS = "w1 w2 w3 w9"


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch.setattr)


def require_exact(store: VectorStore, shards: Sequence[str], rng: np.random.Generator) -> None:
    """Counts, words and vectors are those of reading every row."""
    query = parse_query(WORDS)
    counted = store.count_words(shards, query.terms)
    assert counted == VectorStore.count_words(store, shards, query.terms)
    wording, vector = weigh(query, counted.counts), vector_of(rng)
    for selection in (Selection(), Selection(required=(frozenset(query.terms[:1]),))):
        for top_k in (7, 1000):
            found = store.search_words(shards, wording, top_k=top_k, selection=selection)
            assert found == VectorStore.search_words(store, shards, wording, top_k=top_k, selection=selection)
            found = store.search_vectors(shards, vector, top_k=top_k, selection=selection)
            assert found == VectorStore.search_vectors(store, shards, vector, top_k=top_k, selection=selection)


def files(root: Path) -> list[Path]:
    return sorted((root / "s.index").glob("*.segment"))


def fill(root: Path, rows: int, *, seed: int = 0) -> EmbeddedVectorStore:
    rng = np.random.default_rng(seed)
    store = opened(root)
    for start in range(0, rows, 10):
        store.upsert("s", [any_row(rng, f"d{n}") for n in range(start, min(start + 10, rows))])
    return store


def test_random_writes_deletes_and_openings_leave_what_reading_every_row_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    reader = opened(tmp_path)
    for turn in range(43):
        writer = opened(tmp_path)
        chosen = [f"d{n}" for n in rng.integers(0, 400, 12)]
        if rng.random() < 0.7:
            writer.upsert("s", [any_row(rng, document) for document in set(chosen)])
        else:
            writer.delete_ids("s", [f"{document}-v1-1.0" for document in chosen * 3])
        if turn % 7 == 0:
            require_exact(reader, ["s"], rng)
        if turn % 20 == 0:
            require_exact(opened(tmp_path), ["s"], rng)
        writer.close()
    assert len(files(tmp_path)) > 2


def test_rows_move_into_segments_and_their_words_wait_no_more(tmp_path: Path) -> None:
    fill(tmp_path, 3 * SLICE + 5)
    connection = sqlite3.connect(tmp_path / "s.db")
    assert connection.execute("SELECT count(*) FROM words").fetchone()[0] == 5
    listed = listing.read_list(connection)
    assert [one.rows for one in listed] == [3 * SLICE], "three slices became one segment"
    assert len(files(tmp_path)) <= 4, "what was merged is removed at the next step"


def test_a_segment_that_lost_many_rows_is_made_without_them(tmp_path: Path) -> None:
    store = fill(tmp_path, 3 * SLICE)
    store.delete_ids("s", [f"d{n}-v1-1.0" for n in range(2 * SLICE)])
    connection = sqlite3.connect(tmp_path / "s.db")
    assert [one.rows for one in listing.read_list(connection)] == [SLICE]
    assert connection.execute("SELECT count(*) FROM tombstones").fetchone()[0] == 0
    require_exact(store, ["s"], np.random.default_rng(1))


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def change_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [Path.unlink, cut_short, change_a_byte])
def test_a_damaged_segment_is_not_believed_and_made_anew(
    tmp_path: Path, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_whole, "SETTLED_NS", 0)
    fill(tmp_path, 5 * SLICE + 3).close()
    listed = {one.written.name for one in listing.read_list(sqlite3.connect(tmp_path / "s.db"))}
    require_exact(opened(tmp_path), ["s"], np.random.default_rng(2))
    victim = next(file for file in files(tmp_path) if file.name in listed)
    checksum = isal_zlib.crc32(victim.read_bytes())
    assert read_whole.was_read_whole(victim, victim.stat(), checksum)
    damage(victim)
    reader = opened(tmp_path)
    require_exact(reader, ["s"], np.random.default_rng(2))
    now = {one.written.name for one in listing.read_list(sqlite3.connect(tmp_path / "s.db"))}
    assert victim.name not in now
    assert len(now) == len(listed)


def test_a_file_that_was_read_whole_is_read_so_again_once_it_changed_or_everything_is_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 3 * SLICE).close()
    file, checksum = next(iter(files(tmp_path))), 7
    read_whole.note_read_whole(file, file.stat(), checksum)
    assert not read_whole.was_read_whole(file, file.stat(), checksum), "it may change again in the same instant"
    monkeypatch.setattr(read_whole, "SETTLED_NS", 0)
    begun = file.parent / f"{read_whole.NOTES}.0123"
    begun.write_bytes(b"{")
    read_whole.note_read_whole(file, file.stat(), checksum)
    assert read_whole.was_read_whole(file, file.stat(), checksum)
    assert not begun.exists(), "a note that was cut short"
    assert not read_whole.was_read_whole(file, file.stat(), checksum + 1)
    before = file.stat()
    time.sleep(0.01)  # the file system's clock has ticks
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not read_whole.was_read_whole(file, file.stat(), checksum), "the time of its last change cannot be set"
    read_whole.note_read_whole(file, file.stat(), checksum)
    opened(tmp_path).examine("s")
    assert not read_whole.was_read_whole(file, file.stat(), checksum)


def test_without_any_of_its_files_the_index_is_made_anew_and_strangers_are_removed(tmp_path: Path) -> None:
    fill(tmp_path, 5 * SLICE).close()
    for file in files(tmp_path):
        file.unlink()
    (tmp_path / "s.index" / "0123.segment").write_bytes(b"a stranger")
    require_exact(opened(tmp_path), ["s"], np.random.default_rng(3))
    listed = {one.written.name for one in listing.read_list(sqlite3.connect(tmp_path / "s.db"))}
    assert listed <= {file.name for file in files(tmp_path)}
    assert not (tmp_path / "s.index" / "0123.segment").exists()


def test_an_index_of_another_cutter_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 5 * SLICE + 7).close()
    monkeypatch.setattr(cutting, "VERSION", cutting.VERSION + 1)
    require_exact(opened(tmp_path), ["s"], np.random.default_rng(4))


class TestAnotherCutter:
    """Its index is made beside the one of before, which answers whole until all shards have the new one."""

    ROWS = 5 * SLICE + 7
    SHARDS = ("s", "t")
    OLD = cutting.VERSION

    @pytest.fixture
    def before(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
        """How many rows of two shards had a word for the cutter of before; today's finds one more word in each row."""
        monkeypatch.setattr(listing, "CUT_AT_ONCE", 3)
        rng, store = np.random.default_rng(6), opened(tmp_path)
        for shard in self.SHARDS:
            for start in range(0, self.ROWS, 10):
                store.upsert(shard, [any_row(rng, f"{shard}{n}") for n in range(start, min(start + 10, self.ROWS))])
        found = self.found(store, "w1")[0]
        store.close()
        count_each, count_few = counting.count_each, cutting.count_few

        def anew(chunks: Sequence[cutting.Words]) -> list[cutting.Words]:
            return [chunk._replace(text=f"{chunk.text} anew") for chunk in chunks]

        monkeypatch.setattr(cutting, "VERSION", self.OLD + 1)
        monkeypatch.setattr(counting, "count_each", lambda chunks: count_each(anew(chunks)))
        for place in (cutting, exact):
            monkeypatch.setattr(place, "count_few", lambda chunks: count_few(anew(chunks)))
        monkeypatch.setattr(portions.Pass, "for_a_share", lambda _: lambda: False)
        return found

    def wording(self, store: EmbeddedVectorStore, word: str) -> Wording:
        query = parse_query(word)
        counted = store.count_words(self.SHARDS, query.terms)
        assert not counted.failed
        return weigh(query, counted.counts)

    def found(self, store: EmbeddedVectorStore, word: str) -> tuple[int, int | None]:
        """How many rows a search for a word finds, and by whose index if it is not today's."""
        wording = self.wording(store, word)
        found = store.search_words(self.SHARDS, wording, top_k=1000)
        assert not found.failed
        scores = store.score_words("s", [match.id for match in found.matches if match.shard == "s"], wording)
        assert scores == {match.id: match.score for match in found.matches if match.shard == "s"}
        return len(found.matches), wording.former

    def test_the_index_of_before_answers_until_every_shard_has_the_new_one(self, tmp_path: Path, before: int) -> None:
        reader, writer = opened(tmp_path), opened(tmp_path)
        assert before > 0
        assert writer.cut_anew("s") == self.ROWS
        assert self.found(reader, "w1") == (before, self.OLD), "one shard is ready, and the other is not"
        assert self.found(reader, "anew") == (0, self.OLD)
        assert writer.cut_anew("t") == self.ROWS
        assert self.found(reader, "w1") == (before, None)
        assert self.found(reader, "anew") == (2 * self.ROWS, None)
        require_exact(opened(tmp_path), self.SHARDS, np.random.default_rng(4))

    def test_who_dies_in_the_midst_of_it_leaves_the_index_of_before(self, tmp_path: Path, before: int) -> None:
        steps = iter((True, True, False))
        opened(tmp_path)._shard("s").catch_up(lambda: next(steps))
        assert self.found(opened(tmp_path), "w1") == (before, self.OLD)
        assert self.found(opened(tmp_path), "anew") == (0, self.OLD)
        assert [opened(tmp_path).cut_anew(shard) for shard in self.SHARDS] == [self.ROWS] * 2
        assert self.found(opened(tmp_path), "anew") == (2 * self.ROWS, None)

    def test_what_is_written_meanwhile_is_found_by_meaning_and_then_by_its_words(
        self, tmp_path: Path, before: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, new = opened(tmp_path), make_row("new", text="w1", vector=vector_of(np.random.default_rng(8)))
        monkeypatch.setattr(Shard, "look_after", lambda *_: None)
        store.upsert("s", [new])
        store.delete_ids("t", [f"t{n}-v1-1.0" for n in range(5)])
        for shard in self.SHARDS:
            found, former = self.found(store, "w1")
            assert (found <= before, former) == (True, self.OLD)
            nearest = store.search_vectors(self.SHARDS, new.vector, top_k=1)
            assert ([match.id for match in nearest.matches], nearest.failed) == ([new.id], {})
            store.cut_anew(shard)
        assert self.found(store, "anew") == (2 * self.ROWS + 1 - 5, None)
        require_exact(store, self.SHARDS, np.random.default_rng(4))

    def test_words_that_were_counted_of_an_index_are_scored_by_no_other(self, tmp_path: Path, before: int) -> None:
        reader, writer = opened(tmp_path), opened(tmp_path)
        wording = self.wording(reader, "w1")
        assert [writer.cut_anew(shard) for shard in self.SHARDS] == [self.ROWS] * 2
        writer.cut_anew("s")
        for ask in (
            lambda: reader.search_words(self.SHARDS, wording, top_k=3),
            lambda: reader.score_words("t", ["t1-v1-1.0"], wording),
        ):
            with pytest.raises(IndexChanged):
                ask()

    def test_where_nothing_can_be_written_the_index_of_before_answers(
        self, tmp_path: Path, before: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shards_module, "is_writable", lambda folder: False)
        assert opened(tmp_path).cut_anew("s") == 0
        assert self.found(opened(tmp_path), "w1") == (before, self.OLD)

    def test_nothing_of_the_index_of_before_is_left(self, tmp_path: Path, before: int) -> None:
        for shard in (*self.SHARDS, *self.SHARDS):
            opened(tmp_path).cut_anew(shard)
        for shard in self.SHARDS:
            with closing(sqlite3.connect(tmp_path / f"{shard}.db")) as connection:
                assert listing.cutters(connection) == {cutting.VERSION}
                listed = {one.written.name for one in listing.read_list(connection)}
            assert {file.name for file in (tmp_path / f"{shard}.index").glob("*.segment")} == listed


def test_where_nothing_can_be_written_the_rows_are_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 5 * SLICE + 3).close()
    for file in files(tmp_path)[1:]:
        file.unlink()
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(shards_module, "is_writable", lambda folder: False)
    require_exact(opened(tmp_path), ["s"], np.random.default_rng(5))
    assert [file for file in sorted(tmp_path.rglob("*")) if "-" not in file.name] == [
        file for file in before if "-" not in file.name
    ]


def test_where_an_index_cannot_be_made_the_rows_are_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(building, "write", fail)
    store = fill(tmp_path, 5 * SLICE)
    require_exact(store, ["s"], np.random.default_rng(10))
    require_exact(opened(tmp_path), ["s"], np.random.default_rng(10))


def test_without_time_to_make_the_index_the_shard_is_late_and_the_next_search_goes_on(tmp_path: Path) -> None:
    fill(tmp_path, 5 * SLICE).close()
    for file in files(tmp_path):
        file.unlink()
    store = opened(tmp_path)
    found = store.search_vectors(["s"], vector_of(np.random.default_rng(0)), top_k=3, deadline=0.0)
    assert found.matches == []
    assert list(found.failed) == ["s"]
    assert len(near(store, "s", vector_of(np.random.default_rng(0)), top_k=3)) == 3


def test_a_shard_whose_index_is_not_made_in_time_says_so_and_reads_no_rows_instead(tmp_path: Path) -> None:
    fill(tmp_path, 5 * SLICE).close()
    for file in files(tmp_path):
        file.unlink()
    shard = shards_module.Shard(tmp_path / "s.db", dimensions=len(vector_of(np.random.default_rng(0))))
    with pytest.raises(TimeoutError, match=shards_module.BEING_MADE), shard.viewed(lambda: False):
        pass
    shard.file.close()


def test_a_segment_for_which_the_disk_has_no_room_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    fill(tmp_path, 5 * SLICE).close()
    assert list((tmp_path / "s.index").glob("*.segment*")) == []


def test_what_is_made_once_for_a_filter_takes_no_time_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    under_way = portions.Pass(deadline=5.0)
    with under_way.paused():
        now[0] = 60.0
    assert under_way.is_in_time()
    now[0] = 66.0
    assert not under_way.is_in_time()
    with portions.Pass().paused():
        now[0] = 90.0


def test_a_shard_that_another_holds_takes_the_time_of_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = fill(tmp_path, 30)
    store.upsert("t", [any_row(np.random.default_rng(1), "other")])
    # Some hundredths of a second, of a minute.
    monkeypatch.setattr(portions, "SHARE_OF_TIME", 0.001)
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as holder:
        store.close()
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN IMMEDIATE")
        holder.execute("UPDATE shard SET seq = seq")
        found = opened(tmp_path).search_vectors(
            ["s", "t"], vector_of(np.random.default_rng(0)), top_k=5, deadline=time.monotonic() + 60
        )
    assert [match.shard for match in found.matches] == ["t"]
    assert "locked" in found.failed["s"]


def test_a_damaged_shard_is_named_and_the_others_answer(tmp_path: Path) -> None:
    store = fill(tmp_path, 30)
    (tmp_path / "t.db").write_bytes(b"this is no database at all" * 100)
    wording = wording_of(store, ["s"], WORDS)
    for found in (
        store.search_words(["s", "t"], wording, top_k=5),
        store.search_vectors(["t", "s"], vector_of(np.random.default_rng(0)), top_k=5),
    ):
        assert len(found.matches) == 5
        assert list(found.failed) == ["t"]
    counted = store.count_words(["s", "t"], [])
    assert (counted.counts.rows, list(counted.failed)) == (30, ["t"])


def test_above_the_exact_size_layouts_agree_and_little_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_search, "EXACT_ROWS", 100)
    monkeypatch.setattr(vector_search, "NEAR", vector_search.RowShare(150, 16, 4))
    monkeypatch.setattr(vector_search, "CANDIDATES", vector_search.RowShare(100, 256, 4))
    rng = np.random.default_rng(6)
    rows = [any_row(rng, f"d{n}") for n in range(600)]
    one, three = opened(tmp_path / "one"), opened(tmp_path / "three")
    for start in range(0, len(rows), 50):
        one.upsert("s", rows[start : start + 50])
    for n, shard in enumerate("stu"):
        three.upsert(shard, rows[::-1][n::3])
    met = {"dense": 0, "sparse": 0}
    for name, vector in [*(("dense", vector_of(rng)) for _ in range(10)), *(("sparse", _few(rng)) for _ in range(10))]:
        first = one.search_vectors(["s"], vector, top_k=10).matches
        second = three.search_vectors(["s", "t", "u"], vector, top_k=10).matches
        assert [(match.id, match.score) for match in first] == [(match.id, match.score) for match in second]
        exact = VectorStore.search_vectors(one, ["s"], vector, top_k=10).matches
        met[name] += len({match.id for match in first} & {match.id for match in exact})
    assert min(met.values()) >= 80


def _few(rng: np.random.Generator) -> np.ndarray:
    """A vector of few components, as words that are hashed give of a short query: nothing is told by the others."""
    vector = vector_of(rng)
    vector[rng.permutation(len(vector))[2:]] = 0
    return vector


def test_what_was_found_before_is_known_by_its_id_whatever_happened_to_it(tmp_path: Path) -> None:
    store, rng = fill(tmp_path, 3 * SLICE), np.random.default_rng(3)
    wording, ids = wording_of(store, ["s"], WORDS), [f"d{n}-v1-1.0" for n in range(3 * SLICE)]
    for _ in range(2):
        store.search_words(["s"], wording, top_k=100)
        store.search_vectors(["s"], vector_of(rng), top_k=100)
        opened(tmp_path).upsert("s", [any_row(rng, f"d{n}") for n in range(SLICE)])
        opened(tmp_path).delete_ids("s", ids[SLICE : SLICE + 5])
        assert store.score_words("s", ids, wording) == VectorStore.score_words(store, "s", ids, wording)
        vector = vector_of(rng)
        assert store.score("s", ids, vector) == pytest.approx(VectorStore.score(store, "s", ids, vector))
        held = store.find_terms("s", ids, list(wording.weights))
        rows = {row.id: row for row in store.list_rows("s")}
        assert held.keys() == rows.keys() == store.fetch("s", ids).keys()
        for id, row in rows.items():
            assert held[id] == wording.weights.keys() & set(counts_of(row).terms.tolist())
    (tmp_path / "s.db").unlink()
    assert not store.find_terms("s", ids, [1])
    assert not store.fetch("s", ids)


def test_a_segment_that_became_shorter_is_told_and_the_others_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_search, "KEPT_BYTES", 0)
    store = fill(tmp_path, 6 * SLICE)
    store.upsert("t", [any_row(np.random.default_rng(1), "other")])
    vector = vector_of(np.random.default_rng(0))
    found = store.search_vectors(["s", "t"], vector, top_k=1000)
    assert found == VectorStore.search_vectors(store, ["s", "t"], vector, top_k=1000)
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    found = store.search_vectors(["s", "t"], vector, top_k=1000)
    assert "shorter" in found.failed["s"]
    assert [match.document for match in found.matches] == ["other"]


def test_a_process_killed_while_it_makes_the_index_leaves_all_of_it_to_the_next(tmp_path: Path) -> None:
    fill(tmp_path, 2 * SLICE - 10).close()
    for moment in builder.MOMENTS:
        killed = forked.start(builder.write_and_die, tmp_path, moment)
        killed.join()
        assert killed.exitcode == 9
    require_exact(opened(tmp_path), ["s"], np.random.default_rng(7))
    fill(tmp_path, 4 * SLICE, seed=1)
    require_exact(opened(tmp_path), ["s"], np.random.default_rng(8))


def test_readers_and_writers_of_several_processes_agree(tmp_path: Path) -> None:
    writers = [forked.start(builder.write, tmp_path, f"p{n}", n) for n in range(2)]
    reader, rng = opened(tmp_path), np.random.default_rng(9)
    while any(writer.is_alive() for writer in writers):
        found = near(reader, "s", vector_of(rng), top_k=10_000)
        assert len({match.id for match in found}) == len(found)
    assert [writer.exitcode for writer in writers] == [0, 0]
    require_exact(reader, ["s"], rng)
    require_exact(opened(tmp_path), ["s"], rng)


class TestWhatDeletedRowsLeave:
    SECRET, WORD, FIELD = "zebrastripes of the hidden one", "zebrastripes", "quaggafield"

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedVectorStore:
        """Segments, columns of fields, a log and a file that was put aside, all with rows that are deleted then."""
        monkeypatch.setattr(field_index, "FILE_ROWS", 4)
        store = fill(tmp_path, 3 * SLICE)
        row = make_row("secret", text=self.SECRET, vector=vector_of(np.random.default_rng(1)))
        store.upsert("s", [replace(row, metadata={"kind": self.FIELD}, uri="file:///quaggauri.txt")])
        for start in range(0, 2 * SLICE, 10):
            store.upsert("s", [any_row(np.random.default_rng(start), f"e{start + n}") for n in range(10)])
        found = store.search_words(["s"], wording_of(store, ["s"], self.WORD), top_k=3)
        assert [match.id for match in found.matches] == [row.id]
        where = Selection(where=parse_filter(f"kind = {self.FIELD}"))
        assert len(store.search_vectors(["s"], row.vector, top_k=3, selection=where).matches) == 1
        (tmp_path / "s.db.damaged-1").write_text(self.SECRET)
        assert self.left(tmp_path) >= {"s.db.damaged-1", "index", "fields"}
        store.delete_ids("s", [row.id])
        return store

    def left(self, root: Path) -> set[str]:
        """The files and kinds of files in which anything of the deleted row stands."""
        terms = set(parse_query(self.WORD).terms)
        words = [word.encode() for word in (self.SECRET, self.FIELD, "quaggauri")]
        found = {file.name for file in root.glob("s.db*") if any(word in file.read_bytes() for word in words)}
        with closing(sqlite3.connect(root / "s.db")) as connection:
            for one in listing.read_list(connection):
                segment = open_written(root / "s.index", one.written)
                found |= {"index"} if segment and terms & set(segment.postings.terms.tolist()) else set()
        fields = (root / "s.fields").glob("*")
        return found | ({"fields"} if any(self.FIELD.encode() in file.read_bytes() for file in fields) else set())

    def test_is_on_the_disk_until_it_is_expunged(self, tmp_path: Path, store: EmbeddedVectorStore) -> None:
        assert self.left(tmp_path) >= {"index"}
        store.expunge("s")
        assert self.left(tmp_path) == set()
        assert {file.name for file in files(tmp_path)} == {
            one.written.name for one in listing.read_list(sqlite3.connect(tmp_path / "s.db"))
        }
        require_exact(store, ["s"], np.random.default_rng(2))
        require_exact(opened(tmp_path), ["s"], np.random.default_rng(2))

    def test_a_shard_without_any_has_nothing_to_expunge(self, tmp_path: Path) -> None:
        opened(tmp_path).expunge("s")
        assert not (tmp_path / "s.db").exists()
        store = fill(tmp_path, SLICE)
        before = [file.name for file in files(tmp_path)]
        store.expunge("s")
        assert [file.name for file in files(tmp_path)] == before
