"""What a file holds: itself or, when it is an archive or a mailbox, the documents in it, each under its own URI."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

from embedmill.producers.sources.base import FileItem, HeldItem, Item, Problem, Skipped
from embedmill.producers.sources.file import Opening, hashed_file
from embedmill.producers.sources.unsupported import reason_by_name
from embedmill.shared.containers.entries import ContainerEntry, Damaged, LeftOutEntry
from embedmill.shared.containers.walk import (
    SUFFIXES,
    WITHIN,
    ContainerBudget,
    ContainerLimits,
    is_container,
    is_misnamed,
    walk,
)
from embedmill.shared.errors import DocumentError, ParserLimitExceeded
from embedmill.shared.files import CHUNK_BYTES, HEAD_BYTES, describe_os_error, open_regular_file
from embedmill.shared.left_out.names import LeftOut as LeftOutReason
from embedmill.shared.left_out.names import is_version_control, reason_by_file_name, reason_by_folder_name
from embedmill.shared.left_out.secrets_inside import reason_by_content
from embedmill.shared.loading.members import MEMBER, member_uri
from embedmill.shared.uris import path_to_uri

_OF_A_PROGRAM = frozenset({"__MACOSX"})
"""Folders that a program adds to every archive."""

Judge = Callable[[bytes, bytes], str | None]
Take = Callable[[str, ContainerEntry], tuple[FileItem | HeldItem, bytes]]
NO_CONTAINER = "it is no archive and no mailbox, though its name says so"
MOST_HELD = 64 * 1024 * 1024


def read_file(path: bytes, opening: Opening, *, judge: Judge | None = None, hidden: bool = False) -> Iterator[Item]:
    """The file's item, or those of what is in it; in a container, too, hidden things and secrets are left out.

    `judge` may leave the file itself out by its name and head, as `hashed_file` has it.
    """
    uri = path_to_uri(path)
    try:
        with _opened(path, opening) as stream:
            name = os.fsdecode(os.path.basename(path))
            if stream is not None and is_container(stream, name):
                yield from Members(uri, hidden=hidden).read(stream, name)
                return
            if stream is not None and is_misnamed(stream, name):
                yield Problem(uri, NO_CONTAINER)
                return
    except DocumentError as error:
        yield Problem(uri, str(error))
        return
    except OSError as error:
        yield Problem(uri, describe_os_error(error))
        return
    yield hashed_file(path, opening, judge=judge) if judge else hashed_file(path, opening)


def _opened(path: bytes, opening: Opening) -> "AbstractContextManager[BinaryIO | None]":
    """A stream of what may be a container by its name; a file without a suffix may be a mailbox."""
    suffix = os.path.splitext(os.path.basename(path))[1].lower()
    if suffix and os.fsdecode(suffix) not in SUFFIXES:
        return nullcontext()
    return os.fdopen(open_regular_file(opening.name, flags=opening.flags, dir_fd=opening.dir_fd), "rb")


class Members:
    """Reads one container; what is left out of it is said once for each folder.

    `take` makes the item of a file in it, with the beginning of its content: one that is read again from the container,
    unless it is said how else.
    """

    def __init__(self, uri: str, *, hidden: bool, take: Take | None = None) -> None:
        self._uri = uri
        self._take: Take = take or self._hash
        self._hidden = hidden
        self._said: set[str] = set()
        self._skipped: list[Skipped] = []

    def read(self, stream: BinaryIO, name: str) -> Iterator[Item]:
        budget = ContainerBudget(ContainerLimits(), os.fstat(stream.fileno()).st_size)
        for inside in walk(stream, name, budget, wanted=self._wants):
            yield from self._take_skipped()
            match inside:
                case ContainerEntry():
                    yield self._read(inside)
                case LeftOutEntry():
                    yield Skipped(member_uri(self._uri, inside.path), inside.reason)
                case Damaged():
                    yield Problem(member_uri(self._uri, inside.path), inside.reason)
        yield from self._take_skipped()

    def _take_skipped(self) -> Iterator[Skipped]:
        skipped, self._skipped = self._skipped, []
        yield from skipped

    def _wants(self, path: str) -> bool:
        *folders, name = path.rpartition(WITHIN)[2].split("/")
        for count, folder in enumerate(folders, start=1):
            if reason := self._leaves_folder(folder):
                return self._leave(path.removesuffix("/".join([*folders[count:], name])), reason)
        if reason := self._leaves_file(name):
            return self._leave(path, reason)
        return True

    def _leave(self, path: str, reason: str) -> bool:
        if path not in self._said:
            self._said.add(path)
            self._skipped.append(Skipped(member_uri(self._uri, path), reason))
        return False

    def _leaves_folder(self, name: str) -> str | None:
        raw = os.fsencode(name)
        if self._hidden:
            return LeftOutReason.VERSION_CONTROL if is_version_control(raw) else None
        return LeftOutReason.HIDDEN if name in _OF_A_PROGRAM else reason_by_folder_name(raw, beside=())

    def _leaves_file(self, name: str) -> str | None:
        raw = os.fsencode(name)
        left = (LeftOutReason.VERSION_CONTROL if is_version_control(raw) else None) if self._hidden else None
        return left or (None if self._hidden else reason_by_file_name(raw)) or reason_by_name(raw)

    def _read(self, entry: ContainerEntry) -> Item:
        uri = member_uri(self._uri, entry.path)
        try:
            item, head = self._take(uri, entry)
        except DocumentError as error:
            return Problem(uri, str(error))
        name = os.fsencode(entry.path.rpartition("/")[2])
        if not self._hidden and (reason := reason_by_content(name, head)):
            return Skipped(uri, reason)
        return item

    def _hash(self, uri: str, entry: ContainerEntry) -> tuple[FileItem, bytes]:
        """To be read again by a worker, from the container."""
        hasher, size, head = hashlib.sha256(), 0, b""
        stream = entry.open()
        while data := stream.read(CHUNK_BYTES):
            hasher.update(data)
            size += len(data)
            head = head or data[:HEAD_BYTES]
        return FileItem(uri, size, hasher.hexdigest(), kind=MEMBER, container=self._uri), head


def hold(uri: str, entry: ContainerEntry) -> tuple[HeldItem, bytes]:
    """What lies in a container that is not to be fetched again; raises ParserLimitExceeded over MOST_HELD."""
    data = entry.open().read(MOST_HELD + 1)
    if len(data) > MOST_HELD:
        raise ParserLimitExceeded(f"the file is larger than {MOST_HELD:,} bytes; put it beside the container")
    return HeldItem(uri, data), data[:HEAD_BYTES]
