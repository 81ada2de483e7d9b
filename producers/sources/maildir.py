"""A maildir: each message is a document, by its Message-ID; what its file's name says of flags is no change.

A file is read at its first sight only, as far as its Message-ID is: afterwards it is known by its name without flags.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from embedmill.producers.sources.base import FileItem, Item, Problem, ReadContext, Source, Spec
from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.options import SourceOptions
from embedmill.producers.sources.paths import named_path, shown
from embedmill.producers.sources.seen import SeenKeys
from embedmill.shared.containers.mailboxes import HEAD_BYTES, name_by_id
from embedmill.shared.errors import DocumentError, SourceError
from embedmill.shared.files import describe_os_error, open_regular_file
from embedmill.shared.loading.maildirs import MailFile, is_maildir, list_mail
from embedmill.shared.loading.members import member_uri
from embedmill.shared.paging import batched
from embedmill.shared.uris import path_to_uri, uri_to_path

PAGE = 200
_FILE, _NAME = "file/", "name/"


@dataclass(frozen=True, slots=True)
class MaildirSource(Source):
    """The maildir at an absolute path, with the folders in it."""

    kind: ClassVar[str] = "maildir"
    hides_only_below: ClassVar[bool] = True
    empty: ClassVar[str] = "no message is in it"

    path: bytes

    @classmethod
    def open(cls, url: str, options: SourceOptions) -> Self:
        del options
        path = named_path(url, "maildir:")
        if not is_maildir(path):
            raise SourceError(f"{shown(path)} is no maildir", hint="A maildir has the folders cur, new and tmp.")
        return cls(path)

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        return cls(uri_to_path(spec["uri"]))

    @property
    def spec(self) -> Spec:
        """Where it is."""
        return {"kind": self.kind, "uri": path_to_uri(self.path)}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """A FileItem for each message; what cannot be listed hides all of them."""
        reading = _MaildirReading(path_to_uri(self.path), context.memory)
        try:
            for file in list_mail(self.path):
                reading.see(file)
            for some in batched(list_mail(self.path), PAGE):
                yield from reading.items(some)
        except OSError as error:
            yield Problem(path_to_uri(self.path), describe_os_error(error))
            return
        reading.forget_gone()


class _MaildirReading:
    """One reading: the files that are there, and how messages are called that more than one file has."""

    def __init__(self, uri: str, memory: Memory) -> None:
        self._uri = uri
        self._memory = memory
        self._there = SeenKeys()
        self._taken = SeenKeys()

    def see(self, file: MailFile) -> None:
        """Remember that a file is there."""
        self._there.add([_mark(file.key)], 0)

    def items(self, files: Sequence[MailFile]) -> Iterator[Item]:
        """The documents of some files."""
        known = self._memory.get_many([_FILE + file.key for file in files])
        for file in files:
            if self._is_taken(file.key):
                continue
            name = known.get(_FILE + file.key, {}).get("name") or self._name(file)
            if isinstance(name, Problem):
                yield name
            else:
                uri = member_uri(self._uri, name)
                yield FileItem(uri, file.size, "", kind=MaildirSource.kind, container=self._uri, state=file.key)

    def _is_taken(self, key: str) -> bool:
        """Whether a file of that name was met before in another folder, into which it was copied."""
        is_taken = self._taken.find([_mark(key)]) is not None
        self._taken.add([_mark(key)], 0)
        return is_taken

    def _name(self, file: MailFile) -> str | Problem:
        """What the message of a new file is called, which is remembered."""
        try:
            named = _read_name(file.path) or f"{file.key}.eml"
        except DocumentError as error:
            return Problem(path_to_uri(file.path), str(error))
        except OSError as error:
            return Problem(path_to_uri(file.path), describe_os_error(error))
        name = self._free(named)
        self._memory.put_many({_FILE + file.key: {"name": name}, _NAME + name: {"file": file.key}})
        return name

    def _free(self, named: str) -> str:
        """The name, with a number where another file has it that is there."""
        name, count = named, 1
        while self._is_held(self._memory.get_many([_NAME + name])):
            count += 1
            name = f"{named.removesuffix('.eml')}~{count}.eml"
        return name

    def _is_held(self, found: Mapping[str, Mapping[str, str]]) -> bool:
        return any(self._there.find([_mark(holder["file"])]) is not None for holder in found.values())

    def forget_gone(self) -> None:
        """Forget the files that are not there any more, and the names that none of those that are has."""
        for some in batched(self._memory.walk(), PAGE):
            gone = [key for key, value in some if self._is_gone(key, value)]
            if gone:
                self._memory.forget(gone)

    def _is_gone(self, key: str, value: Mapping[str, str]) -> bool:
        file = key.removeprefix(_FILE) if key.startswith(_FILE) else value["file"]
        return self._there.find([_mark(file)]) is None


def _read_name(path: bytes) -> str:
    with os.fdopen(open_regular_file(path, flags=os.O_NOFOLLOW), "rb") as stream:
        return name_by_id(stream.read(HEAD_BYTES))


def _mark(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=15).digest()
