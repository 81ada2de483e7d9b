"""A rehearsal of what most commands do: the statements that it takes are compiled for what is forked afterwards."""

import os
import tempfile
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from embedmill.console.listening import NOBODY
from embedmill.console.services import documents, exporting, jobs, searching, verifying
from embedmill.console.services.opening import open_runtime
from embedmill.console.services.submitting import USUAL, JobSubmission
from embedmill.producers.sources.folder import FolderSource
from embedmill.retrieval.question import MODES
from embedmill.shared import stages
from embedmill.shared.db import pools
from embedmill.shared.db import presence as registry
from embedmill.shared.db.engine import Connection
from embedmill.shared.presence import RUN, Presence
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.table import open_broker
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.chores.runner import ChoreRunner
from embedmill.workers.processes.pools import PoolKind
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.workers.working import work_through

COLLECTION = "default"
HOST = "here"
SECONDS = 5.0


def rehearse() -> None:
    """Ingest a folder, change it and ingest it again, and look at what there is; no thread is left."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", embedding="hash")
        place_migrated(settings.home_path / "tracking.db")
        (files := Path(folder) / "files").mkdir()
        for names in ("abc", "bcd"):
            for name in "abcd":
                (files / f"{name}.txt").write_text(f"The {name} of {names}.")
            (files / f"{'abcd'.strip(names)}.txt").unlink()
            _ingest(settings, files)
        _look(settings)
    assert threading.active_count() == 1


def _ingest(settings: Settings, files: Path) -> None:
    with open_runtime(settings) as runtime:
        submission = JobSubmission(runtime, [FolderSource(os.fsencode(files))], COLLECTION, USUAL, NOBODY)
        submission.scan(submitted := submission.open())
        _work(settings)
        with closing(open_broker(settings)) as broker, ChoreRunner(runtime, broker) as chores:
            chores.completed.wait(SECONDS)
        jobs.describe_job(runtime, submitted.job_id)
        jobs.explain_job(runtime, submitted.job_id)


def _work(settings: Settings) -> None:
    with (
        Presence(settings.home_path / RUN) as presence,
        closing(WorkerRuntime(settings, process_id=presence.id)) as runtime,
    ):
        runtime.database.transact(partial(_register, presence.id))
        runtime.database.query(lambda connection: pools.find_paused(connection, stages.names()))
        runtime.database.query(lambda connection: registry.read_orders(connection, presence.id))
        work_through(runtime, dispatch(runtime.database, settings))


def _register(name: str, connection: Connection) -> None:
    process: dict[str, Any] = {"pid": os.getpid(), "queues": stages.names(), "slots": 1, "supervisor_id": None}
    registry.require_one_host(connection, HOST, silent_seconds=SECONDS)
    registry.register_worker(connection, name, host=HOST, kind=PoolKind.PREFORK, **process)


def _look(settings: Settings) -> None:
    with open_runtime(settings) as runtime:
        documents.list_documents(runtime)
        jobs.list_jobs(runtime)
        verifying.verify(runtime)
        list(exporting.export(runtime, COLLECTION))
        for mode in MODES:
            searching.search(runtime, "what is the b of bcd?", collection=COLLECTION, top_k=3, mode=mode)
