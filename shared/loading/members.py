"""Reads documents that lie in containers: one pass over a container for all that may be wanted of it.

When all of a batch was read, the pass waits for the next batch of the same container: a compressed tape of a thousand
batches is decompressed once and not a thousand times, as long as batches come in its order.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from embedmill.shared.containers.entries import ContainerEntry, Damage, Inside
from embedmill.shared.containers.walk import WITHIN, ContainerBudget, ContainerLimits, walk
from embedmill.shared.errors import DocumentError, ParserLimitExceeded, SourceGone, UnreadableDocument
from embedmill.shared.files import SIZE_HINT, open_regular_file
from embedmill.shared.loading.loaders import Loaded, Loader, Located
from embedmill.shared.uris import path_to_uri, uri_to_path

if TYPE_CHECKING:
    from embedmill.shared.runtime import Runtime

MEMBER = "member"
"""The kind of origin that is read here; its `container` is the URI of the file."""

SAFE_IN_CONTAINERS = "/!~@+,;=()$&'*:"
"""What a path has as it stands in `member_uri`, beside letters, digits and `_.-`."""


def member_uri(container: str, path: str) -> str:
    """The URI of what lies in a container: `file:///data/archive.zip!/folder/a.txt`."""
    return container + WITHIN + quote(path, safe=SAFE_IN_CONTAINERS)


def member_path(container: str, uri: str) -> str:
    """The path of `member_uri`."""
    return unquote(uri.removeprefix(container + WITHIN))


def read_member(container: bytes, path: str, *, most: int) -> bytes:
    """What lies in the container at a path, of `most` bytes; raises what a MemberLoader does."""
    found = _Pass(path_to_uri(container), {path}, most).take(path)
    if found is None:
        raise SourceGone("it is not in its container")
    if isinstance(found, DocumentError):
        raise found
    return found


class MemberLoader(Loader):
    """A file in an archive, or a message in a mailbox. A pass is handed on once all of it was asked."""

    whence = "the container"

    def __init__(self, runtime: "Runtime", located: Sequence[Located]) -> None:
        super().__init__(runtime, located)
        self._passes: dict[str, _Pass] = {}
        self._wanted: dict[str, set[str]] = defaultdict(set)
        for each in located:
            container = str(each.origin.get("container"))
            self._wanted[container].add(member_path(container, each.uri))
        self._left = {container: set(paths) for container, paths in self._wanted.items()}

    def load(self, located: Located) -> Loaded:
        """One of them; raises SourceGone, UnreadableDocument, ParserLimitExceeded."""
        container = str(located.origin["container"])
        path = member_path(container, located.uri)
        found = self._passes[container].take(path) if container in self._passes else None
        if found is None:
            self._passes[container] = self._begin(container)
            found = self._passes[container].take(path)
        self._left[container].discard(path)
        if not self._left[container]:
            self.runtime.places.leave(container, self._passes.pop(container))
        if found is None:
            raise SourceGone("it is in its container no more")
        if isinstance(found, DocumentError):
            raise found
        return Loaded(self.whence, found)

    def _begin(self, container: str) -> "_Pass":
        """Where another left it, if all that is left to be asked lies behind that."""
        found = self.runtime.places.take(container, self._left[container])
        if isinstance(found, _Pass):
            return found
        return _Pass(container, self._wanted[container], self.runtime.settings.max_document_bytes)


class _Pass:
    """One reading of a container; what was met before it was asked for is kept until then."""

    def __init__(self, container: str, wanted: Set[str], most: int) -> None:
        self._entered = _entered(wanted)
        self._most = most
        self._met: dict[str, bytes | DocumentError] = {}
        self._path = uri_to_path(container)
        self._file: tuple[int, ...] = ()
        self._passed: set[int] = set()
        self._coming = self._read()

    def goes_on_to(self, wanted: Set[str]) -> bool:
        """Whether the file is the same, and nothing that leads to what is wanted was met already."""
        entered = _entered(wanted)
        if not wanted or any(hash(path) in self._passed for path in entered) or self._file != _identity(self._path):
            return False
        self._entered = entered
        self._met.clear()
        return True

    def take(self, path: str) -> bytes | DocumentError | None:
        """The document, or why it cannot be read; None when it is not there, or was taken before."""
        while path not in self._met:
            try:
                name, found = next(self._coming)
            except StopIteration:
                return None
            self._met[name] = found
        return self._met.pop(path)

    def _read(self) -> Iterator[tuple[str, bytes | DocumentError]]:
        path = self._path
        with os.fdopen(open_regular_file(path), "rb") as stream:
            self._file = _identity(stream.fileno())
            budget = ContainerBudget(ContainerLimits(), os.fstat(stream.fileno()).st_size)
            for inside in walk(stream, os.fsdecode(os.path.basename(path)), budget, wanted=self._leads_to_wanted):
                yield inside.path, self._read_one(inside)

    def _read_one(self, inside: Inside) -> bytes | DocumentError:
        if not isinstance(inside, ContainerEntry):
            return UnreadableDocument(inside.reason)
        try:
            data = inside.open().read(self._most + 1)
        except Damage as error:
            return error
        if len(data) > self._most:
            return ParserLimitExceeded(f"the file is larger than the limit of {self._most:,} bytes", hint=SIZE_HINT)
        return data

    def _leads_to_wanted(self, path: str) -> bool:
        self._passed.add(hash(path))
        return path in self._entered


def _entered(wanted: Set[str]) -> Set[str]:
    return wanted | {container for path in wanted for container in _around(path)}


def _identity(file: int | bytes | str) -> tuple[int, ...]:
    """What changes with a file; nothing for one that is not there."""
    try:
        found = os.stat(file)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _around(path: str) -> Iterator[str]:
    """The containers within the container that lead to a path."""
    parts = path.split(WITHIN)
    return (WITHIN.join(parts[:count]) for count in range(1, len(parts)))
