"""What an ingest would do, without doing it: sources are read as far as they must be, and nothing is recorded."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from embedmill.console.listening import NOBODY, Listener, Teller
from embedmill.console.services.held_against import CollectionIndex
from embedmill.console.services.noticing import Noticed
from embedmill.console.services.progress import scanning
from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import claims, collections
from embedmill.shared.notes import Note, Reason
from embedmill.shared.paging import walk
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.absence import Unread
    from embedmill.producers.sources.base import Item, ReadContext, Remark, Source

ITEMS = 256
SHOWN = 100
NEW, CHANGED, DELETED, HELD = "new", "changed", "deleted", "held"


@dataclass(frozen=True, slots=True)
class PreviewCounts:
    """Documents by what would become of them; `held` would leave, and are kept for want of --allow-deletes."""

    total: int
    new: int
    changed: int
    unchanged: int
    skipped: int
    deleted: int
    held: int


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One document and what would be done about it: `new`, `changed`, `deleted`, or `held`, which needs a flag."""

    uri: str
    change: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What an ingest would do now; `changes` are the first of them."""

    dry_run: bool
    collection: str
    sources: list[str]
    documents: PreviewCounts
    changes: list[Foreseen]
    problems: int
    notes: list[Note]
    reasons: list[Reason]
    seconds: float


@serves("estimate", Right.OPERATE, in_collection())
def preview(
    runtime: Runtime,
    sources: "Sequence[Source]",
    *,
    collection: str,
    limit: int | None = None,
    allow_deletes: bool = False,
    listener: Listener = NOBODY,
) -> Preview:
    """What an ingest of these sources would do now, with a limit of so many documents of each."""
    began = time.monotonic()
    found = runtime.database.query(lambda connection: collections.find_collection(connection, collection))
    index = CollectionIndex(runtime, collection, found)
    previewer = Previewer(runtime, index, limit, Teller(listener))
    for source in index.called(sources):
        previewer.read(source)
    deleted, held = previewer.count_departures(allow_deletes=allow_deletes)
    counts, noticed = previewer.counts, previewer.noticed
    return Preview(
        dry_run=True,
        collection=collection,
        sources=[str(source.spec["uri"]) for source in sources],
        documents=PreviewCounts(sum(counts.values()), **counts, deleted=deleted, held=held),
        changes=previewer.changes,
        problems=noticed.problems,
        notes=noticed.notes,
        reasons=noticed.reasons(),
        seconds=round(time.monotonic() - began, 3),
    )


class Previewer:
    """Reads sources as a scan does, and holds what they have against the index."""

    def __init__(self, runtime: Runtime, index: CollectionIndex, limit: int | None, teller: Teller) -> None:
        from embedmill.producers.sources.seen import SeenKeys

        self.noticed = Noticed()
        self.changes: list[Foreseen] = []
        self.counts = {NEW: 0, CHANGED: 0, "unchanged": 0, "skipped": 0}
        self._runtime = runtime
        self._index = index
        self._limit = limit
        self._teller = teller
        self._met, self._gone = SeenKeys(), SeenKeys()
        self._read: list[_ReadSource] = []

    def read(self, source: "Source") -> None:
        """Everything in a source, as far as the limit goes."""
        from embedmill.producers.absence import Unread

        context = self._index.context(source, self._limit)
        read = _ReadSource(source, Unread(source), context)
        self._read.append(read)
        items = source.scan(context)
        source_id = self._index.find_source(source)
        while some := list(islice(items, ITEMS)):
            self._take(read, self._index.resolve(some, source_id))
            self._teller.tell(lambda: scanning(0, sum(self.counts.values())))

    def _take(self, read: "_ReadSource", items: "Sequence[Item | Remark]") -> None:
        from embedmill.producers.sources.base import Departed, FileItem, HeldItem, Kept, Problem, RowItem, Skipped

        documents: list[FileItem | RowItem | HeldItem] = []
        for item in items:
            match item:
                case FileItem() | RowItem() | HeldItem():
                    documents += [item] if self._meet(item.uri) else []
                    continue
                case Kept():
                    self.counts["unchanged"] += self._meet(item.uri)
                case Departed():
                    self._gone.add([self._index.id_of(item.uri).encode()], 0)
                case Skipped():
                    self.counts["skipped"] += 1
                case Problem():
                    read.unread.add(item)
            if item.reason:
                self.noticed.add(item)
        known = self._index.find_read(documents)
        for document in documents:
            version = known.get(self._index.id_of(document.uri))
            if version is not None and self._index.is_as(document, version):
                self.counts["unchanged"] += 1
            else:
                self._foresee(document.uri, NEW if version is None else CHANGED)

    def _meet(self, uri: str) -> bool:
        """Whether a document is met for the first time."""
        mark = [self._index.id_of(uri).encode()]
        is_first = self._met.find(mark) is None
        if is_first:
            self._met.add(mark, 0)
        return is_first

    def _foresee(self, uri: str, change: str) -> None:
        if change in self.counts:
            self.counts[change] += 1
        if len(self.changes) < SHOWN:
            self.changes.append(Foreseen(uri, change))

    def count_departures(self, *, allow_deletes: bool) -> tuple[int, int]:
        """How many documents would leave, and how many of them would be kept for want of a flag."""
        deleted = held = 0
        for read in self._read:
            leaving, total, first = self._leaving(read)
            is_held = self._is_too_much(leaving, total) and not allow_deletes
            for uri in first:
                self._foresee(uri, HELD if is_held else DELETED)
            if is_held:
                held += leaving
            else:
                deleted += leaving
        return deleted, held

    def _is_too_much(self, leaving: int, total: int) -> bool:
        from embedmill.producers.leaving import LARGEST_DEPARTURE

        return leaving > total * LARGEST_DEPARTURE

    def _leaving(self, read: "_ReadSource") -> tuple[int, int, list[str]]:
        """Of the documents that are there for a source: those that have left it, all, and the first of the former."""
        source_id = self._index.find_source(read.source)
        if not source_id:
            return 0, 0, []

        def find(after: str) -> list[claims.Unmet]:
            return self._runtime.database.query(lambda c: claims.list_leaving(c, source_id, after=after))

        which = claims.of_source(source_id)
        seen = self._runtime.database.query(lambda c: claims.count_departures(c, which, of=source_id))
        leaving, first = 0, list[str]()
        for one in (one for some in walk(find, key=lambda unmet: unmet.id) for one in some):
            if one.leaves and self._has_left(read, one):
                leaving += 1
                first += [one.uri] if len(first) < SHOWN else []
        return leaving, seen.total, first

    def _has_left(self, read: "_ReadSource", one: claims.Unmet) -> bool:
        mark = [one.id.encode()]
        if self._met.find(mark) is not None:
            return False
        is_whole = read.source.detects_deletions and self._limit is None and not read.context.is_increment
        return self._gone.find(mark) is not None or (is_whole and read.unread.place_of(one.uri) is None)


@dataclass(frozen=True, slots=True)
class _ReadSource:
    """A source, what of it could not be read, and what it was read with."""

    source: "Source"
    unread: "Unread"
    context: "ReadContext"
