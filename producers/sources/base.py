"""What every source is: a stream of items under an identity that is the same when the same command runs again."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.turns import OwnTurns, Turns
from embedmill.shared.redaction.policy import REDACTED
from embedmill.shared.uris import uri_to_path

if TYPE_CHECKING:
    from embedmill.producers.sources.options import SourceOptions
    from embedmill.shared.settings import Settings


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
    that it lies in, if any. `state` is a text that tells a change without reading, as an ETag: the hash may be "" then,
    and nothing is read of a document that was read under the same state. `told` is what else its reader has to know.
    """

    uri: str
    size: int
    content_hash: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    listed_at: SourcePlace | None = field(default=None, compare=False)
    kind: str = "file"
    container: str = ""
    state: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> bytes:
        """Of a file on this machine; raises ValueError for anything else."""
        return uri_to_path(self.uri)

    @property
    def origin(self) -> Mapping[str, Any]:
        """What whoever reads the document is told."""
        told = {"container": self.container, "state": self.state, **self.told}
        return {"kind": self.kind, "metadata": dict(self.metadata), **{k: v for k, v in told.items() if v}}

    @property
    def place(self) -> SourcePlace:
        """The line of the list that names the file, or the file itself."""
        return self.listed_at or SourcePlace(self.uri)


# Of a table of a million rows a million are made, and each field of a frozen one costs a call.
@dataclass(slots=True, unsafe_hash=True)
class RowItem:
    """A document that is a row; `content_hash` is SHA-256 hex over the canonical JSON of title, text and metadata.

    `redacted` tells by which policy its values were hidden, and of what types they were. Nobody changes one.
    """

    uri: str
    title: str
    text: str
    metadata: Mapping[str, Any]
    content_hash: str
    place: SourcePlace = field(default=SourcePlace(""), compare=False)
    redacted: Mapping[str, Any] = field(default_factory=dict, compare=False)
    kind: ClassVar[str] = "row"

    @property
    def origin(self) -> Mapping[str, Any]:
        """What is kept beside the row's text."""
        told = {REDACTED: dict(self.redacted)} if self.redacted else {}
        return {"kind": self.kind, "metadata": dict(self.metadata), **told}


@dataclass(frozen=True, slots=True)
class HeldItem:
    """A document whose bytes the scan had to fetch: submission keeps them, and a worker parses them by their format.

    `content_hash` decides whether it has changed: that of the bytes, unless the source knows better what is the same.
    `media_type` says what they are where the URI's suffix does not.
    """

    uri: str
    data: bytes
    media_type: str = ""
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    content_hash: str = ""
    place: SourcePlace = field(default=SourcePlace(""), compare=False)
    redacted: Mapping[str, Any] = field(default_factory=dict, compare=False)
    kind: ClassVar[str] = "held"

    def __post_init__(self) -> None:
        """Without a hash, that of the bytes."""
        if not self.content_hash:
            object.__setattr__(self, "content_hash", hashlib.sha256(self.data).hexdigest())

    @property
    def origin(self) -> Mapping[str, Any]:
        """What is kept beside the bytes."""
        told = {k: v for k, v in (("media_type", self.media_type), (REDACTED, dict(self.redacted))) if v}
        return {"kind": self.kind, "metadata": dict(self.metadata), **told}


@dataclass(slots=True, unsafe_hash=True)
class Kept:
    """A document that is still there as far as anybody knows, and was not read; a `reason` becomes a note.

    Its claim is renewed and its text stays. It says nothing about a document that is not in the index as it is wanted:
    ask `ReadContext.settled` before, and read those. One that is said to be kept and that the source does not claim is
    a problem, or something skipped if there may be such. Nobody changes one, and it is not frozen for its price.
    """

    uri: str
    reason: str = ""
    skipped_if_new: bool = False


def as_missing(item: Kept) -> "Skipped | Problem":
    """What was kept without having been read, and that its source does not claim."""
    if item.skipped_if_new:
        return Skipped(item.uri, item.reason)
    return Problem(item.uri, item.reason or "it was not read, and is not in the index")


@dataclass(frozen=True, slots=True)
class Departed:
    """Proof that a document has left: what a source knows for certain, though it may not have listed all it holds.

    It leaves when the scan ends, if no more than a share of the source does (`--allow-deletes`).
    """

    uri: str
    reason: str = ""


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


Document = FileItem | RowItem | HeldItem
Item = Document | Kept | Departed | Skipped | Problem
Spec = dict[str, Any]
NOTHING: Mapping[str, Spec] = MappingProxyType({})
_NOTE_KINDS = {RemarkKind.EMPTY: "unmet", RemarkKind.UNMET: "unmet", RemarkKind.READ: "note"}


def describe_item(item: Kept | Departed | Skipped | Problem | Remark) -> dict[str, Any]:
    """What is no document, as a job's note: its kind (skipped, problem, unmet or note), uri, line and reason."""
    line = item.line if isinstance(item, Problem) else None
    match item:
        case Skipped():
            kind = "skipped"
        case Problem():
            kind = "problem"
        case Remark():
            kind = _NOTE_KINDS[item.kind]
        case Kept() | Departed():
            kind = "note"
    return {"kind": kind, "uri": item.uri, "line": line, "reason": str(item.reason)}


def _none_settled(_uris: Sequence[str]) -> frozenset[str]:
    return frozenset()


@dataclass(slots=True)
class ReadContext:
    """What a reading of a source may use, and where it says what it has to say of the source as a whole.

    `memory` is what the source kept from earlier scans. `limit` is how many documents are wanted, None for all: whoever
    reads may ask for no more, and is stopped there. `settled` tells those of some URIs that this source claims and that
    are in the index as they are wanted today, or on their way there by this job: only of these `Kept` is true.
    `remarks` are added to by the end. Whoever reads only what has changed says so by `is_increment`: then nothing has
    left that was not met, and none is no fault. `settings` are those of this installation, None where there is none;
    `turns` are shared by all who ask hosts from one home.
    """

    memory: Memory = field(default_factory=Memory)
    limit: int | None = None
    settled: Callable[[Sequence[str]], frozenset[str]] = _none_settled
    remarks: list[Remark] = field(default_factory=list)
    is_increment: bool = False
    settings: "Settings | None" = None
    turns: Turns = field(default_factory=OwnTurns)


class Source(ABC):
    """Something that a user named; iterating reads it afresh, in the same order while nothing changes.

    `detects_deletions` says whether a document that a complete enumeration no longer yields has left the source.
    `hides_only_below` says that a Problem's URI is where the documents are that it hides: there and below it. A problem
    with the source's own URI hides everything. `takes` are the options that it heeds, by their names
    (`embedmill.producers.sources.options`). `prefix` is what has to follow `scheme:` where it is named by an address.
    `has_namesakes` where others of the collection may be called as it is (`beside`).
    `part` says what a reading is about that is not of all of it, "" otherwise:
    its job is another then. `name` is its URI where it is on record under another than it was called by now, and
    `namesakes` are the URIs of others on record that are the same things.
    `is_news` where each reading is of other things than the one before: what that said stays.
    """

    __slots__ = ()

    kind: ClassVar[str]
    detects_deletions: ClassVar[bool] = True
    hides_only_below: ClassVar[bool] = False
    takes: ClassVar[tuple[str, ...]] = ()
    empty: ClassVar[str] = "there is nothing in it"
    has_namesakes: ClassVar[bool] = False
    is_news: ClassVar[bool] = False
    prefix: ClassVar[str] = ""
    name: str = ""
    namesakes: Sequence[str] = ()

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

    @property
    def former_identity(self) -> str:
        """By what an older release knew it, "" where that is the same."""
        return ""

    def beside(self, others: Mapping[str, Spec], closed: Mapping[str, Spec] = NOTHING) -> Self:
        """The source as it is called beside the open ones of its collection, which are told by their identities.

        One that was closed is still called what it was: what was erased of it stays out by that name.
        """
        del others, closed
        return self

    @property
    def holds_secret(self) -> bool:
        """Whether it was opened with what lets somebody in, which its spec does not have: nobody else can read it."""
        return False

    @property
    def without_secret(self) -> str:
        """What a user gives in its place, so that others can read the source too; "" where there is nothing."""
        return ""

    @property
    def part(self) -> str:
        """What a reading is about that is not of all of it."""
        return ""

    def spec_of_newest(self, context: ReadContext) -> Spec:
        """The spec by which it is to be read again, after a reading: another's where this was an older state of it."""
        del context
        return self.spec

    def find_risks(self) -> list[str]:
        """What the account by which it is read may do besides reading; raises EmbedmillError where it is away."""
        return []

    def __iter__(self) -> Iterator[Item]:
        """Read the source as a stream, as if for the first time."""
        return self.read(ReadContext())

    @abstractmethod
    def read(self, context: ReadContext) -> Iterator[Item]:
        """The same with what was kept from earlier; what fails becomes a Problem, never an exception.

        What is put into the memory before an item is yielded becomes durable with that item, or before it.
        """

    def scan(self, context: ReadContext | None = None) -> Iterator[Item | Remark]:
        """The same up to the limit, and then the remarks: what did not come is never passed over in silence."""
        context = context or ReadContext()
        taken = problems = skipped = departed = 0
        for item in self.read(context):
            match item:
                case FileItem() | RowItem() | HeldItem() | Kept():
                    taken += 1
                case Departed():
                    departed += 1
                case Problem():
                    problems += 1
                case Skipped():
                    skipped += 1
            yield item
            if taken == context.limit:
                return
        yield from context.remarks
        if not (taken or problems or departed or context.is_increment):
            reason = "nothing of it was taken: everything in it was skipped" if skipped else self.empty
            yield Remark(self.spec["uri"], reason, RemarkKind.EMPTY)
