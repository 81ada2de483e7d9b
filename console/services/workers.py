"""Worker processes, pools and supervisors as the tracking database has them, and what operators want of them."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from embedmill.console.rendering import LEFT_OUT
from embedmill.console.services.reach import every_reached, installation
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.states import pool
from embedmill.shared import stages
from embedmill.shared.access.principals import Right
from embedmill.shared.db import pools, presence
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.pools import Pool
from embedmill.shared.errors import NotFound, UsageError, UserError
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.states import WorkerState

if TYPE_CHECKING:
    from embedmill.workers.processes.pools import PoolSpec

POLL_SECONDS = 0.1
MIB = 1024 * 1024
# Workers that will take no more work, or are not there yet.
_NOT_SERVING = (WorkerState.STARTING, WorkerState.DRAINING, WorkerState.LOST)


@dataclass(frozen=True, slots=True)
class LeasedWork:
    """What a worker has in hand under one lease, and for how long."""

    stage: str
    documents: int
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker process; `age` is that of its last heartbeat, in seconds, `rate` in documents a second."""

    id: str
    host: str
    pid: int
    queues: Sequence[str]
    supervisor: str | None
    kind: str
    state: WorkerState
    slots: int
    wanted_slots: int | None
    drain: bool
    busy: int
    batches: int
    documents: int
    rate: float
    rss_bytes: int | None
    version: str | None
    started_at: float
    heartbeat_at: float
    last_message_at: float | None
    last_claim_at: float | None
    stopped_at: float | None
    broker_refusals: int
    broker_refusal: str | None
    age: float
    current: Sequence[LeasedWork]
    rss_mb: float | None

    @property
    def is_serving(self) -> bool:
        """Whether it takes work."""
        return self.state not in _NOT_SERVING


@dataclass(frozen=True, slots=True)
class SupervisorReport:
    """A live supervisor: the pools that it was started with, and the slots that it means to have by queue."""

    id: str
    host: str
    pid: int
    pools: Sequence[Mapping[str, Any]]
    slots: Mapping[str, int]
    version: str | None
    started_at: float
    heartbeat_at: float
    stopped_at: float | None
    age: float

    def serves(self, queue: str) -> bool:
        """Whether it was started for a queue."""
        return any(queue in pool["queues"] for pool in self.pools)


@dataclass(frozen=True, slots=True)
class PoolReport:
    """A queue: what is wanted of it, and what its supervisors plan and its workers have."""

    queue: str
    desired: int | None
    paused: bool
    revision: int
    updated_at: float | None
    planned: int
    actual: int
    busy: int
    supervisors: int

    @property
    def has_followed(self) -> bool:
        """Whether its live workers have as many slots as their supervisors plan, and as are desired."""
        return self.actual == self.planned == (self.planned if self.desired is None else self.desired)


@dataclass(frozen=True, slots=True)
class WorkersReport:
    """Who is at work; those that died or fell silent are `lost`, and go from the list after a while."""

    workers: Sequence[WorkerReport]
    pools: Sequence[PoolReport]
    supervisors: Sequence[SupervisorReport]

    def pool(self, queue: str) -> PoolReport:
        """One of the pools."""
        return next(pool for pool in self.pools if pool.queue == queue)


@dataclass(frozen=True, slots=True)
class HostHealth:
    """Whether a supervisor of this host lives."""

    healthy: bool
    supervisors: Sequence[SupervisorReport]


@dataclass(frozen=True, slots=True)
class PoolChange:
    """What was wanted of a queue, and what is wanted now."""

    queue: str
    before: Pool
    after: Pool


@dataclass(frozen=True, slots=True)
class PoolOrder(PoolChange):
    """The same with what there was at that moment; `converged` says whether the workers followed in time."""

    actual: int
    supervisors: int
    converged: bool | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Drained:
    """Workers that finish and go, pools that shrink with them; `stopped` says whether they went in time."""

    draining: Sequence[str]
    pools: Sequence[PoolChange]
    stopped: bool | None = field(default=None, metadata=LEFT_OUT)


@serves("workers.list", Right.OPERATE, installation, trace=Trace.NOTHING)
def list_workers(runtime: Runtime) -> WorkersReport:
    """Worker processes, pools and supervisors."""
    silent = runtime.settings.silent_seconds

    def find(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Mapping[str, Pool]]:
        return (
            presence.list_shown_workers(connection, silent_seconds=silent),
            presence.list_supervisors(connection, silent_seconds=silent),
            pools.read_pools(connection),
        )

    rows, found, wanted = runtime.database.query(find)
    workers = [_describe_worker(row, is_dead=is_gone(runtime.run_folder, row["id"]) is True) for row in rows]
    supervisors = [SupervisorReport(**row) for row in found if not is_gone(runtime.run_folder, row["id"])]
    return WorkersReport(workers, [_describe_pool(p, workers, supervisors) for p in wanted.values()], supervisors)


def _describe_worker(row: Mapping[str, Any], *, is_dead: bool) -> WorkerReport:
    rss = row["rss_bytes"]
    told = {
        "state": WorkerState.LOST if is_dead else WorkerState(row["state"]),
        "busy": len(row["current"]),
        "rate": round(row["rate"], 2),
        "current": [LeasedWork(**held) for held in row["current"]],
        "rss_mb": None if rss is None else round(rss / MIB, 1),
    }
    return WorkerReport(**{**row, **told})


def _describe_pool(pool: Pool, workers: Sequence[WorkerReport], supervisors: Sequence[SupervisorReport]) -> PoolReport:
    serving = [worker for worker in workers if worker.is_serving and pool.queue in worker.queues]
    return PoolReport(
        queue=pool.queue,
        desired=pool.desired,
        paused=pool.paused,
        revision=pool.revision,
        updated_at=pool.updated_at,
        planned=sum(int(supervisor.slots.get(pool.queue, 0)) for supervisor in supervisors),
        actual=sum(worker.slots for worker in serving),
        busy=sum(held.stage == pool.queue for worker in serving for held in worker.current),
        supervisors=sum(supervisor.serves(pool.queue) for supervisor in supervisors),
    )


@serves("workers.health", Right.READ, every_reached, filters=True, trace=Trace.NOTHING)
def check_health(runtime: Runtime) -> HostHealth:
    """Whether a supervisor of this host said lately that it lives."""
    here = socket.gethostname()
    found = [supervisor for supervisor in list_workers(runtime).supervisors if supervisor.host == here]
    return HostHealth(bool(found), found)


@serves("workers.scale", Right.OPERATE, installation, told=("queue", "slots", "force"), state=pool)
def scale_queue(
    runtime: Runtime, queue: str, slots: int | None, *, force: bool = False, wait_seconds: float = 0.0
) -> PoolOrder:
    """Want so many slots for a queue over all supervisors; with None, what they were started with.

    Raises UsageError, and UserError for more than its provider has a use for, unless forced. `wait_seconds` is how
    long the workers are waited for.
    """
    stage = read_queue(queue)
    if slots is not None and not force:
        require_below_cap(stage, slots, runtime.settings)
    order = _order(runtime, stage, lambda connection: pools.scale_pool(connection, stage, slots))
    if not wait_seconds:
        return order
    return replace(order, converged=_wait(lambda: list_workers(runtime).pool(stage).has_followed, wait_seconds))


@serves("workers.pause", Right.OPERATE, installation, told=("queue",), state=pool)
def pause_queue(runtime: Runtime, queue: str) -> PoolOrder:
    """Let no worker claim work of a queue; raises UsageError."""
    stage = read_queue(queue)
    return _order(runtime, stage, lambda connection: pools.pause_pool(connection, stage))


@serves("workers.resume", Right.OPERATE, installation, told=("queue",), state=pool)
def resume_queue(runtime: Runtime, queue: str) -> PoolOrder:
    """Let workers claim work of a queue again; raises UsageError."""
    stage = read_queue(queue)
    return _order(runtime, stage, lambda connection: pools.resume_pool(connection, stage))


def _order(runtime: Runtime, queue: str, change: Callable[[Connection], Pool]) -> PoolOrder:
    def make(connection: Connection) -> tuple[Pool, Pool]:
        return pools.read_pools(connection)[queue], change(connection)

    before, after = runtime.database.transact(make)
    found = list_workers(runtime).pool(queue)
    return PoolOrder(queue, before, after, found.actual, found.supervisors)


@serves("workers.drain", Right.OPERATE, installation, told=("names",))
def drain_workers(runtime: Runtime, names: Sequence[str] | None = None, *, wait_seconds: float = 0.0) -> Drained:
    """Have workers, or all of them, finish and go for good; the desired slots of a scaled queue go down with them.

    Raises NotFound for a name that no live worker has. `wait_seconds` is how long they are waited for.
    """
    live = _live_workers(runtime)
    chosen = live if names is None else names
    unknown = sorted(set(chosen) - set(live))
    if unknown:
        raise NotFound(f"no worker is called {unknown[0]!r}", hint="embedmill workers list")
    done = runtime.database.transact(lambda connection: _drain(connection, chosen))
    if not wait_seconds:
        return done
    are_gone = _wait(lambda: not set(done.draining) & set(_live_workers(runtime)), wait_seconds)
    return replace(done, stopped=are_gone)


def _drain(connection: Connection, names: Sequence[str]) -> Drained:
    draining = presence.order_drain(connection, names)
    rows = [row for row in presence.list_workers(connection) if row["id"] in draining]
    before = pools.read_pools(connection)
    changes = []
    for stage in stages.names():
        slots, desired = sum(row["slots"] for row in rows if row["queues"] == [stage]), before[stage].desired
        if slots and desired is not None:
            after = pools.scale_pool(connection, stage, max(0, desired - slots))
            changes.append(PoolChange(stage, before[stage], after))
    return Drained(draining, changes)


def _live_workers(runtime: Runtime) -> list[str]:
    return [worker.id for worker in list_workers(runtime).workers if worker.state != WorkerState.LOST]


def read_queue(name: str) -> str:
    """The stage whose queue has a name; raises UsageError."""
    if name not in stages.names():
        raise UsageError(f"unknown queue {name!r}; there are {', '.join(stages.names())}")
    return name


def plan_pools(
    settings: Settings, slots: Sequence[tuple[str, int]], *, concurrency: int | None = None, kind: str | None = None
) -> list["PoolSpec"]:
    """Pools of so many slots for queues, a pool a queue; without any, one for all, with a slot a core if not told.

    `kind` is how all of them get their slots; by default what suits each queue. Raises UsageError, and UserError for
    more slots than a provider has a use for.
    """
    from embedmill.workers.processes.pools import PoolSpec

    chosen = _read_kind(kind)
    if not slots:
        return [PoolSpec(slots=concurrency or settings.worker_count, kind=chosen)]
    total: dict[str, int] = {}
    for queue, count in slots:
        stage = read_queue(queue)
        total[stage] = total.get(stage, 0) + count
    for stage, count in total.items():
        require_below_cap(stage, count, settings)
    return [PoolSpec((stage,), count, chosen) for stage, count in total.items()]


def _read_kind(kind: str | None) -> Any:
    from embedmill.workers.processes.pools import PoolKind

    kinds = {None: None, "processes": PoolKind.PREFORK} | {str(known): known for known in PoolKind}
    if kind not in kinds:
        raise UsageError(f"unknown pool {kind!r}; there are prefork and threads")
    return kinds[kind]


def require_below_cap(stage: str, slots: int, settings: Settings) -> None:
    """Raise UserError for more slots than a stage's provider has a use for."""
    from embedmill.workers.processes.pools import provider_cap

    cap = provider_cap(stage, settings)
    if cap is not None and slots > cap.slots:
        raise UserError(
            f"{slots} slots for {stage}: its provider has a use for {cap.slots} ({cap.setting}), "
            "and the requests of more would only be refused",
            hint=f"Take at most {cap.slots}, raise the setting if the provider allows more, or scale with --force.",
        )


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
