"""Owns ZIP archives as containers: a file's size is counted while it is read, whatever the directory says."""

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from typing import IO, TYPE_CHECKING, BinaryIO, cast
from zipfile import BadZipFile, LargeZipFile, ZipFile, ZipInfo

from embedmill.shared.containers.entries import ContainerEntry, Damage, Inside, LeftOutEntry
from embedmill.shared.containers.names import MemberNames, decode_name

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

# What holds one of these is a document that is kept as an archive.
_DOCUMENTS = ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml", "mimetype")
ENCRYPTED = "it is encrypted in its archive"
_ENCRYPTED, _UTF8 = 0x1, 0x800
_LINK = 0o120000
_FILE_TYPE = 0o170000
_ERRORS = (BadZipFile, LargeZipFile, NotImplementedError, RuntimeError, ValueError, OSError, EOFError, struct.error,
           zlib.error, lzma.LZMAError)  # fmt: skip
# A directory of so many bytes describes some 600,000 files; more would fill the memory before anything is read.
MOST_DIRECTORY_BYTES = 64 * 1024 * 1024
_END = struct.Struct("<4s4H2LH")


def read_zip(stream: BinaryIO, _name: str) -> Iterator[Inside]:
    """What is in an archive, in the directory's order; raises Damage."""
    archive = open_archive(stream)
    names = MemberNames()
    for info in archive.infolist():
        if not info.filename.endswith("/"):
            yield _inside(archive, info, names.take(name_of(info)))


def is_document(stream: BinaryIO) -> bool:
    """Whether an archive is an office file, a book or the like; raises Damage."""
    found = not set(_DOCUMENTS).isdisjoint(open_archive(stream).namelist())
    stream.seek(0)
    return found


def open_archive(stream: BinaryIO) -> ZipFile:
    """An archive whose directory fits into memory; raises Damage."""
    if _directory_bytes(stream) > MOST_DIRECTORY_BYTES:
        raise Damage("the archive's directory is larger than is read")
    try:
        return ZipFile(stream)
    except _ERRORS:
        raise Damage from None


def _directory_bytes(stream: BinaryIO) -> int:
    """What the end of the file says; ZIP64 says it elsewhere, for archives of more than 4 GB."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - 65_557))
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    stream.seek(0)
    return int(_END.unpack_from(tail, at)[5]) % 0xFFFFFFFF if 0 <= at <= len(tail) - _END.size else 0


def name_of(info: ZipInfo) -> str:
    """A file's name as it was written; it is not clean."""
    if info.flag_bits & _UTF8:
        return info.filename
    return decode_name(info.filename.encode("cp437", "replace"))


def _inside(archive: ZipFile, info: ZipInfo, path: str) -> Inside:
    if info.flag_bits & _ENCRYPTED:
        return LeftOutEntry(path, ENCRYPTED)
    if is_link(info):
        return LeftOutEntry(path, "it is a link, which is not followed")
    return ContainerEntry(path, lambda: open_entry(archive, info))


def is_link(info: ZipInfo) -> bool:
    """Whether an entry is a link."""
    return (info.external_attr >> 16) & _FILE_TYPE == _LINK


def open_entry(archive: ZipFile, info: ZipInfo) -> BinaryIO:
    """A stream of an entry; reading it raises Damage."""
    if info.flag_bits & _ENCRYPTED:
        raise Damage(ENCRYPTED)
    return cast("BinaryIO", BufferedReader(_Safe(lambda: archive.open(info))))


class _Safe(RawIOBase):
    """A stream that is opened when it is read first, and whose errors are ours."""

    def __init__(self, opened: Callable[[], IO[bytes]]) -> None:
        self._open = opened
        self._stream: IO[bytes] | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """As for every stream; raises Damage."""
        view = memoryview(buffer).cast("B")
        try:
            if self._stream is None:
                self._stream = self._open()
            data = self._stream.read(len(view))
        except _ERRORS:
            raise Damage("it is damaged in its archive, or compressed in a way that is not read") from None
        view[: len(data)] = data
        return len(data)
