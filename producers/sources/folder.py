"""A folder and all that is below it, walked as a stream that holds one folder's names at a time.

The walk keeps an explicit stack instead of recursing, opens each folder once without following a link, and reads its
files relative to that descriptor, so that a folder swapped for a link while it is being read leads nowhere.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from embedmill.producers.sources.base import (
    FileItem,
    Item,
    Problem,
    ReadContext,
    Remark,
    RemarkKind,
    Skipped,
    Source,
    Spec,
)
from embedmill.producers.sources.file import Opening
from embedmill.producers.sources.globs import Globs, Unmatched, compile_globs
from embedmill.producers.sources.members import read_file
from embedmill.producers.sources.slack.looks import Exports
from embedmill.producers.sources.tables import Documents
from embedmill.producers.sources.unsupported import reason_by_link
from embedmill.shared.files import describe_mode, describe_os_error
from embedmill.shared.left_out.names import (
    LeftOut,
    is_version_control,
    reason_by_file_name,
    reason_by_folder_files,
    reason_by_folder_name,
)
from embedmill.shared.left_out.secrets_inside import reason_by_content
from embedmill.shared.uris import path_to_uri

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class FolderSource(Source):
    """Every file below `root` (absolute), filtered by gitignore patterns on the path relative to it.

    What `embedmill.shared.left_out.names` names is left out, unless `hidden`; folders of version control always
    are. Links are never followed, except that `root` itself may be one. Raises SourceError for a pattern without a
    meaning.
    """

    kind: ClassVar[str] = "folder"
    hides_only_below: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("include", "exclude", "hidden")
    empty: ClassVar[str] = "no file is in it"

    root: bytes
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    globs: Globs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the patterns."""
        object.__setattr__(self, "globs", compile_globs(self.include, self.exclude))

    @property
    def spec(self) -> Spec:
        """The root's URI and the patterns, in the order given, because a later one overrules."""
        patterns = {"include": list(self.include), "exclude": list(self.exclude)}
        asked = {"hidden": True} if self.hidden else {}
        return {"kind": self.kind, "uri": path_to_uri(self.root), **patterns, **asked}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """Files of a folder by name, then its special things, then the folders below it."""
        walk, exports = _FolderWalk(self), Exports()
        while walk.pending:
            yield from exports.watch(self._read_folder(walk.pending.pop(), walk))
        context.remarks += walk.remarks() + exports.remarks()

    def _read_folder(self, folder: bytes, walk: "_FolderWalk") -> Iterator[Item]:
        try:
            descriptor = self._open(folder)
        except OSError as error:
            yield Problem(self._uri(folder), describe_os_error(error))
            return
        try:
            names = _list_names(descriptor)
        except OSError as error:
            os.close(descriptor)
            yield Problem(self._uri(folder), describe_os_error(error))
            return
        try:
            yield from self._walk(folder, names, descriptor, walk)
        finally:
            os.close(descriptor)

    def _path(self, relative: bytes) -> bytes:
        return os.path.join(self.root, relative).rstrip(b"/") or b"/"

    def _uri(self, relative: bytes) -> str:
        return path_to_uri(self._path(relative))

    def _open(self, folder: bytes) -> int:
        return os.open(self._path(folder), _FOLDER_FLAGS | (os.O_NOFOLLOW if folder else 0))

    def _walk(self, folder: bytes, names: "_Names", descriptor: int, walk: "_FolderWalk") -> Iterator[Item]:
        if folder and not self.hidden and (reason := reason_by_folder_files(names.files)):
            yield Skipped(self._uri(folder), reason)
            return
        for name in names.files:
            if walk.takes(folder + name):
                yield from self._file(folder + name, name, descriptor, walk)
        for name in names.others:
            if walk.takes(folder + name):
                yield self._other(folder + name, name, descriptor)
        yield from self._enter(folder, names, walk)

    def _enter(self, folder: bytes, names: "_Names", walk: "_FolderWalk") -> Iterator[Item]:
        """Keep the folders below for later; those that are left out are one item each."""
        beside = frozenset(names.files)
        entered = []
        for name in names.folders:
            below = folder + name + b"/"
            if not self.globs.enters(below):
                continue
            if reason := self._leaves_folder(name, beside):
                yield Skipped(self._uri(below), reason)
            else:
                entered.append(below)
        walk.pending.extend(reversed(entered))

    def _leaves_folder(self, name: bytes, beside: frozenset[bytes]) -> LeftOut | None:
        if self.hidden:
            return LeftOut.VERSION_CONTROL if is_version_control(name) else None
        return reason_by_folder_name(name, beside=beside)

    def _leaves_file(self, name: bytes) -> LeftOut | None:
        if self.hidden:
            return LeftOut.VERSION_CONTROL if is_version_control(name) else None
        return reason_by_file_name(name)

    def _file(self, relative: bytes, name: bytes, descriptor: int, walk: "_FolderWalk") -> Iterator[Item]:
        path = self._path(relative)
        if reason := self._leaves_file(name):
            yield Skipped(path_to_uri(path), reason)
            return
        judge = None if self.hidden else reason_by_content
        for item in read_file(path, Opening(name, os.O_NOFOLLOW, descriptor), judge=judge, hidden=self.hidden):
            if isinstance(item, FileItem) and not item.container:
                walk.documents.add(path)
            yield item

    def _other(self, relative: bytes, name: bytes, descriptor: int) -> Item:
        path = self._path(relative)
        uri = path_to_uri(path)
        if reason := self._leaves_file(name):
            return Skipped(uri, reason)
        try:
            mode = os.lstat(name, dir_fd=descriptor).st_mode
        except OSError as error:
            return Problem(uri, describe_os_error(error))
        if stat.S_ISLNK(mode):
            return Skipped(uri, reason_by_link(path, root=self.root))
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return Problem(uri, "it was replaced while the folder was being read")
        return Skipped(uri, f"{describe_mode(mode)} holds no document")


class _FolderWalk:
    """One walk: the folders that are still to be read, and what there will be to say about it."""

    def __init__(self, source: FolderSource) -> None:
        self.pending = [b""]
        self.documents = Documents()
        self._globs = source.globs
        self._uri = path_to_uri(source.root)
        self._unmatched = Unmatched(source.include)

    def takes(self, file: bytes) -> bool:
        """Whether the patterns want a file; remembers those that met one."""
        self._unmatched.meet(file)
        return self._globs.takes(file)

    def remarks(self) -> list[Remark]:
        """To be called at the end."""
        unmet = [
            Remark(self._uri, f"no file in it matches --include {pattern!a}", RemarkKind.UNMET)
            for pattern in self._unmatched.patterns
        ]
        return unmet + self.documents.remarks(self._uri)


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
        group.sort()
    return names


def _group_of(entry: os.DirEntry[str], names: _Names) -> list[bytes]:
    if entry.is_file(follow_symlinks=False):
        return names.files
    return names.folders if entry.is_dir(follow_symlinks=False) else names.others
