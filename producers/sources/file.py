"""One file that a user named, by itself or in a list."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from producers.sources.base import FileItem, Item, Problem, Skipped, Source, Spec
from producers.sources.unsupported import reason_by_name
from shared.errors import DocumentError
from shared.files import describe_mode, describe_os_error, hash_regular_file
from shared.uris import path_to_uri


@dataclass(frozen=True, slots=True)
class FileSource(Source):
    """One file, read through links because the user named it; `path` is absolute."""

    kind: ClassVar[str] = "file"

    path: bytes

    @property
    def spec(self) -> Spec:
        """The file's URI."""
        return {"kind": self.kind, "uri": path_to_uri(self.path)}

    def __iter__(self) -> Iterator[Item]:
        """One item."""
        yield named_file(self.path)


def named_file(path: bytes) -> FileItem | Skipped | Problem:
    """The item of a file that was named; a folder is a Problem because nobody said to walk it."""
    uri = path_to_uri(path)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return Problem(uri, describe_os_error(error))
    if stat.S_ISDIR(mode):
        return Problem(uri, "a folder; give it as a SOURCE of its own to ingest what is in it")
    if not stat.S_ISREG(mode):
        return Skipped(uri, f"{describe_mode(mode)} holds no document")
    return hashed_file(path, opened_as=path)


def hashed_file(
    path: bytes, *, opened_as: bytes, flags: int = 0, dir_fd: int | None = None
) -> FileItem | Skipped | Problem:
    """The item of a regular file, hashed unless its name says that it holds no document."""
    uri = path_to_uri(path)
    if reason := reason_by_name(os.path.basename(path)):
        return Skipped(uri, reason)
    try:
        content_hash, size = hash_regular_file(opened_as, flags=flags, dir_fd=dir_fd)
    except DocumentError as error:
        return Problem(uri, str(error))
    except OSError as error:
        return Problem(uri, describe_os_error(error))
    return FileItem(uri, path, size, content_hash)
