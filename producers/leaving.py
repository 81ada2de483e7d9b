"""The end of a reading: what is certain not to be there any more leaves its source."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.producers.absence import Missing, Unread, note_kept
from embedmill.producers.batches import named
from embedmill.producers.reading import Reading
from embedmill.producers.sources.base import Remark, RemarkKind, Source, describe_item
from embedmill.producers.sources.folder import FolderSource
from embedmill.shared.db import claims, documents, scan_notes, scans
from embedmill.shared.db.claims import Unmet, Which
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.scans import Scan
from embedmill.shared.paging import pages, walk
from embedmill.shared.uris import path_to_uri

# The larger share of a source that may vanish before a flag is asked for.
LARGEST_DEPARTURE = 0.2


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a scan did not meet, and may have left: `unread` are places that were not read, which hide it.

    `proven` are documents by id that have left for certain. Only of a reading that `is_whole` has left what was merely
    not met. `watches` where other sources may have other things under the same names.
    """

    reading: Reading
    scan: Scan
    source: Source
    unread: Unread
    proven: frozenset[str]
    is_whole: bool
    watches: bool

    def end(self, *, has_unmet: bool) -> int:
        """End the claims on what is not there any more; returns how many removals were held back.

        They are for want of a flag, or because the documents may lie in what could not be read.
        """
        database, scan = self.reading.database, self.scan
        missing = self._find_missing_by_name() if self.is_whole else []
        if not has_unmet and not missing:
            return 0
        kept = self._count_kept() if self.is_whole and self.unread else Counter()

        def measure(connection: Connection) -> claims.Departures:
            scans.require_current(connection, scan)
            scan_notes.note_scan(connection, scan.job_id, [note_kept(place, count) for place, count in kept.items()])
            return claims.count_departures(connection, claims.not_met_by(scan), of=scan.source_id)

        alone = database.transact(measure)
        gone = alone.gone - kept.total() + len(missing) if self.is_whole else self._count_leaving()
        if gone > (alone.total + len(missing)) * LARGEST_DEPARTURE and not self.reading.allow_deletes:
            return kept.total() + gone
        for some in self._walk_unmet():
            self._end_claims(claims.not_met_by(scan), [one.id for one in some if self._has_left(one)])
        for ids in pages(missing, claims.PAGE):
            self._end_claims(claims.by_name(self.reading.collection.id), ids)
        return kept.total()

    def _walk_unmet(self) -> Iterator[Sequence[Unmet]]:
        """What may leave: all that was not met or, of a reading in part, what is proven to have left."""
        query = self.reading.database.query
        if not self.is_whole:
            return (query(claims.find_unmet, self.scan, ids) for ids in pages(sorted(self.proven), claims.PAGE))

        def find(after: str) -> list[Unmet]:
            return query(lambda connection: claims.list_unmet(connection, self.scan, after=after))

        return walk(find, key=lambda unmet: unmet.id)

    def _count_kept(self) -> Counter[str]:
        """Documents that would leave if the place were known to be without them, by that place."""
        leaving = (one for some in self._walk_unmet() for one in some if one.leaves and one.id not in self.proven)
        return Counter(place for one in leaving if (place := self.unread.place_of(one.uri)))

    def _count_leaving(self) -> int:
        return sum(one.leaves for some in self._walk_unmet() for one in some)

    def _has_left(self, unmet: Unmet) -> bool:
        return unmet.id in self.proven or not self.unread.place_of(unmet.uri)

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
        if not self.watches:
            return []
        documents.lock_documents(connection, ids)
        left = claims.find_left_behind(connection, self.scan.source_id, which, ids)
        return [
            describe_item(
                Remark(
                    str(self.source.spec["uri"]),
                    f"{named(one)} is not here any more, and {one.other.place} has it with other content; "
                    "readers see that when it is ingested again",
                    RemarkKind.UNMET,
                )
            )
            for one in left
        ]

    def _find_missing_by_name(self) -> list[str]:
        """Files of this folder or in its archives that were named one by one, as nobody will again, and are gone."""
        if not isinstance(self.source, FolderSource):
            return []
        prefix = path_to_uri(self.source.root).rstrip("/") + "/"

        def find(after: str) -> list[tuple[str, str]]:
            return self.reading.database.query(
                lambda connection: claims.list_named(connection, self.scan, prefix=prefix, after=after)
            )

        missing = Missing()
        found = walk(find, key=lambda one: one[0])
        return [id_ for some in found for id_, uri in some if missing.has(uri) and not self.unread.place_of(uri)]
