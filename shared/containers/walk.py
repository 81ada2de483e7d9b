"""Walks a container and those within it, inside one budget, and reads what is asked for."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

from embedmill.shared.containers import zips
from embedmill.shared.containers.compressed import read_compressed
from embedmill.shared.containers.entries import ContainerEntry, Damage, Damaged, Inside, LeftOutEntry, Opener
from embedmill.shared.containers.mailboxes import is_mailbox, read_mailbox
from embedmill.shared.containers.tars import read_tar
from embedmill.shared.errors import DocumentError, ParserLimitExceeded

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WITHIN = "!/"
"""Between a container and what is in it: `archive.zip!/folder/a.txt`."""

_OPENERS: dict[str, Opener] = {
    ".zip": zips.read_zip,
    ".tar": read_tar,
    **dict.fromkeys((".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz"), read_compressed),
    ".mbox": read_mailbox,
    ".mbx": read_mailbox,
}
SUFFIXES = frozenset(_OPENERS)
_HEAD_BYTES = 4096
_KEPT_IN_MEMORY = 8 * 1024 * 1024
_COPIED_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ContainerLimits:
    """What one container with all in it may cost: files, bytes when they are read, and how often its own size.

    `ratio` holds from `ratio_floor` bytes on. `depth` is how many containers lie in one another; one that lies in
    another may have `nested_bytes`.
    """

    members: int = 200_000
    bytes: int = 100 * 1024**3
    ratio: int = 200
    ratio_floor: int = 50 * 1024**2
    depth: int = 3
    nested_bytes: int = 512 * 1024**2


@dataclass(slots=True)
class ContainerBudget:
    """What is left of the limits, for a container of `size` bytes; raises ParserLimitExceeded."""

    limits: ContainerLimits
    size: int
    read: int = field(default=0, init=False)
    members: int = field(default=0, init=False)
    _passed_over: set[str] = field(default_factory=set, init=False)

    def meet(self) -> None:
        """One more file."""
        self.members += 1
        if self.members > self.limits.members:
            raise ParserLimitExceeded(f"the container holds more than {self.limits.members:,} files")

    def pass_over(self, path: str, depth: int) -> Iterator[LeftOutEntry]:
        """That a container lies too deep, said once for all that lie beside it: a bomb has hundreds."""
        around = path.rpartition(WITHIN)[0]
        if around not in self._passed_over:
            self._passed_over.add(around)
            yield LeftOutEntry(path, f"containers in {depth} others are not opened; there may be more beside it")

    def spend(self, count: int) -> None:
        """So many bytes more."""
        self.read += count
        if self.read > self.limits.bytes:
            raise ParserLimitExceeded(f"the container expands to more than {self.limits.bytes:,} bytes")
        if self.read > max(self.limits.ratio_floor, self.limits.ratio * self.size):
            raise ParserLimitExceeded("the container expands as a decompression bomb does")


def opener_of(name: str, head: bytes) -> Opener | None:
    """What reads a file of that name that begins so, if it is a container; an office file may be one here."""
    base = name.rpartition("/")[2].lower()
    stem, dot, suffix = base.rpartition(".")
    found = _OPENERS.get(f".{suffix}") if dot and stem else None
    if found is zips.read_zip:
        return found if head.startswith(zips.MAGICS) else None
    if found is None or found is read_mailbox:
        if found is not None and not head:
            # A mailbox out of which all messages were taken.
            return found
        named = found is not None or not dot
        return read_mailbox if named and is_mailbox(head) else None
    return found


def walk(
    stream: BinaryIO, name: str, budget: ContainerBudget, *, wanted: Callable[[str], bool] = lambda _path: True
) -> Iterator[Inside]:
    """What is in a container and in those within it, by their paths joined with `WITHIN`.

    `wanted` is asked for each path whether it is entered, and is true of what leads to a wanted one. An entry's stream
    counts what is read. Raises Damage, ParserLimitExceeded.
    """
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    opener = opener_of(name, head)
    if opener is None:
        raise Damage("it is not the container that its name says")
    yield from _walk(opener(stream, name), "", budget, wanted, depth=1)


def is_container(stream: BinaryIO, name: str) -> bool:
    """Whether a file that can seek is a container of documents; raises Damage."""
    opener = opener_of(name, stream.read(_HEAD_BYTES))
    stream.seek(0)
    return opener is not None and not (opener is zips.read_zip and zips.is_document(stream))


def is_misnamed(stream: BinaryIO, name: str) -> bool:
    """Whether a file is called a container and is none, nor a document that is kept as one: it is damaged."""
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    stem, _, suffix = name.lower().rpartition(".")
    return bool(stem) and f".{suffix}" in SUFFIXES and opener_of(name, head) is None


def _walk(
    inside: Iterator[Inside], prefix: str, budget: ContainerBudget, wanted: Callable[[str], bool], *, depth: int
) -> Iterator[Inside]:
    for found in inside:
        budget.meet()
        path = prefix + found.path
        if not wanted(path):
            continue
        match found:
            case LeftOutEntry():
                yield LeftOutEntry(path, found.reason)
            case Damaged():
                yield Damaged(path, found.reason)
            case ContainerEntry():
                yield from _enter(ContainerEntry(path, found.open), budget, wanted, depth=depth)


def _enter(
    entry: ContainerEntry, budget: ContainerBudget, wanted: Callable[[str], bool], *, depth: int
) -> Iterator[Inside]:
    """A container within, or the entry itself, whose bytes are counted."""
    try:
        counted = CountedStream(entry.open(), budget)
        head = counted.peek(_HEAD_BYTES)
    except Damage as error:
        yield Damaged(entry.path, str(error))
        return
    opener = opener_of(entry.path, head)
    if opener is None:
        yield ContainerEntry(entry.path, lambda: cast("BinaryIO", counted))
    else:
        yield from _enter_container(entry.path, counted, opener, budget, wanted, depth=depth)


def _enter_container(
    path: str,
    stream: "CountedStream",
    opener: Opener,
    budget: ContainerBudget,
    wanted: Callable[[str], bool],
    *,
    depth: int,
) -> Iterator[Inside]:
    if depth >= budget.limits.depth:
        yield from budget.pass_over(path, depth)
        return
    with SpooledTemporaryFile(_KEPT_IN_MEMORY) as copy:
        try:
            if not _copy(stream, copy, budget.limits.nested_bytes):
                yield LeftOutEntry(
                    path, f"a container in a container of more than {budget.limits.nested_bytes:,} bytes"
                )
                return
            inner = cast("BinaryIO", copy)
            if opener is zips.read_zip and zips.is_document(inner):
                yield ContainerEntry(path, lambda: inner)
                return
            yield from _walk(opener(inner, path), path + WITHIN, budget, wanted, depth=depth + 1)
        except Damage as error:
            yield Damaged(path, str(error))


def _copy(stream: "CountedStream", copy: "SpooledTemporaryFile[bytes]", most: int) -> bool:
    """Whether it fitted; the copy is at its beginning."""
    left = most
    while data := stream.read(_COPIED_BYTES):
        left -= len(data)
        if left < 0:
            return False
        copy.write(data)
    copy.seek(0)
    return True


class CountedStream(BufferedReader):
    """A stream whose bytes are taken from a budget as they are read."""

    def __init__(self, stream: BinaryIO, budget: ContainerBudget) -> None:
        super().__init__(_Counting(stream, budget))


class _Counting(RawIOBase):
    def __init__(self, stream: BinaryIO, budget: ContainerBudget) -> None:
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = self._stream.read(len(view))
        except DocumentError:
            raise
        except Exception as error:
            raise Damage from error
        self._budget.spend(len(data))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        with suppress(Exception):
            self._stream.close()
        super().close()
