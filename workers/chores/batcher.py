"""The batcher: submits, polls and collects batches.

One process does it at a time, under a lease of its own that a heartbeat renews while a round lasts; a process that was
stopped for so long that its lease may be another's takes no further step.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedmill.shared.db import bulk_batches, bulk_lane, presence
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import EmbedmillError, KeyRefused
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime
from embedmill.workers.chores.background import BackgroundChore
from embedmill.workers.heartbeat import Heartbeat

if TYPE_CHECKING:
    from embedmill.workers.bulk.client import BatchClient

log = get_logger()

BATCHES = "batches"
LEASE_SECONDS = 60.0
LEAVE_SECONDS = 60.0
"""Between two looks for what nobody wants any more, though no job has changed."""
QUIET_SECONDS = 5.0
"""After a round that failed."""


class Batcher(BackgroundChore):
    """Runs a round whenever there is anything in the batch lane."""

    name = "batcher"
    quiet_seconds = QUIET_SECONDS

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime
        self._client: BatchClient | None = None
        self._renewed_at = -float("inf")
        self._lanes: list[tuple[int, str, str]] = []
        self._left_at = -float("inf")

    def has_work(self) -> bool:
        return self._runtime.database.query(self._is_due)

    def _is_due(self, connection: Connection) -> bool:
        """Batches rest at the vendor for hours, in which there is nothing to write."""
        return bulk_lane.has_business(connection) and (
            bulk_lane.has_due_business(connection) or self._must_leave(bulk_lane.list_lanes(connection))
        )

    def work(self) -> None:
        if not self.run_round() and self.refused:
            self.rest()

    @property
    def refused(self) -> dict[str, KeyRefused]:
        """By provider, that its key was not accepted when this process last used it for a batch."""
        return dict(self._client.refused) if self._client is not None else {}

    def close(self, *, seconds: float) -> None:
        super().close(seconds=seconds)
        if self._client is not None and not self.is_busy:
            self._client.close()

    def run_round(self) -> int:
        """Leave, look, submit; returns how many batches were looked at or made. Raises StorageFailed."""
        from embedmill.workers.bulk.client import BatchClient
        from embedmill.workers.bulk.collecting import Collector
        from embedmill.workers.bulk.submitting import BatchSubmitter

        with self._leased() as is_ours:
            if not is_ours:
                return 0
            client = self._client = self._client or BatchClient(self._runtime)
            self._leave()
            collector = Collector(client, may_act=self._may_act)
            looked = collector.step_all()
            if collector.has_concluded:
                # What came back may be of jobs that have left the lane meanwhile.
                self._left_at = -float("inf")
                self._leave()
            return looked + BatchSubmitter(client, may_act=self._may_act).submit_ready()

    def _leave(self) -> None:
        """Take out of the lane what nobody wants there any more, and have the vendor stop batches that are left."""
        lanes = self._runtime.database.query(bulk_lane.list_lanes)
        if not self._must_leave(lanes):
            return
        self._lanes, self._left_at = lanes, time.monotonic()
        unwanted = self._runtime.database.transact(bulk_lane.leave)
        if unwanted:
            self._runtime.database.transact(lambda connection: bulk_batches.note_unwanted(connection, unwanted))

    def _must_leave(self, lanes: Sequence[tuple[int, str, str]]) -> bool:
        return lanes != self._lanes or time.monotonic() - self._left_at >= LEAVE_SECONDS

    @contextmanager
    def _leased(self) -> Iterator[bool]:
        if not self._renew():
            yield False
            return
        try:
            with Heartbeat(self._renew, interval=LEASE_SECONDS / 6):
                yield True
        finally:
            self._free()

    def _renew(self) -> bool:
        run_folder, holder = self._runtime.run_folder, self._runtime.process_id
        asked_at = time.monotonic()
        with self._runtime.database.write() as connection:
            other = presence.find_chore_holder(connection, BATCHES)
            if other is not None and other != holder and is_gone(run_folder, other):
                presence.free_chore(connection, BATCHES, holder=other)
            held = presence.take_chore(connection, BATCHES, holder=holder, seconds=LEASE_SECONDS)
        self._renewed_at = asked_at if held else -float("inf")
        return held

    def _may_act(self) -> bool:
        return not self._ended.is_set() and time.monotonic() - self._renewed_at < LEASE_SECONDS / 2

    def _free(self) -> None:
        self._renewed_at = -float("inf")
        try:
            with self._runtime.database.write() as connection:
                presence.free_chore(connection, BATCHES, holder=self._runtime.process_id)
        except EmbedmillError as error:
            log.warning("batcher.not_freed", error=str(error))
