"""Where a document's bytes come from: whoever reads documents asks here, by the kind of each document's origin.

An origin is what a source wrote beside a document's URI: `{"kind": …, "metadata": {…}}`, and `ref` where submission
kept the text or the bytes themselves. Which kinds there are is `embedmill.shared.origins`'s to say.
"""

import mimetypes
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from embedmill.shared.errors import BlobMissing, UnreadableDocument
from embedmill.shared.files import read_regular_file
from embedmill.shared.origins import find_origin
from embedmill.shared.redaction.hiding import HIDDEN
from embedmill.shared.uris import uri_to_path

if TYPE_CHECKING:
    from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Located:
    """A document by what is known of where it is."""

    uri: str
    origin: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read: bytes to be parsed, or a text that is plain whatever it looks like; and whence, in words.

    `as_submitted` when it is what the scan had, whose hash its work has; otherwise its bytes are hashed. `state` is the
    one under which it was read, where that is not its work's. `name` tells its format by a suffix, where the URI does
    not. `left_out` says why it is not taken after all, now that its content is known.
    """

    whence: str
    data: bytes = b""
    text: str | None = None
    as_submitted: bool = False
    state: str | None = None
    name: str = ""
    left_out: str = ""


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


class BlobLoader(Loader):
    """What submission kept as a blob."""

    _found: Mapping[str, bytes | BlobMissing] | None = None

    def find(self, located: Located) -> bytes:
        """The blob of one document; raises BlobMissing."""
        if self._found is None:
            self._found = self.runtime.blobs.get_pack([each.origin["ref"] for each in self.located])
        data = self._found[located.origin["ref"]]
        if isinstance(data, BlobMissing):
            raise data
        return data


class RowLoader(BlobLoader):
    """A row, whose text is kept."""

    whence = "the stored row"
    holds_text = True

    def load(self, located: Located) -> Loaded:
        return Loaded(self.whence, text=orjson.loads(self.find(located))["text"], as_submitted=True)


class HeldLoader(BlobLoader):
    """What a scan fetched, whose bytes are kept."""

    whence = "the stored copy"

    def load(self, located: Located) -> Loaded:
        name = name_by_type(located.uri, str(located.origin.get("media_type", "")))
        return Loaded(self.whence, self.runtime.hider.show(self.find(located)), as_submitted=True, name=name)


def name_by_type(uri: str, media_type: str) -> str:
    """A name that ends in the suffix of a media type, if there is one: formats are told by suffixes."""
    suffix = mimetypes.guess_extension(media_type)
    return re.split("[?#]", uri)[0].rstrip("/") + suffix if suffix else uri


class Loading:
    """The reading of some documents, of whatever kinds they are."""

    def __init__(self, runtime: "Runtime", located: Iterable[Located]) -> None:
        self._runtime = runtime
        self._by_kind: dict[str, list[Located]] = {}
        for each in map(self._shown, located):
            self._by_kind.setdefault(_kind(each.origin), []).append(each)
        self._loaders: dict[str, Loader] = {}

    def load(self, located: Located) -> Loaded:
        """One of them; raises BlobMissing, SourceGone, UnreadableDocument, ParserLimitExceeded."""
        kind = _kind(located.origin)
        if kind not in self._loaders:
            self._loaders[kind] = loader_class(kind)(self._runtime, self._by_kind[kind])
        return self._loaders[kind].load(self._shown(located))

    def _shown(self, located: Located) -> Located:
        """Where it really is, if that is not told to others."""
        if HIDDEN not in located.origin:
            return located
        return Located(*self._runtime.hider.show_place(located.uri, located.origin))


def load(runtime: "Runtime", uri: str, origin: Mapping[str, Any]) -> Loaded:
    """A single document."""
    located = Located(uri, origin)
    return Loading(runtime, [located]).load(located)


def loader_class(kind: str) -> type[Loader]:
    """What reads documents of a kind; raises UnreadableDocument for one that this release does not know."""
    origin = find_origin(kind)
    if origin is None or not origin.loader:
        raise UnreadableDocument(f"nothing here reads documents of the kind {kind!r}")
    found: type[Loader] = resolve_name(origin.loader)
    return found


def source_class(kind: str) -> Any:
    """The source that a URL of that scheme names, or None."""
    origin = find_origin(kind)
    return resolve_name(origin.source) if origin and origin.source else None


def _kind(origin: Mapping[str, Any]) -> str:
    return str(origin["kind"])
