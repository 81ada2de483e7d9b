"""A list names files, each taken once; it never says that anything was deleted."""

import io
import os
from pathlib import Path

import pytest

from embedmill.producers.sources.base import FileItem, Problem, Skipped
from embedmill.producers.sources.listing import ListSource
from embedmill.shared.errors import StorageFailed


def of_bytes(data: bytes, base: Path, *, null_separated: bool = False) -> ListSource:
    return ListSource.of_stream(io.BytesIO(data), base=bytes(base), null_separated=null_separated)


def test_paths_are_relative_to_the_base_and_come_in_order(tmp_path: Path) -> None:
    for name in ("b.md", "a.md"):
        (tmp_path / name).write_text(name)
    items = list(of_bytes(b"b.md\r\n\n./sub/../a.md\n" + bytes(tmp_path / "b.md"), tmp_path))
    assert [item.uri for item in items] == [(tmp_path / name).as_uri() for name in ("b.md", "a.md")]
    assert all(isinstance(item, FileItem) for item in items)


def test_a_nul_separated_list_takes_every_name(tmp_path: Path) -> None:
    names = [b"new\nline", b"\xff\xfe", b"cr\r", b" space "]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(b"x")
    items = list(of_bytes(b"\0".join(names) + b"\0", tmp_path, null_separated=True))
    assert [item.path for item in items if isinstance(item, FileItem)] == [bytes(tmp_path) + b"/" + n for n in names]


@pytest.mark.timeout(60)
def test_what_is_no_file_says_so_with_its_place_in_the_list(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.png").touch()
    items = list(of_bytes(b"missing\nfolder\npipe\na.png\nnul\0byte\n" + b"x" * 100_000 + b"\n", tmp_path))
    assert [type(item) for item in items] == [Problem, Problem, Skipped, Skipped, Problem, Problem]
    assert [item.line for item in items if isinstance(item, Problem)] == [1, 2, 5, 6]
    assert isinstance(items[1], Problem)
    assert "SOURCE" in items[1].reason


def test_a_link_that_is_named_is_the_file_that_it_leads_to_and_counts_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.md").write_text("x")
    (tmp_path / "link.md").symlink_to("sub/a.md")
    (tmp_path / "link").symlink_to("sub")
    items = list(of_bytes(b"link.md\nsub/a.md\nlink/a.md\nlink/../sub/a.md\n", tmp_path))
    assert [item.uri for item in items] == [(tmp_path / "sub/a.md").as_uri()]


def test_standard_input_can_be_read_again_and_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    one = of_bytes(b"a\n", tmp_path)
    assert list(one) == list(one) != []
    assert one.identity == of_bytes(b"a\n", tmp_path).identity
    others = [of_bytes(b"b\n", tmp_path), of_bytes(b"a\n", tmp_path / "x")]
    assert len({one.identity, *(other.identity for other in others)}) == 3
    assert not one.detects_deletions


def test_a_list_that_finds_no_room_for_its_copy_is_a_storage_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda: full)
        with pytest.raises(StorageFailed, match="No space left"):
            of_bytes(b"a\n", tmp_path)


def test_a_list_in_a_file_is_read_when_it_is_asked(tmp_path: Path) -> None:
    source = ListSource.of_file(bytes(tmp_path / "list"), base=bytes(tmp_path))
    assert isinstance(next(iter(source)), Problem)
    (tmp_path / "list").write_text("a\n")
    (tmp_path / "a").touch()
    assert [item.uri for item in source] == [(tmp_path / "a").as_uri()]
