"""A folder and all that is below it, walked as a stream that holds one folder's names at a time.

The walk keeps an explicit stack instead of recursing, opens each folder once without following a link, and reads its
files relative to that descriptor, so that a folder swapped for a link while it is being read leads nowhere.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from producers.sources.base import Item, Problem, Skipped, Source, Spec
from producers.sources.file import hashed_file
from producers.sources.globs import VERSION_CONTROL, Globs, compile_globs
from producers.sources.unsupported import reason_by_link
from shared.files import describe_mode, describe_os_error
from shared.uris import path_to_uri

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class FolderSource(Source):
    """Every file below `root` (absolute), filtered by gitignore patterns on the path relative to it.

    Folders of version control are left out and links are never followed, except that `root` itself may be one.
    Raises SourceError for a pattern without a meaning.
    """

    kind: ClassVar[str] = "folder"

    root: bytes
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    _globs: Globs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the patterns."""
        object.__setattr__(self, "_globs", compile_globs(self.include, self.exclude))

    @property
    def spec(self) -> Spec:
        """The root's URI and the patterns, in the order given, because a later one overrules."""
        patterns = {"include": list(self.include), "exclude": list(self.exclude)}
        return {"kind": self.kind, "uri": path_to_uri(self.root), **patterns}

    def __iter__(self) -> Iterator[Item]:
        """Files of a folder by name, then its special things, then the folders below it."""
        pending = [b""]
        while pending:
            folder = pending.pop()
            try:
                descriptor = self._open(folder)
            except OSError as error:
                yield Problem(path_to_uri(self._path(folder)), describe_os_error(error))
                continue
            try:
                yield from self._walk(folder, descriptor, pending)
            finally:
                os.close(descriptor)

    def _path(self, relative: bytes) -> bytes:
        return os.path.join(self.root, relative).rstrip(b"/") or b"/"

    def _open(self, folder: bytes) -> int:
        return os.open(self._path(folder), _FOLDER_FLAGS | (os.O_NOFOLLOW if folder else 0))

    def _walk(self, folder: bytes, descriptor: int, pending: list[bytes]) -> Iterator[Item]:
        try:
            names = _list_names(descriptor)
        except OSError as error:
            yield Problem(path_to_uri(self._path(folder)), describe_os_error(error))
            return
        below = (folder + name + b"/" for name in reversed(names.folders))
        pending.extend(path for path in below if self._globs.enters(path))
        for name in names.files:
            if self._globs.takes(folder + name):
                path = self._path(folder + name)
                yield hashed_file(path, opened_as=name, flags=os.O_NOFOLLOW, dir_fd=descriptor)
        for name in names.others:
            if self._globs.takes(folder + name):
                yield self._other(folder + name, name, descriptor)

    def _other(self, relative: bytes, name: bytes, descriptor: int) -> Item:
        path = self._path(relative)
        uri = path_to_uri(path)
        try:
            mode = os.lstat(name, dir_fd=descriptor).st_mode
        except OSError as error:
            return Problem(uri, describe_os_error(error))
        if stat.S_ISLNK(mode):
            return Skipped(uri, reason_by_link(path, root=self.root))
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return Problem(uri, "it was replaced while the folder was being read")
        return Skipped(uri, f"{describe_mode(mode)} holds no document")


@dataclass(frozen=True, slots=True)
class _Names:
    files: list[bytes] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)


def _list_names(descriptor: int) -> _Names:
    names = _Names()
    with os.scandir(descriptor) as entries:
        for entry in entries:
            _group_of(entry, names).append(os.fsencode(entry.name))
    for group in (names.files, names.folders, names.others):
        group[:] = sorted(name for name in group if name not in VERSION_CONTROL)
    return names


def _group_of(entry: os.DirEntry[str], names: _Names) -> list[bytes]:
    if entry.is_file(follow_symlinks=False):
        return names.files
    return names.folders if entry.is_dir(follow_symlinks=False) else names.others
