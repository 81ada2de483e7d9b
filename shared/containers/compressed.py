"""Owns compressed files: a tape archive within, or a single file, which is a container of one."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, BinaryIO, cast

from embedmill.shared.containers.entries import ContainerEntry, Damage, Inside
from embedmill.shared.containers.names import clean_path
from embedmill.shared.containers.tars import is_tar, read_tar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
MOST_XZ_MEMORY = 256 * 1024 * 1024
"""What a file may ask for to be decompressed, in bytes; `xz -9` takes 65 MiB."""

_READ_BYTES = 64 * 1024
_PEEKED = 1024
_SUFFIXES = (".gz", ".bz2", ".xz", ".tgz", ".tbz2", ".tbz", ".txz")


def read_compressed(stream: BinaryIO, name: str) -> Iterator[Inside]:
    """The files of the tape archive within, or the one file that is. Raises Damage."""
    plain = BufferedReader(_Plain(stream))
    if is_tar(plain.peek(_PEEKED)):
        yield from read_tar(cast("BinaryIO", plain), name)
    else:
        yield ContainerEntry(_single_name(name), lambda: cast("BinaryIO", plain))


def _single_name(name: str) -> str:
    found = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return clean_path(name[: len(name) - len(found)].rpartition("/")[2])


class _Plain(RawIOBase):
    """The decompressed bytes of a stream, whose errors are ours."""

    def __init__(self, stream: BinaryIO) -> None:
        head = stream.read(len(XZ))
        stream.seek(0)
        self._stream = _decompressed(stream, head)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """As for every stream; raises Damage."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._stream.read(min(len(view), _READ_BYTES))
        except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError):
            raise Damage from None
        view[: len(data)] = data
        return len(data)


class _Xz:
    """Decompresses within a bound of memory, which the library's own file does not have."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inner = lzma.LZMADecompressor(memlimit=MOST_XZ_MEMORY)
        self._left = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._inner.eof:
                self._left = (self._inner.unused_data or self._stream.read(_READ_BYTES)).lstrip(b"\0")
                if not self._left:
                    return b""
                self._inner = lzma.LZMADecompressor(memlimit=MOST_XZ_MEMORY)
            given = self._left or (self._stream.read(_READ_BYTES) if self._inner.needs_input else b"")
            self._left = b""
            if not given and self._inner.needs_input:
                raise EOFError
            if data := self._inner.decompress(given, size):
                return data


def _decompressed(stream: BinaryIO, head: bytes) -> "gzip.GzipFile | bz2.BZ2File | _Xz":
    if head.startswith(GZIP):
        return gzip.GzipFile(fileobj=stream, mode="rb")
    if head.startswith(BZIP2):
        return bz2.BZ2File(stream)
    if head.startswith(XZ):
        return _Xz(stream)
    raise Damage("it is not compressed as its name says")
