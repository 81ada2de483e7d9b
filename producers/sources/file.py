"""One file that a user named, by itself or in a list."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from embedmill.producers.sources.base import FileItem, Item, Problem, Remark, Skipped, Source, Spec
from embedmill.producers.sources.secrets_inside import reason_by_content
from embedmill.producers.sources.tables import remark_on_document
from embedmill.producers.sources.unsupported import reason_by_name
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import describe_mode, describe_os_error, hash_regular_file
from embedmill.shared.uris import path_to_uri


@dataclass(frozen=True, slots=True)
class FileSource(Source):
    """One file, read through links because the user named it; `path` is absolute."""

    kind: ClassVar[str] = "file"

    path: bytes

    @property
    def spec(self) -> Spec:
        """The file's URI."""
        return {"kind": self.kind, "uri": path_to_uri(self.path)}

    def read(self, remarks: list[Remark]) -> Iterator[Item]:
        """One item."""
        item = named_file(self.path)
        yield item
        if isinstance(item, FileItem) and (remark := remark_on_document(item.uri, self.path)):
            remarks.append(remark)


def named_file(path: bytes) -> FileItem | Skipped | Problem:
    """The item of a file that was named, whatever it is called; a folder is a Problem: nobody said to walk it."""
    uri = path_to_uri(path)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return Problem(uri, describe_os_error(error))
    if stat.S_ISDIR(mode):
        return Problem(uri, "a folder; give it as a SOURCE of its own to ingest what is in it")
    if not stat.S_ISREG(mode):
        return Skipped(uri, f"{describe_mode(mode)} holds no document")
    return hashed_file(path, Opening(path))


class Opening(NamedTuple):
    """How a file is opened: by a path, or by a name in an open folder."""

    name: bytes
    flags: int = 0
    dir_fd: int | None = None


def found_file(path: bytes, opening: Opening) -> FileItem | Skipped | Problem:
    """The item of a regular file that a walk found: as a named one, unless it is a key or holds credentials."""
    return hashed_file(path, opening, judge=reason_by_content)


def hashed_file(
    path: bytes, opening: Opening, *, judge: Callable[[bytes, bytes], str | None] = lambda _name, _head: None
) -> FileItem | Skipped | Problem:
    """Hashed unless its name says that it holds no document; `judge` may leave it out by its name and its head."""
    uri, name = path_to_uri(path), os.path.basename(path)
    if reason := reason_by_name(name):
        return Skipped(uri, reason)
    try:
        hashed = hash_regular_file(opening.name, flags=opening.flags, dir_fd=opening.dir_fd)
    except DocumentError as error:
        return Problem(uri, str(error))
    except OSError as error:
        return Problem(uri, describe_os_error(error))
    if reason := judge(name, hashed.head):
        return Skipped(uri, reason)
    return FileItem(uri, hashed.size, hashed.content_hash)
