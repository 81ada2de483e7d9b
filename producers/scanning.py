"""The scan of a source: what it holds goes to the database in batches, and what it holds no longer leaves."""

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson

from embedmill.producers import erased
from embedmill.producers.absence import Unread, is_missing, note_kept
from embedmill.producers.sources.base import (
    FileItem,
    Item,
    Problem,
    Remark,
    RemarkKind,
    RowItem,
    Skipped,
    Source,
    SourcePlace,
    describe_item,
)
from embedmill.producers.sources.folder import FolderSource
from embedmill.shared.addresses import document_id, version_id
from embedmill.shared.db import claims, dead_before, documents, scan_notes, scans, submitting
from embedmill.shared.db.claims import LeftBehind, OtherClaim, Sighting, Which
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.scans import Scan
from embedmill.shared.db.submitting import Submission
from embedmill.shared.errors import SourceClosed
from embedmill.shared.paging import pages, walk
from embedmill.shared.runtime import Runtime
from embedmill.shared.uris import path_to_uri

BATCH_ITEMS = 256
# A server takes a batch in one statement, whose price it pays for less often.
BATCH_ITEMS_OF_A_SERVER = 2000
BATCH_BYTES = 8 * 1024 * 1024
# A rough bound for text of every kind; the chunker counts exactly.
BYTES_PER_TOKEN = 4
# The larger share of a source that may vanish before a flag is asked for.
LARGEST_DEPARTURE = 0.2
SHOWN_CHARACTERS = 80


class Reading:
    """All that the scans of one job share; its counts go to `on_batch`, and `renew` keeps the job's lease."""

    def __init__(
        self,
        runtime: Runtime,
        collection: Collection,
        begun: Sequence[Scan],
        *,
        allow_deletes: bool,
        retry_dead: bool = False,
        on_batch: Callable[[int, int], object],
        renew: Callable[[Any, int], object],
    ) -> None:
        self.runtime = runtime
        self.database: Database = runtime.database
        self.collection = collection
        self.allow_deletes = allow_deletes
        self.retry_dead = retry_dead
        self.settings_hash = runtime.fingerprint(collection)
        self.scan_ids = frozenset(scan.id for scan in begun)
        self.source_ids = frozenset(scan.source_id for scan in begun)
        self.renew = renew
        self._on_batch = on_batch
        self._seen = 0
        self._queued = 0

    def report(self, recorded: "Recorded") -> None:
        """Count a batch that is durable."""
        self._seen += recorded.seen
        self._queued += recorded.queued
        self._on_batch(self._seen, self._queued)

    def end_departed(self, read: Sequence["SourceScan"]) -> int:
        """Let go what no source has any more; returns how many removals were held back for want of a flag or of proof.

        After all sources were read: what moved from one to another is claimed by then, and stays.
        """
        job_id = read[0].scan.job_id if read else 0
        departing = self.database.query(lambda c: claims.find_sources_with_departures(c, job_id))
        held = 0
        for source in read:
            if source.source.detects_deletions:
                held += source.end_departed(has_unmet=source.scan.source_id in departing)
        return held


@dataclass(frozen=True, slots=True)
class Recorded:
    """A batch that is durable: documents in it, and those that got work."""

    seen: int
    queued: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that are recorded together; each document's item and submission once, the first that named it."""

    items: dict[str, FileItem | RowItem]
    submissions: dict[str, Submission]
    notes: list[dict[str, Any]]


@dataclass(slots=True)
class SourceScan:
    """One source, read for one job under the fence of its scan."""

    reading: Reading
    scan: Scan
    source: Source
    _unread: Unread = field(init=False)
    _watches: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Nothing has been read, nor failed to be."""
        self._unread = Unread(self.source)

    def read(self) -> None:
        """Record all that the source holds; raises ScanStopped."""
        database = self.reading.database
        self._watches = database.query(lambda connection: claims.has_rivals(connection, self.scan.source_id))
        try:
            # The database takes one batch while the next is read: half of the work is on each side.
            with ThreadPoolExecutor(1, thread_name_prefix="submission") as recorder:
                recording: Future[Recorded] | None = None
                for batch in self.batches(BATCH_ITEMS if database.is_sqlite else BATCH_ITEMS_OF_A_SERVER):
                    if recording is not None:
                        self.reading.report(recording.result())
                    recording = recorder.submit(self.record, batch)
                if recording is not None:
                    self.reading.report(recording.result())
        except SourceClosed as error:
            self._unread.add_all()
            note = describe_item(Remark(str(self.source.spec["uri"]), str(error), RemarkKind.UNMET))
            database.transact(lambda connection: scan_notes.note_scan(connection, self.scan.job_id, [note]))

    def batches(self, most: int) -> Iterator[Batch]:
        """What the source holds, `most` items at a time, ready to be recorded."""
        return (self._describe(items) for items in _batches(self._without_home(), most))

    def record(self, batch: Batch) -> Recorded:
        """Make a batch durable in one transaction; raises ScanStopped, and then nothing of it is."""
        try:
            return self.reading.database.transact(lambda connection: self._record(connection, batch))
        except submitting.TextWanted:
            stored = self._store_rows(batch, list(batch.submissions))
            return self.reading.database.transact(lambda connection: self._record(connection, stored))
        except submitting.ErasedMeanwhile as error:
            return self.record(self._without(batch, error.ids))

    def _without(self, batch: Batch, ids: Container[str]) -> Batch:
        """A batch without some documents, nor their texts among those that are stored with it."""
        left = {id_: s for id_, s in batch.submissions.items() if id_ not in ids}
        items = {id_: batch.items[id_] for id_ in left}
        return self._store_rows(Batch(items, left, batch.notes), [id_ for id_, s in left.items() if "ref" in s.origin])

    def _record(self, connection: Connection, batch: Batch) -> Recorded:
        newest = scans.require_current(connection, self.scan)
        self.reading.renew(connection, self.scan.job_id)
        repeated, counted = self._find_repeated(connection, batch)
        taken = {id_: s for id_, s in batch.submissions.items() if id_ not in repeated}
        notes = [*batch.notes, *repeated.values()]
        queued = 0
        if taken:
            done = submitting.submit_batch(
                connection,
                list(taken.values()),
                job_id=self.scan.job_id,
                collection_id=self.reading.collection.id,
                max_attempts=self.reading.runtime.settings.max_attempts,
                counted=counted,
                passes_over_dead=not self.reading.retry_dead,
                find_erased=partial(
                    erased.find_erased, runtime=self.reading.runtime, collection=self.reading.collection
                ),
            )
            queued = done.queued
            notes += dead_before.describe_dead_before(connection, done.dead_before)
            # The documents are held now: what others claim of them does not change until this is durable.
            notes += self._find_conflicts(connection, batch, taken)
            sightings = [Sighting(id_, s.content_hash, batch.items[id_].place.line) for id_, s in taken.items()]
            claims.record_claims(connection, self.scan, sightings, newest=newest)
        scan_notes.note_scan(connection, self.scan.job_id, notes)
        return Recorded(len(batch.submissions), queued)

    def _find_repeated(self, connection: Connection, batch: Batch) -> tuple[dict[str, dict[str, Any]], set[str]]:
        """What another source of the same command has named as another thing, each with a note; and all it named."""
        if len(self.reading.scan_ids) == 1 or not batch.items:
            return {}, set()
        others = claims.find_other_claims(connection, self.scan.source_id, list(batch.items))
        met = [other for other in others if other.seen_by in self.reading.scan_ids]
        two = {other.document_id: other for other in met if _are_two(other, batch.items[other.document_id])}
        repeated = {
            id_: _note_on(item, f"{_named(item)} is in {two[id_].place} too; that one is taken")
            for id_, item in batch.items.items()
            if id_ in two
        }
        return repeated, {other.document_id for other in met}

    def _find_conflicts(
        self, connection: Connection, batch: Batch, taken: dict[str, Submission]
    ) -> list[dict[str, Any]]:
        """Notes on documents that are taken, of which sources of other commands said something else."""
        if not self._watches:
            return []
        found = {}
        for other in claims.find_other_claims(connection, self.scan.source_id, list(taken)):
            item = batch.items[other.document_id]
            # The same file read by other names of its fields is one source's business.
            if other.uri == self.source.spec["uri"] or other.source_id in self.reading.source_ids:
                continue
            if not _are_two(other, item):
                continue
            if other.content and other.content != item.content_hash[: claims.CONTENT_CHARACTERS]:
                why = f"{_named(item)} is in {other.place} too, with other content; this one is newer and is taken"
                found[other.document_id] = _note_on(item, why) | {"kind": "unmet"}
        return list(found.values())

    def end_departed(self, *, has_unmet: bool) -> int:
        """End the claims on what is not there any more; returns how many removals were held back.

        They are for want of a flag, or because the documents may lie in what could not be read.
        """
        database, scan = self.reading.database, self.scan
        missing = self._find_missing_by_name()
        if not has_unmet and not missing:
            return 0
        kept = self._count_kept() if self._unread else Counter()

        def measure(connection: Connection) -> claims.Departures:
            scans.require_current(connection, scan)
            scan_notes.note_scan(connection, scan.job_id, [note_kept(place, count) for place, count in kept.items()])
            return claims.count_departures(connection, claims.not_met_by(scan), of=scan.source_id)

        alone = database.transact(measure)
        gone = alone.gone - kept.total() + len(missing)
        if gone > (alone.total + len(missing)) * LARGEST_DEPARTURE and not self.reading.allow_deletes:
            return kept.total() + gone
        for some in self._walk_unmet():
            self._end_claims(claims.not_met_by(scan), [one.id for one in some if not self._unread.place_of(one.uri)])
        for ids in pages(missing, claims.PAGE):
            self._end_claims(claims.by_name(self.reading.collection.id), ids)
        return kept.total()

    def _walk_unmet(self) -> Iterator[Sequence[claims.Unmet]]:
        def find(after: str) -> list[claims.Unmet]:
            return self.reading.database.query(lambda connection: claims.list_unmet(connection, self.scan, after=after))

        return walk(find, key=lambda unmet: unmet.id)

    def _count_kept(self) -> Counter[str]:
        """Documents that would leave if the place were known to be without them, by that place."""
        leaving = (one for some in self._walk_unmet() for one in some if one.leaves)
        return Counter(place for one in leaving if (place := self._unread.place_of(one.uri)))

    def _end_claims(self, which: Which, ids: Sequence[str]) -> None:
        def end(connection: Connection) -> None:
            scans.require_current(connection, self.scan)
            self.reading.renew(connection, self.scan.job_id)
            most = self.reading.runtime.settings.max_attempts
            scan_notes.note_scan(connection, self.scan.job_id, self._find_left_behind(connection, which, ids))
            claims.end_claims(connection, which, ids, job_id=self.scan.job_id, max_attempts=most)

        if ids:
            self.reading.database.transact(end)

    def _find_left_behind(self, connection: Connection, which: Which, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Notes on documents that stay for another source, with the text of this one until that one is read again."""
        if not self._watches:
            return []
        documents.lock_documents(connection, ids)
        left = claims.find_left_behind(connection, self.scan.source_id, which, ids)
        return [
            describe_item(
                Remark(
                    str(self.source.spec["uri"]),
                    f"{_named(one)} is not here any more, and {one.other.place} has it with other content; "
                    "readers see that when it is ingested again",
                    RemarkKind.UNMET,
                )
            )
            for one in left
        ]

    def _find_missing_by_name(self) -> list[str]:
        """Files of this folder that were named one by one, as nobody will again, and are not there any more."""
        if not isinstance(self.source, FolderSource):
            return []
        prefix = path_to_uri(self.source.root).rstrip("/") + "/"

        def find(after: str) -> list[tuple[str, str]]:
            return self.reading.database.query(
                lambda connection: claims.list_named(connection, self.scan, prefix=prefix, after=after)
            )

        found = walk(find, key=lambda named: named[0])
        return [id_ for some in found for id_, uri in some if is_missing(uri) and not self._unread.place_of(uri)]

    def _without_home(self) -> Iterator[Item | Remark]:
        """A source may contain the home folder; what Embedmill writes there is no document."""
        home = path_to_uri(os.path.realpath(os.fsencode(self.reading.runtime.home)))
        return (item for item in self.source.scan() if isinstance(item, Remark) or not _is_within(item.uri, home))

    def _describe(self, items: Sequence[Item | Remark]) -> Batch:
        notes = [self._note(item) for item in items if isinstance(item, Skipped | Problem | Remark)]
        for item in items:
            if isinstance(item, Problem):
                self._unread.add(item)
        found: dict[str, FileItem | RowItem] = {}
        for item in items:
            if isinstance(item, FileItem | RowItem):
                found.setdefault(document_id(self.reading.collection.name, item.uri), item)
        for id_, barred in erased.find_items(self.reading.runtime, self.reading.collection, found).items():
            notes.append(erased.note(barred))
            del found[id_]
        submissions = {id_: _describe_item(id_, self.reading.settings_hash, item) for id_, item in found.items()}
        batch = Batch(found, submissions, notes)
        rows = [id_ for id_, item in found.items() if isinstance(item, RowItem)]
        return self._store_rows(batch, self._find_changed(batch, rows)) if rows else batch

    def _note(self, item: Skipped | Problem | Remark) -> dict[str, Any]:
        """That a source is empty is only noted where the user said that documents may have left it."""
        emptied = isinstance(item, Remark) and item.kind is RemarkKind.EMPTY and self.reading.allow_deletes
        return describe_item(item) | ({"kind": "note"} if emptied else {})

    def _find_changed(self, batch: Batch, ids: Sequence[str]) -> list[str]:
        settled = self.reading.database.query(lambda c: documents.find_settled_versions(c, ids))
        return [id_ for id_ in ids if settled.get(id_) != batch.submissions[id_].version]

    def _store_rows(self, batch: Batch, ids: Sequence[str]) -> Batch:
        """Keep the text of rows that need work: a row has no place of its own to be read from later."""
        rows = {id_: item for id_ in ids if isinstance(item := batch.items[id_], RowItem)}
        parts = [orjson.dumps({"text": row.text}, option=orjson.OPT_NON_STR_KEYS) for row in rows.values()]
        runtime, collection_id = self.reading.runtime, self.reading.collection.id
        sealed = [runtime.vault.seal_blob(collection_id, part) for part in parts]
        references = dict(zip(rows, runtime.blobs.put_pack(sealed), strict=True))
        stored = {
            id_: replace(s, origin={**s.origin, "ref": references[id_]})
            for id_, s in batch.submissions.items()
            if id_ in references
        }
        return replace(batch, submissions=batch.submissions | stored)


def _is_within(uri: str, home: str) -> bool:
    return uri.startswith(home) and uri[len(home) : len(home) + 1] in ("", "/")


def _batches(source: Iterable[Item | Remark], most: int) -> Iterator[list[Item | Remark]]:
    batch: list[Item | Remark] = []
    size = 0
    for item in source:
        batch.append(item)
        size += len(item.text) if isinstance(item, RowItem) else 0
        if len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _describe_item(id_: str, settings_hash: str, item: FileItem | RowItem) -> Submission:
    size = len(item.text) if isinstance(item, RowItem) else item.size
    return Submission(
        document_id=id_,
        uri=item.uri,
        title=(item.title or "").replace("\0", ""),
        content_hash=item.content_hash,
        settings_hash=settings_hash,
        version=version_id(item.content_hash, settings_hash),
        size=max(1, size // BYTES_PER_TOKEN),
        origin=dict(item.origin),
    )


def _are_two(other: OtherClaim, item: FileItem | RowItem) -> bool:
    """Whether two sources name different things by one id; a file is the same file whoever names it."""
    return other.is_row or isinstance(item, RowItem)


def _named(item: FileItem | RowItem | LeftBehind) -> str:
    return f"the id {item.uri[:SHOWN_CHARACTERS]!r}"


def _note_on(item: FileItem | RowItem, reason: str) -> dict[str, Any]:
    place: SourcePlace = item.place
    return describe_item(Problem(place.uri or item.uri, reason, place.line))
