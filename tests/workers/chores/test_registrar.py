"""The registrar: who died or fell silent is lost, who ended long ago is forgotten."""

import os
import socket

from embedmill.shared.db import presence
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import worker
from embedmill.shared.presence import Presence
from embedmill.workers.chores.registrar import tidy
from embedmill.workers.runtime import WorkerRuntime


def register(runtime: WorkerRuntime, name: str) -> None:
    with runtime.database.write() as connection:
        presence.register_worker(connection, name, host=socket.gethostname(), pid=os.getpid(), queues=["embed"])


def states(runtime: WorkerRuntime) -> dict[str, str]:
    with runtime.database.read() as connection:
        return {row["id"]: row["state"] for row in presence.list_workers(connection, include_stopped=True)}


def test_the_dead_and_the_silent_are_lost_and_later_forgotten(runtime: WorkerRuntime) -> None:
    with Presence(runtime.run_folder) as dead:
        register(runtime, dead.id)
    register(runtime, runtime.process_id)
    register(runtime, "elsewhere-1")
    register(runtime, "elsewhere-2")
    with runtime.database.write() as connection:
        connection.execute(worker.update().where(worker.c.id == "elsewhere-2").values(heartbeat_at=clock() - 3600))
    assert tidy(runtime.database, runtime.settings, run_folder=runtime.run_folder) == 2
    assert states(runtime) == {
        dead.id: "lost",
        "elsewhere-2": "lost",
        "elsewhere-1": "starting",
        runtime.process_id: "starting",
    }
    assert tidy(runtime.database, runtime.settings, run_folder=runtime.run_folder, kept_seconds=-1.0) == 0
    assert set(states(runtime)) == {"elsewhere-1", runtime.process_id}
