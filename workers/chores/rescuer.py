"""The rescuer: returns work whose worker is gone, and sends again what the broker lost."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from embedmill.shared import stages
from embedmill.shared.db import leases, queueing, rescues
from embedmill.shared.db.engine import Database
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone
from embedmill.shared.settings import Settings
from embedmill.workers.chores.registrar import lose_dead

log = get_logger()

# A message that waited for so many leases is sent again, although others still wait in its queue.
OVERDUE_LEASES = 10
# So long after a death its queues' live workers have claimed most of what the dead one had not taken.
FETCHED_SECONDS = 3.0


class Rescuer:
    """Looks at leases; a lease that ran out although its process lives gets one more look before it is taken away.

    That second look tells a stopped process from a clock that jumped: a live worker renews its lease by the new clock.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        run_folder: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._settings = settings
        self._run_folder = run_folder
        self._monotonic = monotonic
        self._suspected: dict[str, float] = {}

    def rescue_lost(self) -> int:
        """Rescue what dead or silent workers hold; returns how many documents went back or were buried."""
        held = self._database.query(leases.find_leases)
        gone = {worker: is_gone(self._run_folder, worker) for worker in {lease.worker for lease in held}}
        dead = [lease.token for lease in held if gone[lease.worker]]
        silent = [
            lease.token
            for lease in held
            if not gone[lease.worker]
            and self._is_silent(lease.token, is_here=gone[lease.worker] is False, expired=lease.is_expired)
        ]
        expired = {lease.token for lease in held if lease.is_expired}
        self._suspected = {token: seen for token, seen in self._suspected.items() if token in expired}
        return sum(self._rescue(token) for token in dead) + sum(self._rescue_silent(token) for token in silent)

    def rescue_worker(self, process_id: str) -> int:
        """Rescue what a worker held that is known to have died."""
        held = self._database.query(leases.find_leases)
        return sum(self._rescue(lease.token) for lease in held if lease.worker == process_id)

    def requeue_lost_messages(self, depths: Mapping[str, int], *, settled_seconds: float) -> int:
        """Give work back to the dispatcher whose message is gone: its queue is empty, or it is long overdue.

        A message that left a queue `settled_seconds` ago without its work being claimed was lost with whoever took it.
        """
        overdue = self._settings.lease_seconds * OVERDUE_LEASES
        ages = {stage: overdue if depths.get(stage) else min(settled_seconds, overdue) for stage in stages.names()}
        count = self._database.transact(lambda connection: queueing.requeue_lost(connection, after_seconds=ages))
        if count:
            log.info("rescuer.messages_lost", work=count)
        return count

    def requeue_fetched(self, *, reach_seconds: float) -> int:
        """Give work back to the dispatcher whose message a process may have taken that died.

        A broker that keeps such a message cannot say which it was, so those that live get a moment for the others.
        """
        lose_dead(self._database, run_folder=self._run_folder)
        requeue = partial(queueing.requeue_fetched, older_than_seconds=FETCHED_SECONDS, reach_seconds=reach_seconds)
        count = self._database.transact(requeue)
        if count:
            log.info("rescuer.fetched_sent_again", work=count)
        return count

    def _is_silent(self, token: str, *, is_here: bool, expired: bool) -> bool:
        if not is_here:
            # While the database was away nobody could renew a lease: whoever lives does it in a moment.
            return expired and not self._database.was_away_within(self._settings.lease_seconds / 2)
        first = self._suspected.setdefault(token, self._monotonic()) if expired else self._monotonic()
        return self._monotonic() - first > self._settings.lease_seconds / 2

    def _rescue(self, token: str) -> int:
        result = self._database.transact(lambda connection: rescues.rescue(connection, token))
        log.warning("rescuer.lease_lost", returned=result.returned, dead=result.dead)
        return result.returned + result.dead

    def _rescue_silent(self, token: str) -> int:
        result = self._database.transact(lambda connection: rescues.rescue_silent(connection, token))
        log.warning("rescuer.lease_ran_out", returned=result.returned, dead=result.dead)
        return result.returned + result.dead
