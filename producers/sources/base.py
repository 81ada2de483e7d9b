"""What every source is: a stream of items under an identity that is the same when the same command runs again."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from embedmill.shared.uris import uri_to_path

if TYPE_CHECKING:
    from embedmill.producers.sources.open import SourceOptions


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where a source names a document: the URI of a file, and the line in it where rows and lists have one."""

    uri: str
    line: int | None = None

    def __str__(self) -> str:
        return self.uri if self.line is None else f"{self.uri}:{self.line}"


@dataclass(frozen=True, slots=True)
class FileItem:
    """A document that is read later, by a worker; `size` in bytes, `content_hash` SHA-256 hex.

    `kind` says where it is and what reads it there (`embedmill.shared.loading`); `container` is the URI of the file
    that it lies in, if any.
    """

    uri: str
    size: int
    content_hash: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    listed_at: SourcePlace | None = field(default=None, compare=False)
    kind: str = "file"
    container: str = ""

    @property
    def path(self) -> bytes:
        """Of a file on this machine; raises ValueError for anything else."""
        return uri_to_path(self.uri)

    @property
    def origin(self) -> Mapping[str, Any]:
        """What whoever reads the document is told."""
        within = {"container": self.container} if self.container else {}
        return {"kind": self.kind, "metadata": dict(self.metadata), **within}

    @property
    def place(self) -> SourcePlace:
        """The line of the list that names the file, or the file itself."""
        return self.listed_at or SourcePlace(self.uri)


@dataclass(frozen=True, slots=True)
class RowItem:
    """A document that is a row; `content_hash` is SHA-256 hex over the canonical JSON of title, text and metadata."""

    uri: str
    title: str
    text: str
    metadata: Mapping[str, Any]
    content_hash: str
    place: SourcePlace = field(default=SourcePlace(""), compare=False)
    kind: ClassVar[str] = "row"

    @property
    def origin(self) -> Mapping[str, Any]:
        """What is kept beside the row's text."""
        return {"kind": self.kind, "metadata": dict(self.metadata)}


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that holds no document, and why."""

    uri: str
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read: the enumeration is incomplete. `uri` is the file's when `line` is given."""

    uri: str
    reason: str
    line: int | None = None


class RemarkKind(StrEnum):
    """What a remark is about."""

    EMPTY = "empty"
    UNMET = "unmet"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a source as a whole: nothing came of it, what was asked for is not in it, or how it was read."""

    uri: str
    reason: str
    kind: RemarkKind


Item = FileItem | RowItem | Skipped | Problem
Spec = dict[str, Any]
_NOTE_KINDS = {RemarkKind.EMPTY: "unmet", RemarkKind.UNMET: "unmet", RemarkKind.READ: "note"}


def describe_item(item: Skipped | Problem | Remark) -> dict[str, Any]:
    """What is no document, as a job's note: its kind (skipped, problem, unmet or note), uri, line and reason."""
    line = item.line if isinstance(item, Problem) else None
    match item:
        case Skipped():
            kind = "skipped"
        case Problem():
            kind = "problem"
        case Remark():
            kind = _NOTE_KINDS[item.kind]
    return {"kind": kind, "uri": item.uri, "line": line, "reason": str(item.reason)}


class Source(ABC):
    """Something that a user named; iterating reads it afresh, in the same order while nothing changes.

    `detects_deletions` says whether a document that a complete enumeration no longer yields has left the source.
    `hides_only_below` says that a Problem's URI is where the documents are that it hides: there and below it.
    """

    __slots__ = ()

    kind: ClassVar[str]
    detects_deletions: ClassVar[bool] = True
    hides_only_below: ClassVar[bool] = False
    empty: ClassVar[str] = "there is nothing in it"

    @classmethod
    def open(cls, url: str, options: "SourceOptions") -> Self:
        """The source that a URL of its scheme names; only those that have one. Raises SourceError, UsageError."""
        raise NotImplementedError

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        """The source that has this spec; only those that a URL names."""
        raise NotImplementedError

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """All that `source_from_spec` needs to build this source again, as JSON values."""

    @property
    def identity(self) -> str:
        """The spec as canonical JSON."""
        return json.dumps(self.spec, sort_keys=True, separators=(",", ":"))

    def __iter__(self) -> Iterator[Item]:
        """Read the source as a stream; what fails becomes a Problem, never an exception."""
        return self.read([])

    @abstractmethod
    def read(self, remarks: list[Remark]) -> Iterator[Item]:
        """The same; what there is to say about the source as a whole is added to `remarks` by the end."""

    def scan(self) -> Iterator[Item | Remark]:
        """The same, and then the remarks: what was asked for and did not come is never passed over in silence."""
        remarks: list[Remark] = []
        taken = problems = skipped = 0
        for item in self.read(remarks):
            match item:
                case FileItem() | RowItem():
                    taken += 1
                case Problem():
                    problems += 1
                case Skipped():
                    skipped += 1
            yield item
        yield from remarks
        if not taken and not problems:
            reason = "nothing of it was taken: everything in it was skipped" if skipped else self.empty
            yield Remark(self.spec["uri"], reason, RemarkKind.EMPTY)
