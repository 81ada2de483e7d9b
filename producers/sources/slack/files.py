"""The files of an export, be it a zip or a folder: each is opened by itself, and nothing is unpacked."""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast
from zipfile import ZipInfo

from embedmill.shared.containers.names import clean_path
from embedmill.shared.containers.walk import ContainerBudget, ContainerLimits, CountedStream
from embedmill.shared.containers.zips import is_link, name_of, open_archive, open_entry
from embedmill.shared.files import open_regular_file

# An export, its conversations, their days: and a folder around it, which unpacking makes.
MOST_DEPTH = 3


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file by its path in the export; `state` changes with what is in it."""

    path: str
    state: str
    at: object


class ExportFiles(ABC):
    """The files of one export, as far as they can be read."""

    @abstractmethod
    def list(self) -> Iterator[ExportFile]:
        """Each of them; raises Damage, OSError, ParserLimitExceeded."""

    @abstractmethod
    def open(self, file: ExportFile) -> BinaryIO:
        """A stream of one; reading it raises Damage, OSError, ParserLimitExceeded, SourceGone."""


class ZipFiles(ExportFiles):
    """An export as Slack sends it. What its entries expand to is counted, whatever the directory says."""

    def __init__(self, stream: BinaryIO) -> None:
        self._archive = open_archive(stream)
        size = os.fstat(stream.fileno()).st_size
        self._budget = ContainerBudget(ContainerLimits(), size)

    def list(self) -> Iterator[ExportFile]:
        for info in self._archive.infolist():
            self._budget.meet()
            if not info.filename.endswith("/") and not is_link(info):
                yield ExportFile(clean_path(name_of(info)), f"{info.CRC:08x}-{info.file_size}", info)

    def open(self, file: ExportFile) -> BinaryIO:
        entry = open_entry(self._archive, cast("ZipInfo", file.at))
        return cast("BinaryIO", CountedStream(entry, self._budget))


class FolderFiles(ExportFiles):
    """An export that somebody has unpacked; links in it lead nowhere."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def list(self) -> Iterator[ExportFile]:
        pending = [b""]
        while pending:
            folder = pending.pop()
            with os.scandir(os.path.join(self._root, folder)) as entries:
                found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
            for entry in found:
                path = os.path.join(folder, os.fsencode(entry.name))
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode) and path.count(b"/") < MOST_DEPTH - 1:
                    pending.append(path)
                elif stat.S_ISREG(status.st_mode):
                    yield ExportFile(os.fsdecode(path), f"{status.st_mtime_ns}-{status.st_size}", path)

    def open(self, file: ExportFile) -> BinaryIO:
        path = os.path.join(self._root, cast("bytes", file.at))
        return os.fdopen(open_regular_file(path, flags=os.O_NOFOLLOW), "rb")


@contextmanager
def opened(path: bytes) -> Iterator[ExportFiles]:
    """The files of the export at a path; raises Damage, OSError, SourceGone, UnreadableDocument."""
    if os.path.isdir(path):
        yield FolderFiles(path)
        return
    with os.fdopen(open_regular_file(path), "rb") as stream:
        yield ZipFiles(stream)
