"""Reading regular files: nothing blocks on a FIFO or wakes a device, and a failure is typed and names no path."""

import errno
import hashlib
import os
import stat
from typing import NamedTuple, NoReturn

from embedmill.shared.errors import ParserLimitExceeded, SourceGone, UnreadableDocument

CHUNK_BYTES = 256 * 1024
LEAST_BYTES = 4096
"""Some files say that they are empty, and are not."""
HEAD_BYTES = 64 * 1024

GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
REFUSED = frozenset({errno.EACCES, errno.EPERM})
UNREADABLE = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO, errno.EIO})
REASONS = {
    errno.ENOENT: "it is not there, or went away while it was being read",
    errno.ENOTDIR: "a part of its path is not a folder, or was replaced while it was being read",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "a symbolic link loop, or a link that was put in its place while it was being read",
    errno.ENAMETOOLONG: "its path is longer than the system can open",
}

PERMISSION_HINT = "Let the user that runs Embedmill read it (chmod, chown, or group membership)."
SIZE_HINT = "If the file is genuine, raise EMBEDMILL_MAX_DOCUMENT_MB and replay; else exclude it with --exclude."


def describe_os_error(error: OSError) -> str:
    """Why something could not be read, in words and without its path."""
    return REASONS.get(error.errno or 0) or error.strerror or "it could not be read"


def describe_mode(mode: int) -> str:
    """What an inode is when it is not a regular file."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a FIFO (named pipe)",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a regular file")


def open_regular_file(path: bytes, *, flags: int = 0, dir_fd: int | None = None) -> int:
    """A descriptor for reading; the caller closes it. `flags` may add O_NOFOLLOW.

    Raises SourceGone, UnreadableDocument, or OSError for what is the machine's fault (no descriptors left).
    """
    return _open_sized(path, flags=flags, dir_fd=dir_fd)[0]


def _open_sized(path: bytes, *, flags: int = 0, dir_fd: int | None = None) -> tuple[int, int]:
    """The descriptor, and how many bytes the file had when it was opened."""
    try:
        _refuse_special(os.stat(path, dir_fd=dir_fd, follow_symlinks=not flags & os.O_NOFOLLOW))
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags, dir_fd=dir_fd)
    except OSError as error:
        _raise_typed(error)
    try:
        status = os.fstat(descriptor)
        _refuse_special(status)
    except UnreadableDocument:
        os.close(descriptor)
        raise
    return descriptor, status.st_size


def read_regular_file(path: bytes, *, max_bytes: int) -> bytes:
    """The whole file; raises as `open_regular_file` does, and ParserLimitExceeded over `max_bytes`."""
    descriptor, size = _open_sized(path)
    try:
        _refuse_large(size, max_bytes)
        data = os.read(descriptor, size + 1)
        if len(data) != size:  # it grew meanwhile, or is larger than one call reads
            data += _read_rest(descriptor, max_bytes + 1 - len(data))
    except OSError as error:
        _raise_typed(error)
    finally:
        os.close(descriptor)
    _refuse_large(len(data), max_bytes)
    return data


def _read_rest(descriptor: int, most: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as stream:
        return stream.read(most)


class Hashed(NamedTuple):
    """A file that was read once: SHA-256 in hex, the number of bytes hashed, and its first HEAD_BYTES."""

    content_hash: str
    size: int
    head: bytes


def hash_regular_file(path: bytes, *, flags: int = 0, dir_fd: int | None = None) -> Hashed:
    """Read a file through in bounded memory; raises as `open_regular_file` does."""
    descriptor, size = _open_sized(path, flags=flags, dir_fd=dir_fd)
    try:
        return _hash_descriptor(descriptor, at_once=min(max(size + 1, LEAST_BYTES), CHUNK_BYTES))
    except OSError as error:
        _raise_typed(error)
    finally:
        os.close(descriptor)


def _hash_descriptor(descriptor: int, *, at_once: int) -> Hashed:
    hasher, size, head = hashlib.sha256(), 0, b""
    while chunk := os.read(descriptor, at_once):
        hasher.update(chunk)
        size += len(chunk)
        head = head or chunk[:HEAD_BYTES]
    return Hashed(hasher.hexdigest(), size, head)


def _refuse_special(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableDocument(f"{describe_mode(status.st_mode)}, not a regular file")


def _refuse_large(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ParserLimitExceeded(f"the file is larger than the limit of {max_bytes:,} bytes", hint=SIZE_HINT)


def _raise_typed(error: OSError) -> NoReturn:
    reason = describe_os_error(error)
    if error.errno in GONE:
        raise SourceGone(reason) from error
    if error.errno in REFUSED:
        raise UnreadableDocument(reason, hint=PERMISSION_HINT) from error
    if error.errno in UNREADABLE:
        raise UnreadableDocument(reason) from error
    raise error
