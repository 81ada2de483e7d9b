"""Maildirs: folders of mail in which each message is a file, whose name has its flags behind what it is known by."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from embedmill.shared.errors import SourceGone
from embedmill.shared.files import read_regular_file
from embedmill.shared.loading.loaders import Loaded, Loader, Located
from embedmill.shared.uris import uri_to_path

if TYPE_CHECKING:
    from embedmill.shared.runtime import Runtime

SEEN, NEW, INCOMING = b"cur", b"new", b"tmp"
HOLDERS = (SEEN, NEW)
"""Where messages are; those in `tmp` are still being delivered."""
MOST_DEPTH = 8
LOOKED_AT = 100
"""Files of a folder that lacks a part of a maildir."""
_FLAGS = re.compile(rb"[:!;]2,[^/]*\Z")
# As those who deliver name files: by the second, and by what makes them the only one of it.
_DELIVERED = re.compile(rb"\d{9,}[._].+|.+[:!;]2,[A-Za-z]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MailFile:
    """A message's file; `key` is its name without flags, percent-encoded, which it keeps wherever it is moved."""

    key: str
    path: bytes
    size: int


def is_maildir(path: bytes) -> bool:
    """Whether a folder holds messages in the way of a maildir.

    A copy may lack what was empty, `new` or `tmp`: the others then have to hold messages, and nothing else.
    """
    has_seen, *others = (os.path.isdir(os.path.join(path, name)) for name in (SEEN, NEW, INCOMING))
    if not has_seen or all(others):
        return has_seen
    names = [name for holder in HOLDERS for name in _some(os.path.join(path, holder))]
    return all(_DELIVERED.fullmatch(name) for name in names) and bool(names or any(others))


def _some(holder: bytes) -> list[bytes]:
    try:
        with os.scandir(holder) as entries:
            return [entry.name for entry in islice(entries, LOOKED_AT)]
    except OSError:
        return []


def list_mail(root: bytes) -> Iterator[MailFile]:
    """The messages of a maildir and of the folders in it, by their names; raises OSError for what cannot be listed."""
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        yield from _files(os.path.join(folder, SEEN))
        # It is empty most of the time, and copies leave out what is.
        if os.path.isdir(new := os.path.join(folder, NEW)):
            yield from _files(new)
        if depth < MOST_DEPTH:
            pending += [(path, depth + 1) for path in reversed(_folders(folder))]


def _files(holder: bytes) -> Iterator[MailFile]:
    with os.scandir(holder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    for name in names:
        path = os.path.join(holder, name)
        if not name.startswith(b".") and (size := _size_of(path)) is not None:
            yield MailFile(quote_from_bytes(_FLAGS.sub(b"", name)), path, size)


def _size_of(path: bytes) -> int | None:
    """None for what was moved meanwhile, as from `new` to `cur`: it is met there, or at the next reading."""
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return None


def _folders(folder: bytes) -> list[bytes]:
    with os.scandir(folder) as entries:
        parts = (*HOLDERS, INCOMING)
        found = sorted(e.path for e in entries if e.is_dir(follow_symlinks=False) and e.name not in parts)
    return [path for path in found if is_maildir(path)]


class MaildirLoader(Loader):
    """A message, wherever in its maildir it is by now, and whichever flags it has."""

    whence = "the maildir"

    def __init__(self, runtime: "Runtime", located: Sequence[Located]) -> None:
        super().__init__(runtime, located)
        self._paths: dict[tuple[str, str], bytes] = {}

    def load(self, located: Located) -> Loaded:
        """Raise SourceGone, UnreadableDocument, ParserLimitExceeded."""
        most = self.runtime.settings.max_document_bytes
        try:
            return Loaded(self.whence, read_regular_file(self._find(located), max_bytes=most))
        except SourceGone:
            # It was moved since it was looked for.
            self._paths.clear()
            return Loaded(self.whence, read_regular_file(self._find(located), max_bytes=most))

    def _find(self, located: Located) -> bytes:
        if not self._paths:
            self._paths = self._look()
        found = self._paths.get(_place_of(located))
        if found is None:
            raise SourceGone("it is in its maildir no more")
        return found

    def _look(self) -> dict[tuple[str, str], bytes]:
        """One look through each maildir for all that may be wanted of it."""
        wanted = {_place_of(each) for each in self.located}
        found: dict[tuple[str, str], bytes] = {}
        for container in sorted({container for container, _ in wanted}):
            try:
                files = [file for file in list_mail(uri_to_path(container)) if (container, file.key) in wanted]
            except OSError:
                raise SourceGone("its maildir cannot be listed") from None
            found |= {(container, file.key): file.path for file in files}
        return found


def _place_of(located: Located) -> tuple[str, str]:
    return str(located.origin["container"]), str(located.origin["state"])
