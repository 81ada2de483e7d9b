"""Only regular files are read, and every failure is typed."""

import errno
import hashlib
import os
import socket
from pathlib import Path

import pytest

from embedmill.shared.errors import ParserLimitExceeded, SourceGone, UnreadableDocument
from embedmill.shared.files import (
    CHUNK_BYTES,
    HEAD_BYTES,
    Hashed,
    describe_os_error,
    hash_regular_file,
    open_regular_file,
    read_regular_file,
)


def test_a_file_is_read_whole_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular_file(bytes(path), max_bytes=5) == b"12345"


def test_a_file_over_the_limit_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    with pytest.raises(ParserLimitExceeded) as caught:
        read_regular_file(bytes(path), max_bytes=4)
    assert "EMBEDMILL_MAX_DOCUMENT_MB" in caught.value.hint


def test_a_file_whose_size_is_not_known_beforehand_is_still_limited() -> None:
    # Files of procfs are regular and claim to be empty.
    assert read_regular_file(b"/proc/self/status", max_bytes=1_000_000).startswith(b"Name:")
    with pytest.raises(ParserLimitExceeded):
        read_regular_file(b"/proc/self/status", max_bytes=10)


def test_a_hash_covers_every_chunk(tmp_path: Path) -> None:
    data = os.urandom(CHUNK_BYTES * 2 + 7)
    (tmp_path / "a").write_bytes(data)
    found = hash_regular_file(bytes(tmp_path / "a"))
    assert found == Hashed(hashlib.sha256(data).hexdigest(), len(data), data[:HEAD_BYTES])


def test_a_link_is_followed_unless_the_caller_says_not_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert read_regular_file(bytes(tmp_path / "link"), max_bytes=9) == b"x"
    with pytest.raises(UnreadableDocument, match="symbolic link"):
        open_regular_file(bytes(tmp_path / "link"), flags=os.O_NOFOLLOW)


@pytest.mark.timeout(60)
def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableDocument, match="FIFO"):
        read_regular_file(bytes(tmp_path / "pipe"), max_bytes=1)


@pytest.mark.timeout(60)
def test_a_fifo_that_takes_a_files_place_between_look_and_open_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    real_open, before = os.open, len(os.listdir("/proc/self/fd"))

    def swap_and_open(name: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        path.unlink()
        os.mkfifo(path)
        return real_open(name, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap_and_open)
    with pytest.raises(UnreadableDocument, match="FIFO"):
        hash_regular_file(bytes(path))
    assert len(os.listdir("/proc/self/fd")) == before


def test_sockets_devices_and_folders_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        for path, kind in ((b"s", "socket"), (b"/dev/zero", "device"), (b".", "folder")):
            with pytest.raises(UnreadableDocument, match=kind):
                hash_regular_file(path)


def test_a_missing_file_and_a_file_as_a_folder_are_gone(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    for name in ("missing", "a/b"):
        with pytest.raises(SourceGone):
            read_regular_file(bytes(tmp_path / name), max_bytes=1)


def test_a_link_loop_and_an_over_long_path_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in (bytes(tmp_path / "loop"), b"/" + b"d/" * 3000):
        with pytest.raises(UnreadableDocument):
            hash_regular_file(path)


def test_no_message_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(SourceGone) as caught:
        hash_regular_file(bytes(tmp_path / "secret-name"))
    assert "secret-name" not in str(caught.value)


def test_running_out_of_descriptors_is_not_the_documents_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x")

    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        hash_regular_file(bytes(tmp_path / "a"))


def test_an_unknown_error_is_described_by_the_system() -> None:
    assert describe_os_error(OSError(errno.ESTALE, "Stale file handle")) == "Stale file handle"
