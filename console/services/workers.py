"""What `embedmill workers` shows and changes: processes, pools and supervisors, as the tracking database has them."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from embedmill.shared import stages
from embedmill.shared.db import pools, presence
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.pools import Pool
from embedmill.shared.errors import NotFound
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import WorkerState

POLL_SECONDS = 0.1
MIB = 1024 * 1024
# Workers that will take no more work, or are not there yet.
_NOT_SERVING = (WorkerState.STARTING, WorkerState.DRAINING, WorkerState.LOST)


def describe(runtime: Runtime) -> dict[str, Any]:
    """Workers, pools and supervisors as `--json` shows them."""
    workers = list_workers(runtime)
    silent = runtime.settings.silent_seconds

    def find(connection: Connection) -> tuple[list[dict[str, Any]], Mapping[str, Pool]]:
        return presence.list_supervisors(connection, silent_seconds=silent), pools.read_pools(connection)

    supervisors, wanted = runtime.database.query(find)
    alive = [entry for entry in supervisors if not is_gone(runtime.run_folder, entry["id"])]
    return {
        "workers": workers,
        "pools": [_describe_pool(pool, workers, alive) for pool in wanted.values()],
        "supervisors": alive,
    }


def find_local_supervisors(runtime: Runtime) -> list[dict[str, Any]]:
    """Supervisors of this host that live."""
    silent = runtime.settings.silent_seconds
    found = runtime.database.query(lambda connection: presence.list_supervisors(connection, silent_seconds=silent))
    here = socket.gethostname()
    return [entry for entry in found if entry["host"] == here and not is_gone(runtime.run_folder, entry["id"])]


def list_workers(runtime: Runtime) -> list[dict[str, Any]]:
    """Worker processes; those that died or fell silent are `lost`, and go from the list after a while."""
    silent = runtime.settings.silent_seconds
    rows = runtime.database.query(lambda connection: presence.list_shown_workers(connection, silent_seconds=silent))
    return [_describe_worker(row, is_dead=is_gone(runtime.run_folder, row["id"]) is True) for row in rows]


def _describe_worker(row: dict[str, Any], *, is_dead: bool) -> dict[str, Any]:
    state = WorkerState.LOST if is_dead else WorkerState(row["state"])
    rss = row["rss_bytes"]
    return row | {
        "state": str(state),
        "busy": len(row["current"]),
        "rate": round(row["rate"], 2),
        "rss_mb": None if rss is None else round(rss / MIB, 1),
    }


def _describe_pool(pool: Pool, workers: Sequence[dict[str, Any]], supervisors: Sequence[dict[str, Any]]) -> Any:
    serving = [w for w in workers if pool.queue in w["queues"] and w["state"] not in _NOT_SERVING]
    return asdict(pool) | {
        "planned": sum(int(entry["slots"].get(pool.queue, 0)) for entry in supervisors),
        "actual": sum(worker["slots"] for worker in serving),
        "busy": sum(c["stage"] == pool.queue for worker in serving for c in worker["current"]),
        "supervisors": sum(_serves(entry, pool.queue) for entry in supervisors),
    }


def _serves(entry: dict[str, Any], queue: str) -> bool:
    return any(queue in pool["queues"] for pool in entry["pools"])


def describe_change(runtime: Runtime, queue: str, before: Pool, after: Pool) -> dict[str, Any]:
    """A change of a pool: what was wanted, what is wanted now, and what there is at this moment."""
    (found,) = (pool for pool in describe(runtime)["pools"] if pool["queue"] == queue)
    counted = {key: found[key] for key in ("actual", "supervisors")}
    return {"queue": str(queue), "before": asdict(before), "after": asdict(after)} | counted


def await_slots(runtime: Runtime, queue: str, *, seconds: float) -> bool:
    """Whether the live workers of a queue have as many slots as their supervisors plan, and as are desired."""

    def has_followed() -> bool:
        (found,) = (pool for pool in describe(runtime)["pools"] if pool["queue"] == queue)
        desired = found["planned"] if found["desired"] is None else found["desired"]
        return bool(found["actual"] == desired == found["planned"])

    return _wait(has_followed, seconds=seconds)


def live_workers(runtime: Runtime) -> list[str]:
    """Names of the workers that are at work or about to be."""
    return [row["id"] for row in list_workers(runtime) if row["state"] != WorkerState.LOST]


def drain_workers(runtime: Runtime, names: Sequence[str]) -> dict[str, Any]:
    """Have workers finish and go for good; the desired slots of a scaled queue go down with them.

    Raises NotFound for a name that no live worker has.
    """
    live = set(live_workers(runtime))
    unknown = sorted(set(names) - live)
    if unknown:
        raise NotFound(f"no worker is called {unknown[0]!r}", hint="embedmill workers list")

    def drain(connection: Connection) -> dict[str, Any]:
        draining = presence.order_drain(connection, names)
        rows = [row for row in presence.list_workers(connection) if row["id"] in draining]
        before = pools.read_pools(connection)
        gone = {stage: sum(row["slots"] for row in rows if row["queues"] == [stage]) for stage in stages.names()}
        changes = []
        for stage, slots in gone.items():
            desired = before[stage].desired
            if slots and desired is not None:
                after = pools.scale_pool(connection, stage, max(0, desired - slots))
                changes.append({"queue": stage, "before": asdict(before[stage]), "after": asdict(after)})
        return {"draining": draining, "pools": changes}

    return runtime.database.transact(drain)


def await_stopped(runtime: Runtime, names: Sequence[str], *, seconds: float) -> bool:
    """Whether all of the workers have gone."""
    return _wait(lambda: not set(names) & set(live_workers(runtime)), seconds=seconds)


def _wait(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
