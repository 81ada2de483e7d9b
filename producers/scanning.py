"""The scan of a source: what it holds goes to the database in batches, and what it holds no longer leaves."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from embedmill.producers import erased
from embedmill.producers.absence import Unread
from embedmill.producers.batches import Batch, Describer, cut, find_sealed, named
from embedmill.producers.leaving import Leaving
from embedmill.producers.memory import StoredMemory
from embedmill.producers.reading import Reading, Recorded
from embedmill.producers.redacting import RedactedItems
from embedmill.producers.sources.base import (
    Document,
    Item,
    Kept,
    Problem,
    ReadContext,
    Remark,
    RemarkKind,
    RowItem,
    Source,
    SourcePlace,
    as_missing,
    describe_item,
)
from embedmill.producers.turns import SharedTurns
from embedmill.shared.addresses import document_id
from embedmill.shared.db import claims, dead_before, documents, scan_notes, scans, source_memory, submitting
from embedmill.shared.db.claims import OtherClaim, Sighting
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.scans import Scan, names_places
from embedmill.shared.db.submission import Submission
from embedmill.shared.errors import SourceClosed
from embedmill.shared.uris import path_to_uri

BATCH_ITEMS = 256
# A server takes a batch in one statement, whose price it pays for less often.
BATCH_ITEMS_OF_A_SERVER = 2000


@dataclass(slots=True)
class SourceScan:
    """One source, read for one job under the fence of its scan."""

    reading: Reading
    scan: Scan
    source: Source
    _unread: Unread = field(init=False)
    _context: ReadContext = field(init=False)
    _redacted: RedactedItems = field(init=False)
    _describer: Describer = field(init=False)
    # What this source claimed and is proven to have left, by the document's id.
    _departed: set[str] = field(default_factory=set, init=False)
    _watches: bool = field(default=False, init=False)
    _taken: int = field(default=0, init=False)
    _names_places: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Nothing has been read, nor failed to be."""
        reading = self.reading
        self._unread = Unread(self.source)
        self._names_places = names_places(self.source.kind)
        memory = StoredMemory(reading.database, self.scan.source_id, reading.runtime.vault)
        self._context = ReadContext(
            memory,
            reading.limit,
            self._find_settled,
            settings=reading.runtime.settings,
            turns=SharedTurns(reading.database),
        )
        redactor = reading.runtime.redactor(reading.collection.id)
        self._redacted = RedactedItems(redactor, reading.runtime.hider, own=str(self.source.spec["uri"]))
        self._describer = Describer(
            reading.collection.name, reading.settings_hash, reading.allow_deletes, reading.seals
        )

    @property
    def is_whole(self) -> bool:
        """Whether what was not met is not there."""
        return self.source.detects_deletions and self.reading.limit is None and not self._context.is_increment

    @property
    def is_cut(self) -> bool:
        """Whether it was not read to its end."""
        return self._unread.is_cut

    @property
    def may_depart(self) -> bool:
        """Whether anything may be known to have left."""
        return self.is_whole or bool(self._departed)

    def read(self) -> None:
        """Record all that the source holds; raises ScanStopped."""
        database = self.reading.database
        standing = database.query(scans.look_at_source, self.scan.source_id)
        self._watches = standing.has_rivals
        self._describer = replace(self._describer, labels=standing.labels)
        try:
            # The database takes one batch while the next is read: half of the work is on each side.
            with ThreadPoolExecutor(1, thread_name_prefix="submission") as recorder:
                recording: Future[Recorded] | None = None
                for batch in self.batches(BATCH_ITEMS if database.is_sqlite else BATCH_ITEMS_OF_A_SERVER):
                    if recording is not None:
                        self._settle(recording.result())
                    recording = recorder.submit(self.record, batch)
                if recording is not None:
                    self._settle(recording.result())
            # What could not be read at all may have been told wrong: it is read again as it was before.
            if self._taken or not self.is_cut:
                spec = self.source.spec_of_newest(self._context)
                if spec != standing.spec:
                    database.transact(lambda connection: scans.keep_spec(connection, self.scan, spec))
        except SourceClosed as error:
            self._unread.add_all()
            note = describe_item(Remark(str(self.source.spec["uri"]), str(error), RemarkKind.UNMET))
            database.transact(lambda connection: scan_notes.note_scan(connection, self.scan.job_id, [note]))

    def batches(self, most: int) -> Iterator[Batch]:
        """What the source holds, `most` items at a time, ready to be recorded."""
        return (self._describe(items) for items in cut(self._redacted.of(self._without_home()), most))

    def _settle(self, recorded: Recorded) -> None:
        self._taken += recorded.seen
        self._context.memory.settle(recorded.memory)
        self.reading.report(recorded)

    def _find_settled(self, uris: Sequence[str]) -> frozenset[str]:
        name, settings_hash = self.reading.collection.name, self.reading.settings_hash
        ids = {document_id(name, stored): uri for stored, uri in self._redacted.addresses(uris).items()}
        found = self.reading.database.query(
            lambda c: claims.find_settled(
                c, self.scan.source_id, list(ids), settings_hash=settings_hash, job_id=self.scan.job_id
            )
        )
        return frozenset(ids[id_] for id_ in found)

    def record(self, batch: Batch) -> Recorded:
        """Make a batch durable in one transaction; raises ScanStopped, and then nothing of it is."""
        try:
            return self.reading.database.transact(lambda connection: self._record(connection, batch))
        except submitting.TextWanted:
            stored = self._store(batch, batch.held)
            return self.reading.database.transact(lambda connection: self._record(connection, stored))
        except submitting.WereErased as error:
            left = batch.without(error.barred, [erased.note(barred) for barred in error.barred.values()])
            return self.record(self._store(left, [id_ for id_ in left.held if "ref" in left.submissions[id_].origin]))

    def _record(self, connection: Connection, batch: Batch) -> Recorded:
        newest = scans.require_current(connection, self.scan)
        self.reading.renew(connection, self.scan.job_id)
        source_memory.write_memory(connection, self.scan.source_id, self.reading.seals.memory(batch.memory))
        repeated, counted = self._find_repeated(connection, batch)
        taken = {id_: s for id_, s in batch.submissions.items() if id_ not in repeated}
        notes = [*batch.notes, *repeated.values(), *self._renew(connection, batch.kept, counted, newest=newest)]
        queued = 0
        if taken:
            items = [batch.items[id_] for id_ in taken]
            notes += [_note_on(item, told) | {"kind": "note"} for item in items for told in find_sealed(item)]
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
        if batch.departed:
            self._departed.update(one.id for one in claims.find_unmet(connection, self.scan, batch.departed))
        scan_notes.note_scan(connection, self.scan.job_id, notes)
        return Recorded(len(batch.submissions) + len(batch.kept), queued, batch.memory)

    def _renew(
        self, connection: Connection, kept: Mapping[str, Kept], counted: set[str], *, newest: int
    ) -> list[dict[str, Any]]:
        """Renew the claims on what was not read; what there is to say of it, or that it has none and is missing."""
        if not kept:
            return []
        renewed = claims.renew_claims(connection, self.scan, list(kept), newest=newest)
        submitting.count_kept(connection, sorted(renewed - counted), job_id=self.scan.job_id)
        told = (item if id_ in renewed else as_missing(item) for id_, item in kept.items())
        return [describe_item(item) for item in told if item.reason]

    def _find_repeated(self, connection: Connection, batch: Batch) -> tuple[dict[str, dict[str, Any]], set[str]]:
        """What another source of the same command has named as another thing, each with a note; and all it named."""
        met_here = [*batch.items, *batch.kept]
        if len(self.reading.scan_ids) == 1 or not met_here:
            return {}, set()
        others = claims.find_other_claims(connection, self.scan.source_id, met_here)
        met = [other for other in others if other.seen_by in self.reading.scan_ids]
        two = {o.document_id: o for o in met if (item := batch.items.get(o.document_id)) and self._are_two(o, item)}
        repeated = {
            id_: _note_on(item, f"{named(item)} is in {two[id_].place} too; that one is taken")
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
            if not self._are_two(other, item):
                continue
            content = taken[other.document_id].content_hash[: claims.CONTENT_CHARACTERS]
            if other.content and content and other.content != content:
                why = f"{named(item)} is in {other.place} too, with other content; this one is newer and is taken"
                found[other.document_id] = _note_on(item, why) | {"kind": "unmet"}
        return list(found.values())

    def end_departed(self, *, has_unmet: bool) -> int:
        """Let go what is not there any more; returns how many removals were held back."""
        proven = frozenset(self._departed)
        return Leaving(
            self.reading, self.scan, self.source, self._unread, proven, is_whole=self.is_whole, watches=self._watches
        ).end(has_unmet=has_unmet)

    def _without_home(self) -> Iterator[Item | Remark]:
        """A source may contain the home folder; what Embedmill writes there is no document."""
        home = path_to_uri(os.path.realpath(os.fsencode(self.reading.runtime.home)))
        items = self.source.scan(self._context)
        return (item for item in items if isinstance(item, Remark) or not _is_within(item.uri, home))

    def _describe(self, items: Sequence[Item | Remark]) -> Batch:
        batch = self._describer.describe(items, self._context.memory.take())
        for problem in batch.problems:
            self._unread.add(problem)
        if not batch.held:
            return batch
        left = self._without_erased(batch)
        return self._store(left, self._find_changed(left))

    def _without_erased(self, batch: Batch) -> Batch:
        """The same without what was erased, of which not even a copy is kept."""
        found = erased.find_items(self.reading.runtime, self.reading.collection, batch.items)
        return batch.without(found, [erased.note(barred) for barred in found.values()]) if found else batch

    def _find_changed(self, batch: Batch) -> list[str]:
        ids = batch.held
        settled = self.reading.database.query(lambda c: documents.find_settled_versions(c, ids))
        return [id_ for id_ in ids if settled.get(id_) != batch.submissions[id_].version]

    def _store(self, batch: Batch, ids: Sequence[str]) -> Batch:
        """Keep copies of held documents that need work."""
        parts = batch.parts(ids)
        runtime, collection_id = self.reading.runtime, self.reading.collection.id
        sealed = [runtime.vault.seal_blob(collection_id, part) for part in parts.values()]
        references = runtime.blobs.put_pack(sealed)
        return batch.with_references(dict(zip(parts, references, strict=True)))

    def _are_two(self, other: OtherClaim, item: Document) -> bool:
        """Whether two sources name different things by one id; a file is the same file whoever names it."""
        return other.is_row or not self._names_places or isinstance(item, RowItem)


def end_departed(reading: Reading, read: Sequence[SourceScan]) -> int:
    """Let go what no source has any more; returns how many removals were held back for want of a flag or of proof.

    After all sources were read: what moved from one to another is claimed by then, and stays.
    """
    job_id = read[0].scan.job_id if read else 0
    departing = reading.database.query(lambda c: claims.find_sources_with_departures(c, job_id))
    held = 0
    for source in read:
        if source.may_depart:
            held += source.end_departed(has_unmet=source.scan.source_id in departing)
    return held


def _is_within(uri: str, home: str) -> bool:
    return uri.startswith(home) and uri[len(home) : len(home) + 1] in ("", "/")


def _note_on(item: Document, reason: str) -> dict[str, Any]:
    place: SourcePlace = item.place
    return describe_item(Problem(place.uri or item.uri, reason, place.line))
