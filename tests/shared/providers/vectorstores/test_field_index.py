"""The index of fields beside a shard: the rows that a filter selects, whatever was written, deleted or lost since."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.embedded import field_index
from embedmill.shared.providers.vectorstores.embedded.field_index import FieldIndex

TABLES = """
PRAGMA user_version = 2;
CREATE TABLE shard (identity TEXT, seq INTEGER);
INSERT INTO shard VALUES ('one', 1);
CREATE TABLE vectors (
    key INTEGER PRIMARY KEY, document TEXT, uri TEXT, title TEXT, section TEXT, page INTEGER, metadata TEXT
);
"""


@pytest.fixture
def shard() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_index, "FILE_ROWS", 8)
    monkeypatch.setattr(field_index, "MOST_ROWS", 32)
    monkeypatch.setattr(field_index, "READ_ROWS", 3)


def write(shard: sqlite3.Connection, first: int, after: int) -> None:
    """Rows by key, three of a document, every second document in German."""
    for key in range(first, after):
        document = f"d{key // 3}"
        metadata = '{"lang": "de", "n": %d}' % (key // 3) if key // 3 % 2 else '{"n": %d}' % (key // 3)  # noqa: UP031
        row = (key, document, f"file:///{document}", "T", f"S{key % 3}", key % 2 or None, metadata)
        shard.execute("INSERT INTO vectors VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def selected(index: FieldIndex, shard: sqlite3.Connection, text: str) -> list[int]:
    return [int(key) for key in index.select(shard, parse_filter(text)).to_keys()]


def german(first: int, after: int) -> list[int]:
    return [key for key in range(first, after) if key // 3 % 2]


def test_rows_are_found_by_every_field(shard: sqlite3.Connection, tmp_path: Path) -> None:
    write(shard, 1, 21)
    index = FieldIndex(tmp_path / "s.fields")
    assert selected(index, shard, "lang = de") == german(1, 21)
    assert selected(index, shard, "document = d2 and section = S1") == [7]
    assert selected(index, shard, "not exists(page) and uri ~ */d3") == [10]
    assert selected(index, shard, "title = T and n < 2") == [1, 2, 3, 4, 5]
    assert selected(index, shard, "title = x") == []


def test_what_is_written_later_is_found_too(shard: sqlite3.Connection, tmp_path: Path) -> None:
    index = FieldIndex(tmp_path / "s.fields")
    assert selected(index, shard, "lang = de") == []
    for step in range(1, 100, 7):
        write(shard, step, step + 7)
        assert selected(index, shard, "lang = de") == german(1, step + 7)
        assert selected(FieldIndex(tmp_path / "s.fields"), shard, "lang = de") == german(1, step + 7)
    sizes = [len(block) for block in index._blocks]
    assert len(sizes) < 12
    assert sum(sizes) == 105
    kept = [block.pages is not None for block in index._blocks]
    assert kept == [size >= field_index.FILE_ROWS for size in sizes], "what is in a file is not in memory too"


def test_a_mask_tells_which_of_the_keys_that_are_asked_for(shard: sqlite3.Connection, tmp_path: Path) -> None:
    write(shard, 1, 60)
    found = FieldIndex(tmp_path / "s.fields").select(shard, parse_filter("lang = de"))
    keys = np.array([2, 3, 5, 6, 45, 59, 60, 700], np.int64)
    assert found.mask(keys).tolist() == [False, True, True, False, True, True, False, False]
    assert found.mask(keys[:0]).tolist() == []


def test_a_reader_uses_files_and_reads_no_row_again(shard: sqlite3.Connection, tmp_path: Path) -> None:
    write(shard, 1, 31)
    selected(FieldIndex(tmp_path / "s.fields"), shard, "lang = de")
    shard.execute("UPDATE vectors SET metadata = 'not even JSON'")
    assert selected(FieldIndex(tmp_path / "s.fields"), shard, "lang = de") == german(1, 31)


def damaged(data: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut off": data[:-8],
        "longer": data + b"\0" * 8,
        "another form": data[:16] + data[16:].replace(b"fields 1", b"fields 9", 1),
        "garbage": bytes(len(data)),
        "one bit": data[:-20] + bytes([data[-20] ^ 1]) + data[-19:],
    }


@pytest.mark.parametrize("how", damaged(b"x" * 40))
def test_a_damaged_file_is_made_anew(shard: sqlite3.Connection, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "s.fields"
    write(shard, 1, 60)
    selected(FieldIndex(folder), shard, "lang = de")
    first = min(folder.iterdir())
    first.write_bytes(damaged(first.read_bytes())[how])
    assert selected(FieldIndex(folder), shard, "lang = de") == german(1, 60)
    assert selected(FieldIndex(folder), shard, "lang = de") == german(1, 60)


def test_another_shard_of_the_name_has_files_of_its_own(shard: sqlite3.Connection, tmp_path: Path) -> None:
    folder = tmp_path / "s.fields"
    index = FieldIndex(folder)
    write(shard, 1, 31)
    selected(index, shard, "lang = de")
    shard.execute("UPDATE shard SET identity = 'two'")
    shard.execute("UPDATE vectors SET metadata = '{}'")
    assert selected(index, shard, "lang = de") == []
    assert {path.name.split("-")[0] for path in folder.iterdir()} == {"two"}


def test_a_folder_that_cannot_be_written_is_no_matter(shard: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "s.fields").write_text("a file")
    write(shard, 1, 31)
    assert selected(FieldIndex(tmp_path / "s.fields"), shard, "lang = de") == german(1, 31)


def test_a_selection_is_kept_until_rows_come(shard: sqlite3.Connection, tmp_path: Path) -> None:
    write(shard, 1, 31)
    index = FieldIndex(tmp_path / "s.fields")
    conditions: list[Any] = [parse_filter(f"n = {n}") for n in range(20)]
    first = [index.select(shard, condition) for condition in conditions]
    assert index.select(shard, conditions[-1]) is first[-1]
    write(shard, 31, 34)
    assert index.select(shard, conditions[-1]) is not first[-1]


def test_keys_of_an_older_shard_may_be_given_again(shard: sqlite3.Connection, tmp_path: Path) -> None:
    shard.execute("PRAGMA user_version = 1")
    write(shard, 1, 31)
    index = FieldIndex(tmp_path / "s.fields")
    assert selected(index, shard, "lang = de") == german(1, 31)
    shard.execute("UPDATE vectors SET metadata = '{}'")
    shard.execute("UPDATE shard SET seq = 12")
    assert selected(index, shard, "lang = de") == []
    assert selected(FieldIndex(tmp_path / "s.fields"), shard, "n >= 0") == []


def test_drafts_that_a_killed_process_left_go_after_a_while(shard: sqlite3.Connection, tmp_path: Path) -> None:
    folder = tmp_path / "s.fields"
    folder.mkdir()
    for name, seconds in (("one-0-9.old", 2 * field_index.DRAFT_SECONDS), ("one-0-9.new", 0)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - seconds,) * 2)
    write(shard, 1, 31)
    assert selected(FieldIndex(folder), shard, "lang = de") == german(1, 31)
    assert [path.name for path in folder.glob("*.*")] == ["one-0-9.new"]
