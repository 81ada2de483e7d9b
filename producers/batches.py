"""What a source holds, as batches that are recorded together, each in one transaction."""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from embedmill.producers.sources.base import (
    Departed,
    Document,
    FileItem,
    HeldItem,
    Item,
    Kept,
    Problem,
    Remark,
    RemarkKind,
    RowItem,
    Skipped,
    describe_item,
)
from embedmill.producers.sources.memory import Changes
from embedmill.shared.access.labels import SEALED, UNLABELLED, Labels, labelled, read_labels
from embedmill.shared.addresses import document_id, version_id
from embedmill.shared.db.claims import LeftBehind
from embedmill.shared.db.submission import Submission
from embedmill.shared.db.submitting import version_of_state
from embedmill.shared.json_bytes import json_bytes
from embedmill.shared.privacy.document_seals import DocumentSeals

SHOWN_CHARACTERS = 80
BATCH_BYTES = 8 * 1024 * 1024
BATCH_SECONDS = 2.0
# A rough bound for text of every kind; the chunker counts exactly.
BYTES_PER_TOKEN = 4
_SEALED = {
    "access": "its access is no level, or several: only who reads every level sees it",
    "owner": "its owner is no name, or several: it is nobody's",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that are recorded together; each document's item and submission once, the first that named it.

    `kept` are documents by id that were not read and stay, `departed` the ids of those that are proven to have left.
    """

    items: Mapping[str, Document] = field(default_factory=dict)
    submissions: Mapping[str, Submission] = field(default_factory=dict)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    departed: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    notes: Sequence[Mapping[str, Any]] = ()
    memory: Changes = field(default_factory=dict)

    @property
    def held(self) -> list[str]:
        """The ids of documents of which submission keeps a copy."""
        return [id_ for id_, submission in self.submissions.items() if submission.is_held]

    def parts(self, ids: Iterable[str]) -> dict[str, bytes]:
        """What is kept of held documents."""
        return {id_: _pack(self.items[id_]) for id_ in ids}

    def without(self, ids: Container[str], notes: Sequence[Mapping[str, Any]] = ()) -> "Batch":
        """The same without some documents, and with what is said of that."""
        left = {id_: submission for id_, submission in self.submissions.items() if id_ not in ids}
        items = {id_: self.items[id_] for id_ in left}
        return replace(self, items=items, submissions=left, notes=[*self.notes, *notes])

    def with_references(self, references: Mapping[str, str]) -> "Batch":
        """The same with where the copies of documents are."""
        stored = {
            id_: replace(s, origin={**s.origin, "ref": references[id_]})
            for id_, s in self.submissions.items()
            if id_ in references
        }
        return replace(self, submissions={**self.submissions, **stored})


def _pack(item: Document) -> bytes:
    """A row has no place of its own to be read from later, and bytes that were fetched are not fetched twice."""
    match item:
        case RowItem():
            return json_bytes({"text": item.text}, option=orjson.OPT_NON_STR_KEYS)
        case HeldItem():
            return item.data
    raise TypeError(f"{type(item).__name__} is read where it is")


@dataclass(frozen=True, slots=True)
class Describer:
    """Turns items into batches; `expects_nothing` where the user said that documents may have left a source.

    `labels` are what the source says of who may see its documents.
    """

    collection: str
    settings_hash: str
    expects_nothing: bool
    seals: DocumentSeals
    labels: Labels = UNLABELLED

    def describe(self, items: Sequence[Item | Remark], memory: Changes) -> Batch:
        """The batch of some items, and of what the source wants to keep with them."""
        found: dict[str, Document] = {}
        kept: dict[str, Kept] = {}
        for item in items:
            match item:
                case FileItem() | RowItem() | HeldItem():
                    found.setdefault(self._id(item.uri), item)
                case Kept():
                    kept.setdefault(self._id(item.uri), item)
        return Batch(
            items=found,
            submissions={id_: self._submission(id_, item) for id_, item in found.items()},
            kept={id_: item for id_, item in kept.items() if id_ not in found},
            departed=[self._id(item.uri) for item in items if isinstance(item, Departed)],
            problems=[item for item in items if isinstance(item, Problem)],
            notes=[self._note(item) for item in items if _says_something(item)],
            memory=memory,
        )

    def _id(self, uri: str) -> str:
        return document_id(self.collection, uri)

    def _note(self, item: Any) -> dict[str, Any]:
        """That a source is empty is only noted where the user said that documents may have left it."""
        emptied = isinstance(item, Remark) and item.kind is RemarkKind.EMPTY and self.expects_nothing
        return describe_item(item) | ({"kind": "note"} if emptied else {})

    def _submission(self, id_: str, item: Document) -> Submission:
        labels = read_labels(item.metadata).over(self.labels)
        known_by, said = labelled(self.settings_hash, labels), labels.as_json()
        state = item.state if isinstance(item, FileItem) else ""
        content_hash = self.seals.content_hash(item.content_hash)
        by_content = content_hash or not state
        version = version_id if by_content else version_of_state
        return Submission(
            document_id=id_,
            uri=item.uri,
            title=self.seals.title((item.title or "").replace("\0", "")),
            content_hash=content_hash,
            settings_hash=self.settings_hash,
            version=version(content_hash if by_content else state, known_by),
            size=max(1, size_of(item) // BYTES_PER_TOKEN),
            origin=self.seals.origin({**item.origin, "labels": said} if said else item.origin),
            state=state,
            is_held=not isinstance(item, FileItem),
        )


def _says_something(item: Item | Remark) -> bool:
    """What is kept says it when its claim was renewed, or that there is none."""
    return isinstance(item, Skipped | Problem | Remark) or (isinstance(item, Departed) and bool(item.reason))


def named(item: Document | LeftBehind) -> str:
    """A document by its id, as notes have it."""
    return f"the id {item.uri[:SHOWN_CHARACTERS]!r}"


def find_sealed(item: Document) -> list[str]:
    """What there is to say of a document's labels that are none."""
    return [_SEALED[name] for name, value in read_labels(item.metadata).as_json().items() if value == SEALED]


def size_of(item: Document) -> int:
    """How large a document is: characters of a row, bytes of anything else."""
    match item:
        case RowItem():
            return len(item.text)
        case HeldItem():
            return len(item.data)
    return item.size


def cut(
    items: Iterable[Item | Remark], most: int, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[Item | Remark]]:
    """At most so many items at a time, with no more text and bytes than a batch may hold, and not for long.

    What comes slowly, as pages of a site do, is recorded while more is read: it is worked on, and a kill loses little.
    """
    batch: list[Item | Remark] = []
    size, begun = 0, clock()
    for item in items:
        batch.append(item)
        size += size_of(item) if isinstance(item, RowItem | HeldItem) else 0
        if len(batch) >= most or size >= BATCH_BYTES or clock() - begun >= BATCH_SECONDS:
            yield batch
            batch, size, begun = [], 0, clock()
    # Also an empty last one: what the source kept after its last item is recorded with it.
    yield batch
