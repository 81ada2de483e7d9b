"""What the scans of one job share, and what they count together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.producers.sources.memory import Changes
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Database
from embedmill.shared.db.scans import Scan
from embedmill.shared.privacy.document_seals import DocumentSeals
from embedmill.shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Recorded:
    """A batch that is durable: documents in it, and those that got work."""

    seen: int
    queued: int
    memory: Changes


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
        limit: int | None = None,
        on_batch: Callable[[int, int], object],
        renew: Callable[[Any, int], object],
    ) -> None:
        self.runtime = runtime
        self.database: Database = runtime.database
        self.collection = collection
        self.allow_deletes = allow_deletes
        self.retry_dead = retry_dead
        self.limit = limit
        self.settings_hash = runtime.fingerprint(collection)
        self.seals = DocumentSeals(runtime.vault, collection.id)
        self.scan_ids = frozenset(scan.id for scan in begun)
        self.source_ids = frozenset(scan.source_id for scan in begun)
        self.renew = renew
        self._on_batch = on_batch
        self._seen = 0
        self._queued = 0

    def report(self, recorded: Recorded) -> None:
        """Count a batch that is durable."""
        self._seen += recorded.seen
        self._queued += recorded.queued
        self._on_batch(self._seen, self._queued)
