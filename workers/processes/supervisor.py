"""Keeps worker processes as the tracking database wants them: starts, replaces, drains and stops them."""

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from embedmill.shared import stages
from embedmill.shared.configuration import beyond_environment
from embedmill.shared.db import pools, presence, queueing
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import DatabaseAway, StorageFailed, TransactionLost
from embedmill.shared.logs import get_logger
from embedmill.shared.runtime import Runtime
from embedmill.workers.processes.children import Child, Recycling, Starts, least_missed
from embedmill.workers.processes.exits import EXIT_SPENT, EXIT_STORAGE
from embedmill.workers.processes.launching import ForkServer, launch
from embedmill.workers.processes.liveness import Liveness
from embedmill.workers.processes.pools import Group, PoolSpec, Situation, plan, slots_by_queue, split

log = get_logger()

LOOK_SECONDS = 1.0
# What a worker gets beyond its grace time, to hand back and go, before it is killed.
EXTRA_SECONDS = 10.0
# A worker that died unexpectedly may be the first of many, while their culprit is looked for.
DEATHS_SECONDS = 60.0
# How often it is looked, while workers end, whether they have: a command waits for that at its own end.
END_SECONDS = 0.002


class Supervisor:
    """Runs the processes of its pools until the block ends; `on_death` is told the name of each that ended.

    What is wanted is read from the database once a second. A queue that was scaled is divided between the supervisors
    that serve it, each of which works out its own share from who is alive; nobody has to agree on anything. `depths`
    says how many messages wait in the broker by stage; without it, some may wait in any. With `batches`, how many are
    worked on or wait, processes are started as there are batches for them, the first at once; none is ended because
    there are fewer.
    """

    def __init__(
        self,
        runtime: Runtime,
        specs: Sequence[PoolSpec],
        *,
        on_death: Callable[[str], object],
        depths: Callable[[], Mapping[str, int]] = lambda: dict.fromkeys(stages.names(), 1),
        batches: Callable[[], int] | None = None,
        recycling: Recycling | None = None,
        grace_seconds: float | None = None,
        forks: ForkServer | None = None,
    ) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self._settings = settings
        self._specs = list(specs)
        self._on_death = on_death
        self._liveness = Liveness(settings.hung_seconds, depths)
        self._batches = batches
        self._recycling = recycling or Recycling()
        self._grace_seconds = settings.grace_seconds if grace_seconds is None else grace_seconds
        self._forks = forks
        # Where they were given as values, workers cannot read them for themselves.
        self._told_settings = beyond_environment(settings)
        self._look_seconds = min(LOOK_SECONDS, settings.lease_seconds / 8)
        self._children: list[Child] = []
        self._wanted: dict[Group, int] = {}
        self._given_up: dict[tuple[str, ...], int] = {}
        self._starts: dict[Group, Starts] = {}
        self._next_look = self._next_beat = self._forks_stay_until = 0.0
        self._told: Mapping[str, int] | None = None
        self._scaled: frozenset[str] = frozenset()
        self._let_go: set[Child] = set()
        self._is_signed_off = False

    def __enter__(self) -> "Supervisor":
        def register(connection: Connection) -> None:
            host, silent = socket.gethostname(), self._settings.silent_seconds
            presence.require_one_host(connection, host, silent_seconds=silent)
            presence.register_supervisor(
                connection, self.id, host=host, pid=os.getpid(), pools=[spec.as_json() for spec in self._specs]
            )

        self._runtime.database.transact(register)
        self.poll()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def id(self) -> str:
        """Its name in the tracking database."""
        return self._runtime.process_id

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that were not told to go."""
        return [child.process.pid for child in self._children if child.stays]

    def poll(self) -> None:
        """Bring the processes nearer to what is wanted; to be called often.

        Raises StorageFailed when a worker could not write, InternalError if none stays up. It waits for no database:
        the next call is soon.
        """
        with self._runtime.database.impatient():
            self._poll()

    def _poll(self) -> None:
        for child in list(self._children):
            if child.process.poll() is not None:
                self._bury(child)
                # It may have been told to go since the last look, and then gets no successor.
                self._next_look = 0.0
        if time.monotonic() >= self._next_look:
            self._look()
            self._next_look = time.monotonic() + self._look_seconds
        for group in {*self._wanted, *(child.group for child in self._children)}:
            self._adjust(group, self._wanted.get(group, 0))
        late = time.monotonic() - self._grace_seconds - EXTRA_SECONDS
        for child in self._children:
            if child.leaving is not None and child.leaving < late:
                child.process.send_signal(signal.SIGKILL)

    def let_go(self) -> None:
        """Tell every worker to finish what it holds and end, which `stop` waits for; no other takes its place."""
        if not self._is_signed_off:
            self._sign_off()
        # Each once, also when this was interrupted: one that is told twice may be in the midst of its farewell.
        for child in self._children:
            if child not in self._let_go:
                self._dismiss(child)
                self._let_go.add(child)

    def stop(self) -> None:
        """Let every worker finish what it holds, for the grace time at most, and end it."""
        self.let_go()
        deadline = time.monotonic() + self._grace_seconds + EXTRA_SECONDS
        while self._children and time.monotonic() < deadline:
            for child in [c for c in self._children if c.process.poll() is not None]:
                self._forget(child)
            if self._children:
                time.sleep(END_SECONDS)
        for child in list(self._children):
            child.process.send_signal(signal.SIGKILL)
            self._forget(child)

    def hurry(self) -> None:
        """Have every worker hand back what it holds and end at once."""
        for child in self._children:
            child.process.send_signal(signal.SIGQUIT)

    def _look(self) -> None:
        """Read what is wanted and how the workers are; without the database everything stays as it is."""
        try:
            with self._runtime.database.read() as connection:
                wished = pools.read_pools(connection)
                supervisors = presence.list_supervisors(connection, silent_seconds=self._settings.silent_seconds)
                # Before there are any, nothing is to be known of them.
                pids = [child.process.pid for child in self._children]
                rows = presence.list_children(connection, self.id, pids) if pids else []
                queued = queueing.find_queued_stages(connection) if pids else set()
            desired = {queue: found.desired for queue, found in wished.items() if found.desired is not None}
            self._scaled = frozenset(desired)
            self._match(rows)
            situation = Situation(
                own=self.id,
                desired=desired,
                serving=_serving(supervisors, own=self.id, specs=self._specs),
                given_up=self._given_up,
            )
            self._wanted = plan(self._specs, situation, self._settings)
            self._beat()
        except (DatabaseAway, TransactionLost):
            # That it is away is said once, by the database itself.
            return
        except StorageFailed as error:
            log.warning("supervisor.no_database", error=str(error))
            return
        for child in self._liveness.find_hung(self._children, {s for s in queued if not wished[s].paused}):
            log.warning("worker.hung", worker=child.row["id"], state=child.row["state"])
            self._dismiss(child)
        self._spare_forks()

    def _spare_forks(self) -> None:
        """End the fork server when all that is wanted is up: it takes memory, and most workers need no successor."""
        if self._forks is None or self._recycling != Recycling() or time.monotonic() < self._forks_stay_until:
            return
        up = [child for child in self._children if child.stays and child.is_up]
        if len(up) == sum(len(split(group.kind, slots)) for group, slots in self._wanted.items()):
            self._forks.retire()

    def _forks_are_coming(self) -> bool:
        """Whether a fork server is being made, for which a worker that is due should wait."""
        return self._forks is not None and not self._told_settings and self._forks.is_coming()

    def _beat(self) -> None:
        slots = slots_by_queue(self._wanted)
        if time.monotonic() < self._next_beat and slots == self._told:
            return
        with self._runtime.database.write() as connection:
            presence.beat_supervisor(connection, self.id, slots=slots)
        self._told = slots
        self._next_beat = time.monotonic() + self._settings.beat_seconds

    def _match(self, rows: Sequence[Mapping[str, Any]]) -> None:
        by_pid = {row["pid"]: row for row in rows}
        for child in self._children:
            self._liveness.note(child, by_pid.get(child.process.pid, child.row))
            if child.row and child.row["drain"] and child.stays:
                self._give_up(child)

    def _give_up(self, child: Child) -> None:
        """Note that an operator drained a worker: it gets no successor."""
        child.send_away()
        spec = next((s for s in self._specs if set(child.group.queues) <= set(s.queues)), None)
        # Of a queue that was scaled, the desired number was lowered instead.
        if spec is not None and not self._scaled.issuperset(child.group.queues):
            self._given_up[spec.queues] = self._given_up.get(spec.queues, 0) + child.slots

    def _adjust(self, group: Group, slots: int) -> None:
        sizes = split(group.kind, slots)
        active = [child for child in self._children if child.group == group and child.stays]
        for child in least_missed(active)[: max(0, len(active) - len(sizes))]:
            active.remove(child)
            self._dismiss(child)
        for child, size in zip(active, sizes, strict=False):
            if child.slots != size and child.row:
                self._resize(child, size)
        starts = self._starts_of(group)
        for size in sizes[len(active) : self._most_needed(len(active), wanted=len(sizes))]:
            if starts.are_due and not self._forks_are_coming():
                self._start(group, size)

    def _most_needed(self, active: int, *, wanted: int) -> int:
        """How many of the wanted processes there is work for."""
        if self._batches is None or active >= wanted:
            return wanted
        try:
            return max(1, self._batches()) if active else 1
        # Whatever it is, it is met by the workers that there are, which say what to do about it.
        except Exception as error:  # noqa: BLE001
            log.warning("supervisor.no_count", error_class=type(error).__name__)
            return active

    def _resize(self, child: Child, slots: int) -> None:
        try:
            with self._runtime.database.write() as connection:
                presence.order_slots(connection, child.row["id"], slots)
            child.slots = slots
        except (DatabaseAway, TransactionLost):
            return
        except StorageFailed as error:
            log.warning("supervisor.not_resized", error=str(error))

    def _starts_of(self, group: Group) -> Starts:
        return self._starts.setdefault(group, Starts())

    def _start(self, group: Group, slots: int) -> None:
        queues = [argument for queue in group.queues for argument in ("--queue", str(queue))]
        options = {
            "--supervisor": self.id,
            "--kind": group.kind,
            "--slots": slots,
            "--grace": self._grace_seconds,
            "--max-batches": self._recycling.max_batches,
            "--max-memory-mb": self._recycling.max_memory_mb,
        }
        given = [str(part) for option in options.items() for part in option]
        process = launch([*given, *queues], forks=self._forks, settings=self._told_settings)
        now = time.monotonic()
        self._children.append(Child(group, slots, process, now, progressed=now))

    def _dismiss(self, child: Child) -> None:
        """Tell a worker to finish what it holds and go."""
        child.send_away()
        child.process.send_signal(signal.SIGTERM)

    def _bury(self, child: Child) -> None:
        status, announced = self._forget(child)
        if status == EXIT_STORAGE:
            self._endure_storage(child.group)
        elif child.stays and status != EXIT_SPENT:
            (log.warning if status else log.info)("worker.died", worker=announced, status=status)
            self._starts_of(child.group).note_death(child, status, was_born=bool(announced))
            self._forks_stay_until = time.monotonic() + DEATHS_SECONDS
        if announced:
            self._report_death(child, announced)

    def _endure_storage(self, group: Group) -> None:
        """A full disk stays full; a database server comes back."""
        if self._runtime.database.is_sqlite:
            raise StorageFailed("a worker could not write to the home folder or the database")
        self._starts_of(group).wait_for_storage()
        log.error("worker.storage_failed", status=EXIT_STORAGE)

    def _report_death(self, child: Child, worker_id: str) -> None:
        try:
            with self._runtime.database.write() as connection:
                if child.stays and presence.is_drain_ordered(connection, worker_id):
                    self._give_up(child)
                presence.lose_worker(connection, worker_id)
            self._on_death(worker_id)
        except StorageFailed as error:
            # Its leases run out by themselves.
            log.warning("supervisor.death_not_recorded", error=str(error))

    def _forget(self, child: Child) -> tuple[int, str]:
        """Take leave of a process that ended or was killed; returns its status and the name it said."""
        self._children.remove(child)
        return child.process.wait(), child.process.read_name()

    def _sign_off(self) -> None:
        try:
            with self._runtime.database.impatient(), self._runtime.database.write() as connection:
                presence.stop_supervisor(connection, self.id)
            self._is_signed_off = True
        except StorageFailed as error:
            log.warning("supervisor.not_signed_off", error=str(error))


def _serving(supervisors: Sequence[Mapping[str, Any]], *, own: str, specs: Sequence[PoolSpec]) -> dict[str, list[str]]:
    """Names of the live supervisors by the queue that they serve, this one included."""
    served = {entry["id"]: {queue for spec in entry["pools"] for queue in spec["queues"]} for entry in supervisors}
    served[own] = {str(queue) for spec in specs for queue in spec.queues}
    return {stage: [name for name, queues in served.items() if stage in queues] for stage in stages.names()}
