"""The batcher: submits, polls and collects batches, in a thread of its own, because vendors take their time.

One process does it at a time, under a lease of its own that a heartbeat renews while a round lasts; a process that was
stopped for so long that its lease may be another's takes no further step.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from shared.db import bulk_batches, bulk_lane, presence
from shared.errors import EmbedmillError
from shared.presence import is_gone
from shared.runtime import Runtime
from workers.bulk.collector import Collector
from workers.bulk.desk import Desk
from workers.bulk.submitter import Submitter
from workers.heartbeat import Heartbeat

log = structlog.get_logger()

BATCHES = "batches"
LEASE_SECONDS = 60.0
LEAVE_SECONDS = 60.0
"""Between two looks for what nobody wants any more, though no job has changed."""
QUIET_SECONDS = 5.0
"""After a round that failed."""


class Batcher:
    """Runs rounds, one at a time, while there is anything in the batch lane."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._desk: Desk | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._quiet_until = 0.0
        self._renewed_at = -float("inf")
        self._lanes: list[tuple[int, str, str]] = []
        self._left_at = -float("inf")

    def poke(self) -> None:
        """Start a round in the thread, if it is not at work and there is something to do."""
        if self.is_busy or self._ended.is_set() or time.monotonic() < self._quiet_until:
            return
        if self._runtime.database.query(bulk_lane.has_business):
            self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
            self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether a round is under way."""
        return self._thread is not None and self._thread.is_alive()

    def close(self, *, seconds: float) -> None:
        """Stop after the step in hand, and wait for that, but no longer than `seconds`; another process goes on."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(seconds)
        if self._desk is not None and not self.is_busy:
            self._desk.close()

    def run_round(self) -> int:
        """Leave, look, submit; returns how many batches were looked at or made. Raises StorageFailed."""
        with self._leased() as is_ours:
            if not is_ours:
                return 0
            desk = self._desk = self._desk or Desk(self._runtime)
            self._leave()
            collector = Collector(desk, may_act=self._may_act)
            looked = collector.step_all()
            if collector.has_concluded:
                # What came back may be of jobs that have left the lane meanwhile.
                self._left_at = -float("inf")
                self._leave()
            return looked + Submitter(desk, may_act=self._may_act).submit_ready()

    def _run(self) -> None:
        try:
            self.run_round()
        # A round must not end the process: the lane comes back to it, and says what is wrong.
        except Exception as error:  # noqa: BLE001
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            told = str(error) if isinstance(error, EmbedmillError) else ""
            log.error("batcher.failed", error_class=type(error).__name__, error=told)

    def _leave(self) -> None:
        """Take out of the lane what nobody wants there any more, and have the vendor stop batches that are left."""
        lanes = self._runtime.database.query(bulk_lane.list_lanes)
        if lanes == self._lanes and time.monotonic() - self._left_at < LEAVE_SECONDS:
            return
        self._lanes, self._left_at = lanes, time.monotonic()
        unwanted = self._runtime.database.transact(bulk_lane.leave)
        if unwanted:
            self._runtime.database.transact(lambda connection: bulk_batches.note_unwanted(connection, unwanted))

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
