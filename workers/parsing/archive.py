"""Owns ZIP containers: their sizes are checked before and while anything is read, and nothing is ever extracted."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from io import BytesIO
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, LargeZipFile, ZipFile, ZipInfo

from embedmill.shared.errors import EncryptedDocument, ParserLimitExceeded, UnreadableDocument
from embedmill.workers.parsing.directory import Member, read_directory
from embedmill.workers.parsing.limits import ParserLimits

DAMAGED = "its ZIP container is damaged or cut short"

_LOCKED = "its container is encrypted"

_LOCAL_HEADER = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30
_READ_BYTES = 1 << 16
_SMALL_BYTES = 1 << 20
_KEPT_BYTES = 8 << 20
_PLAIN = frozenset((ZIP_STORED, ZIP_DEFLATED))
_ENCRYPTED = 0x1
# Bits of a member's flags that change nothing for its reader: how well it was deflated, and that its sizes follow it.
_MEANINGLESS = 0x2 | 0x4 | 0x8


class Archive:
    """A container that passed its limits; `read` and `open` give at most the size that was checked.

    Python's own reader stops at the size that the central directory names, so a member cannot deliver more than
    was counted. Readers of other libraries do not: give them bytes only after `require_honest_sizes`.
    """

    def __init__(self, data: bytes, limits: ParserLimits) -> None:
        self._data = data
        self._limits = limits
        self._members: Sequence[Member | ZipInfo] = read_directory(data) or self._zip.infolist()
        self._by_name = {member.filename: member for member in self._members}
        self._kept: dict[str, bytes] = {}
        self._room = _KEPT_BYTES
        self._sound: set[int] = set()
        self._require_within_limits()

    @property
    def names(self) -> list[str]:
        return [member.filename for member in self._members]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @cached_property
    def _zip(self) -> ZipFile:
        return _open_zip(self._data)

    def read(self, name: str) -> bytes:
        """One member's content, kept for who asks again while there is room."""
        if name in self._kept:
            return self._kept[name]
        content = self._read(name)
        if len(content) <= self._room:
            self._kept[name] = content
            self._room -= len(content)
        return content

    def _read(self, name: str) -> bytes:
        member = self._by_name.get(name)
        if member is not None and (content := self._read_sound(member)) is not None:
            return content
        try:
            with self._stream(name) as stream:
                return stream.read()
        except (BadZipFile, zlib.error, EOFError):
            raise UnreadableDocument(DAMAGED) from None

    def open(self, name: str) -> IO[bytes]:
        """A stream over one member. UnreadableDocument when it is missing or damaged."""
        member = self._by_name.get(name)
        if member is not None and member.file_size <= _SMALL_BYTES:
            return BytesIO(self.read(name))
        return self._stream(name)

    def _stream(self, name: str) -> IO[bytes]:
        if name in self and self._by_name[name].flag_bits & _ENCRYPTED:
            raise EncryptedDocument(_LOCKED)
        try:
            return self._zip.open(name)
        except KeyError:
            raise UnreadableDocument("a required part is missing from its container") from None
        except (BadZipFile, NotImplementedError):
            raise UnreadableDocument(DAMAGED) from None

    def replace(self, parts: Mapping[str, bytes]) -> bytes:
        """The bytes of a container of the same members, some with another content."""
        out = BytesIO()
        with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=1) as made:
            for name in dict.fromkeys(self.names):
                made.writestr(name, parts[name] if name in parts else self.read(name))
        return out.getvalue()

    def require_honest_sizes(self) -> None:
        """Inflates every member that was not read yet; UnreadableDocument when one is larger than it says."""
        for member in self._members:
            if member.flag_bits & _ENCRYPTED:
                raise EncryptedDocument(_LOCKED)
            if member.header_offset not in self._sound and self._inflated_size(member) > member.file_size:
                raise UnreadableDocument("a part of its container is larger than the container says")

    def _require_within_limits(self) -> None:
        if len(self._members) > self._limits.archive_members:
            raise ParserLimitExceeded(f"its container holds more than {self._limits.archive_members:,} parts")
        files = [member for member in self._members if not member.filename.endswith("/")]
        if files and all(member.flag_bits & _ENCRYPTED for member in files):
            raise EncryptedDocument(_LOCKED)
        self._require_sound_size()

    def _require_sound_size(self) -> None:
        total = sum(member.file_size for member in self._members)
        if total > self._limits.archive_bytes:
            raise ParserLimitExceeded(f"it expands to {total:,} bytes; {self._limits.archive_bytes:,} are allowed")
        if total > self._limits.archive_ratio_floor and total > self._limits.archive_ratio * len(self._data):
            raise ParserLimitExceeded(f"it expands {total // len(self._data):,} times, as a decompression bomb does")

    def _read_sound(self, member: Member | ZipInfo) -> bytes | None:
        """A member that is true to its name, size and sum, in about half the time that Python's reader takes.

        None leaves any other to that reader, which says what is wrong with it.
        """
        name, start = member.orig_filename, member.header_offset
        header = self._data[start : start + _LOCAL_HEADER_BYTES + len(name)]
        is_known = member.compress_type in _PLAIN and not member.flag_bits & ~_MEANINGLESS & 0xFF
        if not is_known or not name.isascii() or not header.startswith(_LOCAL_HEADER):
            return None
        if header[_LOCAL_HEADER_BYTES:] != name.encode() or int.from_bytes(header[26:28], "little") != len(name):
            return None
        try:
            content = _unpacked(member.compress_type, self._raw(member), member.file_size + 1)
        except zlib.error:
            return None
        if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
            return None
        self._sound.add(start)
        return content

    def _inflated_size(self, member: Member | ZipInfo) -> int:
        """Counts up to one byte past the declared size."""
        raw = self._raw(member)
        if member.compress_type == ZIP_STORED:
            return len(raw)
        if member.compress_type != ZIP_DEFLATED:
            raise UnreadableDocument("its container uses a compression that office files do not")
        return _inflated_size(raw, member.file_size + 1)

    def _raw(self, member: Member | ZipInfo) -> memoryview:
        view = memoryview(self._data)
        header = view[member.header_offset : member.header_offset + _LOCAL_HEADER_BYTES]
        if len(header) < _LOCAL_HEADER_BYTES:
            raise UnreadableDocument(DAMAGED)
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = member.header_offset + _LOCAL_HEADER_BYTES + names
        return view[start : start + member.compress_size]


def _unpacked(method: int, raw: memoryview, most: int) -> bytes:
    """Up to so many bytes; raises zlib.error."""
    return raw[:most].tobytes() if method == ZIP_STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, most)


def _open_zip(data: bytes) -> ZipFile:
    try:
        return ZipFile(BytesIO(data))
    except (BadZipFile, LargeZipFile, NotImplementedError, ValueError, OSError, struct.error):
        raise UnreadableDocument(DAMAGED) from None


def _inflated_size(raw: memoryview, bound: int) -> int:
    inflater, pending, size = zlib.decompressobj(-zlib.MAX_WBITS), bytes(raw), 0
    while size < bound and not inflater.eof:
        try:
            piece = inflater.decompress(pending, _READ_BYTES)
        except zlib.error:
            raise UnreadableDocument(DAMAGED) from None
        pending = inflater.unconsumed_tail
        size += len(piece)
        if not piece and not pending:
            break
    return size
