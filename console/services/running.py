"""Runs workers and chores in this process until what was asked for is done."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from embedmill.console.listening import NOBODY, HandBack, Listener, Notice
from embedmill.console.services.kept_here import tell_kept_elsewhere
from embedmill.console.services.progress import say_standstill
from embedmill.console.services.reach import installation
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import collections, leases, presence, queueing
from embedmill.shared.db import pools as pool_table
from embedmill.shared.db.agenda import Leftovers, read_leftovers
from embedmill.shared.db.changes import Changes
from embedmill.shared.errors import KeyRefused
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone, sweep
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source
    from embedmill.workers.processes.children import Recycling
    from embedmill.workers.processes.pools import PoolSpec

log = get_logger()

POLL_SECONDS = 0.1
# How often whether it is done is asked where nobody commits anything meanwhile.
QUIET_SECONDS = 0.5
# How long work that is done waits for audits in the end; what is left is for the next one, or for the workers.
AUDIT_SECONDS = 60.0
# How long a job that was cancelled waits until vendors were told to stop its batches.
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class WorkshopOptions:
    """How a workshop works beside its pools; by default as the settings say."""

    recycling: "Recycling | None" = None
    grace_seconds: float | None = None
    with_chores: bool = True
    watches: bool = False
    """Sources whose time has come are read here."""
    watched: "Sequence[Source]" = ()
    """Of these, those that only this process can open."""
    collection: str | None = None
    """Where all of its work belongs, if to one."""


def find_embeddings(runtime: Runtime, collection: str | None = None) -> set[str]:
    """The models that may be asked for vectors: of a collection, or of any that there is or could be made."""
    found = runtime.database.query(collections.list_collections)
    named = {each.settings["embedding"] for each in found if collection in (None, each.name)}
    return named | ({runtime.settings.embedding} if not named or collection is None else set())


class Workshop:
    """The workers and chores of one command; workers are started when there is work for them.

    Without `pools`, one pool of worker processes serves every queue; an empty list is for chores alone.
    """

    def __init__(
        self,
        runtime: Runtime,
        pools: Sequence["PoolSpec"] | None = None,
        *,
        options: WorkshopOptions | None = None,
        listener: Listener = NOBODY,
    ) -> None:
        from embedmill.workers.brokers.table import open_broker
        from embedmill.workers.chores.runner import ChoreRunner
        from embedmill.workers.processes.launching import fork_server
        from embedmill.workers.processes.pools import usual_pools
        from embedmill.workers.processes.supervisor import Supervisor

        settings = runtime.settings
        self._runtime = runtime
        self._options = options or WorkshopOptions()
        self._listener = listener
        self._broker = open_broker(runtime.settings)
        self._stack = ExitStack()
        self._chores = ChoreRunner(runtime, self._broker)
        self._supervisor = Supervisor(
            runtime,
            usual_pools(settings, settings.worker_count, find_embeddings(runtime, self._options.collection))
            if pools is None
            else pools,
            on_death=self._chores.rescuer.rescue_worker,
            depths=self._broker.depths,
            batches=self._count_batches if pools is None and self._broker.is_local else None,
            recycling=self._options.recycling,
            grace_seconds=self._options.grace_seconds,
            forks=fork_server(),
        )
        self._started = False

    def __enter__(self) -> "Workshop":
        left = self._runtime.database.query(
            lambda connection: read_leftovers(connection, silent_seconds=self._runtime.settings.silent_seconds)
        )
        self._recover(left)
        if left.pools:
            self._warn_of_standstill()
        woken = self._runtime.spender.keys.try_anew()
        if woken:
            log.info("session.woken", work=woken)
        self._stack.callback(self._broker.close)
        if self._options.with_chores:
            self._stack.enter_context(self._chores)
        if self._options.watches:
            from embedmill.console.services.watcher import Watcher

            self._stack.enter_context(Watcher(self._runtime, self._options.watched, self._listener))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._listener.while_stopping(self._supervisor.hurry):
            if isinstance(error, HandBack):
                self._supervisor.hurry()
            self._stack.close()
        log.info("process.ended", statements=self._runtime.database.statements, messages=self._broker.published)

    def _count_batches(self) -> int:
        """Batches that are worked on or wait for a worker; a few documents are one, and need one process.

        While none waits it does not matter how many are worked on.
        """
        waiting = self._broker.depth()
        return waiting + self._runtime.database.query(leases.count_claims) if waiting else 0

    def start_workers(self) -> None:
        """Start the first worker process, once; others follow as there are batches for them."""
        if not self._started:
            self._started = True
            self._stack.enter_context(self._supervisor)
            self._chores.wake()

    def look(self) -> None:
        """Have the chores look now, and not with their next turn."""
        self._chores.wake()

    def poll(self) -> None:
        """Replace dead workers; raises StorageFailed when this home cannot be written any more, TokenRefused."""
        self._runtime.require_caller()
        # A database server comes back; a full disk does not.
        if self._chores.failure is not None and self._runtime.database.is_sqlite:
            raise self._chores.failure
        if self._started:
            self._supervisor.poll()

    def let_workers_go(self) -> None:
        """Have workers end meanwhile, as there is nothing left for them here; the block's end waits for that."""
        if self._started:
            self._supervisor.let_go()

    def finish_audits(self) -> None:
        """Give what is due for an audit a moment; documents have not waited for it."""
        self._chores.auditor.finish(seconds=AUDIT_SECONDS)

    def stop_batches(self) -> None:
        """Give the batcher a moment to have vendors stop what nobody waits for any more."""
        self._chores.batcher.finish(seconds=STOP_SECONDS)

    @property
    def supervisor_id(self) -> str:
        """Under what name its worker processes are known."""
        return self._supervisor.id

    @property
    def refused_batches(self) -> Mapping[str, KeyRefused]:
        """By provider, that its key was not accepted when this process last used it for a batch."""
        return self._chores.batcher.refused

    def run_until(self, is_done: Callable[[], bool]) -> None:
        """Work until `is_done`; it is asked less often the longer it takes to answer, and while nothing changes.

        While the chores are done here, they say when a job has ended: what changes before that is no reason to ask.
        """
        changes, due, has_ended = Changes(self._runtime.database), 0.0, False
        while True:
            self.poll()
            asked, pause = time.monotonic(), POLL_SECONDS
            if has_ended or asked >= due or (not self._chores.are_done_here and changes.are_there()):
                if is_done():
                    return
                due = asked + self._quiet_seconds
                pause = max(pause, 10 * (time.monotonic() - asked))
            if has_ended := self._chores.completed.wait(pause):
                self._chores.completed.clear()

    @property
    def _quiet_seconds(self) -> float:
        return QUIET_SECONDS if self._listener.on_progress is None else self._listener.every_seconds

    def _warn_of_standstill(self) -> None:
        """Say which queues nobody will work on because an operator wanted it so, maybe long ago."""
        for text in say_standstill(self._runtime.database.query(pool_table.read_pools).values()):
            self._warn(text)

    def _warn(self, text: str) -> None:
        self._listener.on_notice(Notice(text))

    def _recover(self, left: Leftovers) -> None:
        """When no other process is at work, here or elsewhere, whatever was out is known to be lost."""
        is_alone = self._broker.is_local and sweep(self._runtime.run_folder) <= 1
        if not is_alone or (left.supervisors and self._are_others_alive()):
            return
        self._broker.purge()
        lost = self._runtime.database.transact(queueing.requeue_all) if left.queued else 0
        if lost:
            log.info("session.recovered", work=lost)

    def _are_others_alive(self) -> bool:
        silent = self._runtime.settings.silent_seconds
        found = self._runtime.database.query(
            lambda connection: presence.list_supervisors(connection, silent_seconds=silent)
        )
        return any(is_gone(self._runtime.run_folder, entry["id"]) is None for entry in found)


@dataclass(frozen=True, slots=True)
class StartedWorkers:
    """Under what name the pools of this process are known, and how many slots they have."""

    supervisor: str
    slots: int


@serves("workers.start", Right.OPERATE, installation)
def run_workers(
    runtime: Runtime,
    pools: Sequence["PoolSpec"],
    *,
    options: WorkshopOptions | None = None,
    on_started: Callable[[StartedWorkers], None],
    listener: Listener = NOBODY,
) -> None:
    """Run pools, and the chores, until this process is interrupted; raises StorageFailed when its home is full.

    A pool that serves all queues is divided where vectors are made elsewhere.
    """
    tell_kept_elsewhere(runtime, listener)
    pools = [each for pool in pools for each in _pools_of(runtime, pool)]
    with Workshop(runtime, pools, options=options, listener=listener) as workshop:
        workshop.start_workers()
        on_started(StartedWorkers(runtime.process_id, sum(pool.slots for pool in pools)))
        workshop.run_until(lambda: False)


def _pools_of(runtime: Runtime, pool: "PoolSpec") -> list["PoolSpec"]:
    from embedmill.workers.processes.pools import PoolSpec, usual_pools

    if pool != PoolSpec(slots=pool.slots):
        return [pool]
    return usual_pools(runtime.settings, pool.slots, find_embeddings(runtime))
