"""Where a document's bytes come from: one table by the kind of its origin, for whoever reads documents.

An origin is what a source wrote beside a document's URI: `{"kind": …, "metadata": {…}}`, and `ref` where submission
kept the text itself. What users name by a URL of that scheme, `kind://…`, is opened by the same entry's source. So a
new source is a module and a line here; one that yields rows needs no loader, since submission keeps their text.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from embedmill.shared.errors import BlobMissing, UnreadableDocument
from embedmill.shared.files import read_regular_file
from embedmill.shared.uris import uri_to_path

if TYPE_CHECKING:
    from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Origin:
    """How documents of one kind are listed and read; `module:Class`, imported on demand, empty where there is none."""

    loader: str = ""
    source: str = ""
    """A Source that is opened by a URL (`embedmill.producers.sources.base`)."""


ORIGINS: dict[str, Origin] = {
    "file": Origin(loader="embedmill.shared.loading:FileLoader"),
    "member": Origin(loader="embedmill.shared.containers.loading:MemberLoader"),
    "row": Origin(loader="embedmill.shared.loading:RowLoader"),
}


@dataclass(frozen=True, slots=True)
class Located:
    """A document by what is known of where it is."""

    uri: str
    origin: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read: bytes to be parsed, or a text that is plain whatever it looks like; and whence, in words."""

    whence: str
    data: bytes = b""
    text: str | None = None


class Loader(ABC):
    """Reads documents of one kind; what can be read together is, on first use. `located` are those that may be wanted.

    Raises what `embedmill.shared.errors` has for a document that is gone or cannot be read.
    """

    whence: ClassVar[str]
    holds_text: ClassVar[bool] = False
    """Whether its documents are plain text, whatever they look like."""

    def __init__(self, runtime: "Runtime", located: Sequence[Located]) -> None:
        self.runtime = runtime
        self.located = located

    @abstractmethod
    def load(self, located: Located) -> Loaded:
        """One document."""


class FileLoader(Loader):
    """A file of this machine."""

    whence = "the file"

    def load(self, located: Located) -> Loaded:
        most = self.runtime.settings.max_document_bytes
        return Loaded(self.whence, read_regular_file(uri_to_path(located.uri), max_bytes=most))


class RowLoader(Loader):
    """A row, whose text is kept as a blob."""

    whence = "the stored row"
    holds_text = True
    _found: Mapping[str, bytes | BlobMissing] | None = None

    def load(self, located: Located) -> Loaded:
        if self._found is None:
            self._found = self.runtime.blobs.get_pack([each.origin["ref"] for each in self.located])
        data = self._found[located.origin["ref"]]
        if isinstance(data, BlobMissing):
            raise data
        return Loaded(self.whence, text=orjson.loads(data)["text"])


class Loading:
    """The reading of some documents, of whatever kinds they are."""

    def __init__(self, runtime: "Runtime", located: Iterable[Located]) -> None:
        self._runtime = runtime
        self._by_kind: dict[str, list[Located]] = {}
        for each in located:
            self._by_kind.setdefault(_kind(each.origin), []).append(each)
        self._loaders: dict[str, Loader] = {}

    def load(self, located: Located) -> Loaded:
        """One of them; raises BlobMissing, SourceGone, UnreadableDocument, ParserLimitExceeded."""
        kind = _kind(located.origin)
        if kind not in self._loaders:
            self._loaders[kind] = loader_class(kind)(self._runtime, self._by_kind[kind])
        return self._loaders[kind].load(located)


def load(runtime: "Runtime", uri: str, origin: Mapping[str, Any]) -> Loaded:
    """A single document."""
    located = Located(uri, origin)
    return Loading(runtime, [located]).load(located)


def loader_class(kind: str) -> type[Loader]:
    """What reads documents of a kind; raises UnreadableDocument for one that this release does not know."""
    if kind not in ORIGINS:
        raise UnreadableDocument(f"nothing here reads documents of the kind {kind!r}")
    found: type[Loader] = resolve_name(ORIGINS[kind].loader)
    return found


def source_class(kind: str) -> Any:
    """The source that a URL of that scheme names, or None."""
    named = ORIGINS[kind].source if kind in ORIGINS else ""
    return resolve_name(named) if named else None


def _kind(origin: Mapping[str, Any]) -> str:
    return str(origin["kind"])
