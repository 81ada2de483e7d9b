"""Owns tape archives as containers: files in their order, links and devices named and passed over."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Self, cast

from embedmill.shared.containers.entries import ContainerEntry, Damage, Inside, LeftOutEntry
from embedmill.shared.containers.names import MemberNames

MAGIC, MAGIC_AT = b"ustar", 257
# Headers of a header, as long names are: more than this is no name.
MOST_HEADER_BYTES = 1024 * 1024
_PASSED_BYTES = 64 * 1024

_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_CUT = (tarfile.TruncatedHeaderError, tarfile.InvalidHeaderError)  # type: ignore[attr-defined] # they are there
_ERRORS = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, OverflowError, LookupError,
           RecursionError)  # fmt: skip


class _Info(tarfile.TarInfo):
    """A member whose extended header is refused when it claims a size that would fill the memory."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:  # the name that it has there
        """The next member; a header that is cut or wrong is no end, as it is in Python's own."""
        try:
            return super().fromtarfile(tarfile)
        except _CUT as error:
            raise Damage from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > MOST_HEADER_BYTES:
            raise tarfile.ReadError("a header that is no header")
        return cast("tarfile.TarInfo", super()._proc_member(archive))  # type: ignore[misc]


def read_tar(stream: BinaryIO, _name: str) -> Iterator[Inside]:
    """What is in an archive that was decompressed; it is read once, from its beginning on. Raises Damage."""
    names = MemberNames()
    try:
        # It lives as long as its stream.
        archive = tarfile.open(fileobj=stream, mode="r|", tarinfo=_Info, errorlevel=0)  # noqa: SIM115
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined] # it would remember all of them
            if not info.isdir():
                yield _inside(archive, info, names.take(info.name))
            _pass_over(archive)
    except _ERRORS:
        raise Damage from None


def is_tar(head: bytes) -> bool:
    """Whether bytes begin with a member's header."""
    return head[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def _pass_over(archive: tarfile.TarFile) -> None:
    """To the next header: where nothing more comes, Python's own reads as often as a size of petabytes would take."""
    stream = cast("BinaryIO", archive.fileobj)
    while (left := archive.offset - stream.tell()) > 0:
        if not stream.read(min(left, _PASSED_BYTES)):
            raise Damage


def _inside(archive: tarfile.TarFile, info: tarfile.TarInfo, path: str) -> Inside:
    if info.issym() or info.islnk():
        return LeftOutEntry(path, "it is a link, which is not followed")
    if not info.isreg():
        return LeftOutEntry(path, "it is a device or a pipe, which holds no document")
    if info.issparse():
        return LeftOutEntry(path, "it is a sparse file, which may claim any size")
    return ContainerEntry(path, lambda: cast("BinaryIO", archive.extractfile(info)))
