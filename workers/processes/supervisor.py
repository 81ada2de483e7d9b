"""Keeps worker processes as the tracking database wants them: starts, replaces, drains and stops them."""

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from embedmill.shared import stages
from embedmill.shared.db import pools, presence, queueing
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import InternalError, StorageFailed
from embedmill.shared.logs import get_logger
from embedmill.shared.runtime import Runtime
from embedmill.workers.processes.launching import ForkServer, WorkerProcess, launch
from embedmill.workers.processes.pools import Group, PoolSpec, Situation, plan, slots_by_queue, split

log = get_logger()

# Exit status of a worker that could not write any more: another start would not help.
EXIT_STORAGE = 75
# Exit status of a worker that has done its share, or grown too large, and is to be replaced.
EXIT_SPENT = 76
# A worker that dies sooner than this after its start is started again more slowly.
EARLY_SECONDS = 5.0
# So many in a row that never got as far as saying their name: another start would not help.
STILLBORN = 5
LOOK_SECONDS = 1.0
# What a worker gets beyond its grace time, to hand back and go, before it is killed.
EXTRA_SECONDS = 10.0
# After a worker could not write to a database server, so long until another is started.
STORAGE_WAIT_SECONDS = 2.0
# A time that a worker tells as an age comes back a little different each time.
SAME_MESSAGE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Recycling:
    """When a worker process ends itself to be replaced: after so many batches, above so much memory; 0 is never."""

    max_batches: int = 0
    max_memory_mb: int = 0


@dataclass(slots=True, eq=False)
class Child:
    """One worker process; `leaving` is when it was told to go."""

    group: Group
    slots: int
    process: WorkerProcess
    started: float
    leaving: float | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    progressed: float = 0.0


@dataclass(slots=True)
class Starts:
    """How starting goes for one group of processes."""

    stillborn: int = 0
    wait_until: float = 0.0
    patience: float = 1.0


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
        self._depths = depths
        self._batches = batches
        self._recycling = recycling or Recycling()
        self._grace_seconds = settings.grace_seconds if grace_seconds is None else grace_seconds
        self._forks = forks
        self._look_seconds = min(LOOK_SECONDS, settings.lease_seconds / 8)
        self._children: list[Child] = []
        self._wanted: dict[Group, int] = {}
        self._given_up: dict[tuple[str, ...], int] = {}
        self._starts: dict[Group, Starts] = {}
        self._next_look = self._next_beat = 0.0
        self._told: Mapping[str, int] | None = None
        self._scaled: frozenset[str] = frozenset()
        self._backlog_since: dict[str, float] = {}

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
        return [child.process.pid for child in self._children if child.leaving is None]

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

    def stop(self) -> None:
        """Let every worker finish what it holds, for the grace time at most, and end it."""
        self._sign_off()
        for child in self._children:
            self._dismiss(child)
        deadline = time.monotonic() + self._grace_seconds + EXTRA_SECONDS
        while self._children and time.monotonic() < deadline:
            for child in [c for c in self._children if c.process.poll() is not None]:
                self._forget(child)
            time.sleep(0.01)
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
                rows = presence.list_children(connection, self.id, [child.process.pid for child in self._children])
                queued = queueing.find_queued_stages(connection)
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
        except StorageFailed as error:
            log.warning("supervisor.no_database", error=str(error))
            return
        self._watch({stage for stage in queued if not wished[stage].paused})

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
            row = by_pid.get(child.process.pid, child.row)
            if _has_progressed(child.row, row):
                child.progressed = time.monotonic()
                self._starts_of(child.group).patience = 1.0
            child.row = row
            if child.row and child.row["drain"] and child.leaving is None:
                self._give_up(child)

    def _give_up(self, child: Child) -> None:
        """Note that an operator drained a worker: it gets no successor."""
        child.leaving = time.monotonic()
        spec = next((s for s in self._specs if set(child.group.queues) <= set(s.queues)), None)
        # Of a queue that was scaled, the desired number was lowered instead.
        if spec is not None and not self._scaled.issuperset(child.group.queues):
            self._given_up[spec.queues] = self._given_up.get(spec.queues, 0) + child.slots

    def _adjust(self, group: Group, slots: int) -> None:
        sizes = split(group.kind, slots)
        active = [child for child in self._children if child.group == group and child.leaving is None]
        for child in _least_missed(active)[: max(0, len(active) - len(sizes))]:
            active.remove(child)
            self._dismiss(child)
        for child, size in zip(active, sizes, strict=False):
            if child.slots != size and child.row:
                self._resize(child, size)
        starts = self._starts_of(group)
        for size in sizes[len(active) : self._most_needed(len(active), wanted=len(sizes))]:
            if time.monotonic() >= starts.wait_until:
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
        process = launch([*given, *queues], forks=self._forks)
        now = time.monotonic()
        self._children.append(Child(group, slots, process, now, progressed=now))

    def _dismiss(self, child: Child) -> None:
        """Tell a worker to finish what it holds and go."""
        if child.leaving is None:
            child.leaving = time.monotonic()
        child.process.send_signal(signal.SIGTERM)

    def _bury(self, child: Child) -> None:
        status, announced = self._forget(child)
        if status == EXIT_STORAGE:
            self._endure_storage(child.group)
        elif child.leaving is None and status != EXIT_SPENT:
            (log.warning if status else log.info)("worker.died", worker=announced, status=status)
            self._slow_down(child, status, was_born=bool(announced))
        if announced:
            self._report_death(child, announced)

    def _endure_storage(self, group: Group) -> None:
        """A full disk stays full; a database server comes back."""
        if self._runtime.database.is_sqlite:
            raise StorageFailed("a worker could not write to the home folder or the database")
        self._starts_of(group).wait_until = time.monotonic() + STORAGE_WAIT_SECONDS
        log.error("worker.storage_failed", status=EXIT_STORAGE)

    def _report_death(self, child: Child, worker_id: str) -> None:
        try:
            with self._runtime.database.write() as connection:
                if child.leaving is None and presence.is_drain_ordered(connection, worker_id):
                    self._give_up(child)
                presence.lose_worker(connection, worker_id)
            self._on_death(worker_id)
        except StorageFailed as error:
            # Its leases run out by themselves.
            log.warning("supervisor.death_not_recorded", error=str(error))

    def _slow_down(self, child: Child, status: int, *, was_born: bool) -> None:
        starts = self._starts_of(child.group)
        starts.stillborn = 0 if was_born else starts.stillborn + 1
        if starts.stillborn >= STILLBORN:
            raise InternalError(f"workers end with status {status} before they are ready; see stderr")
        early = time.monotonic() - child.started < EARLY_SECONDS
        starts.wait_until = time.monotonic() + (0.2 if early else 0.0)

    def _forget(self, child: Child) -> tuple[int, str]:
        """Take leave of a process that ended or was killed; returns its status and the name it said."""
        self._children.remove(child)
        return child.process.wait(), child.process.read_name()

    def _sign_off(self) -> None:
        try:
            with self._runtime.database.impatient(), self._runtime.database.write() as connection:
                presence.stop_supervisor(connection, self.id)
        except StorageFailed as error:
            log.warning("supervisor.not_signed_off", error=str(error))

    def _watch(self, queued: set[str]) -> None:
        """Replace a worker that makes no progress: liveness is what it does, not that its process is there.

        Everything is measured by this process's own clock and its own looks, so a machine that slept, or a clock that
        was set, makes nobody look hung.
        """
        now = time.monotonic()
        self._backlog_since = {stage: self._backlog_since.get(stage, now) for stage in queued}
        present = [child for child in self._children if child.row and child.leaving is None]
        late = [(child, owed) for child in present if (owed := self._find_owed(child, now))]
        # Work is queued, but where no message waits, they are all with others, and nobody is hung.
        waiting = self._find_waiting() if late else set()
        for child, owed in late:
            if owed & waiting:
                self._replace_hung(child)

    def _find_waiting(self) -> set[str]:
        """The stages in whose queues messages wait."""
        try:
            return {stage for stage, count in self._depths().items() if count}
        # Whatever it is, a broker that cannot be asked now may be just what the worker did not survive.
        except Exception as error:  # noqa: BLE001
            log.warning("supervisor.no_broker", error_class=type(error).__name__)
            return set(stages.names())

    def _find_owed(self, child: Child, now: float) -> set[str]:
        """The queues that had work for too long while this worker, which serves them, did nothing."""
        limit = self._settings.hung_seconds * self._starts_of(child.group).patience
        if now - child.progressed <= limit:
            return set()
        return {q for q in child.group.queues if now - self._backlog_since.get(q, now) > limit}

    def _replace_hung(self, child: Child) -> None:
        log.warning("worker.hung", worker=child.row["id"], state=child.row["state"])
        starts = self._starts_of(child.group)
        # If its successor fares no better, the fault is elsewhere, and restarting it all the time would not help.
        starts.patience = min(starts.patience * 2, 32.0)
        self._dismiss(child)


def _has_progressed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a worker took a message between two looks at it, or is at work and said so."""
    if not before or not now:
        return bool(now) and not before
    taken = (now["last_message_at"] or 0.0) - (before["last_message_at"] or 0.0)
    at_work = now["busy"] > 0 and now["heartbeat_at"] > before["heartbeat_at"]
    return at_work or now["batches"] > before["batches"] or taken > SAME_MESSAGE_SECONDS


def _serving(supervisors: Sequence[Mapping[str, Any]], *, own: str, specs: Sequence[PoolSpec]) -> dict[str, list[str]]:
    """Names of the live supervisors by the queue that they serve, this one included."""
    served = {entry["id"]: {queue for spec in entry["pools"] for queue in spec["queues"]} for entry in supervisors}
    served[own] = {str(queue) for spec in specs for queue in spec.queues}
    return {stage: [name for name, queues in served.items() if stage in queues] for stage in stages.names()}


def _least_missed(children: Sequence[Child]) -> list[Child]:
    """Those that are ending anyway, idle workers before busy ones, and young before old."""

    def missed(child: Child) -> tuple[bool, int, float]:
        return child.row.get("stopped_at") is None, child.row.get("busy", 0), -child.started

    return sorted(children, key=missed)
