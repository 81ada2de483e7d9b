"""The broker benchmark: the same corpus over every broker, against embedded mode and against plain Celery tasks.

`python -m bench brokers [--documents 2000] [--pairs 3] [--brokers redis rabbitmq sqs]` starts what it needs by itself.
It prints ratios; nothing is asserted.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.ingest import make_corpus
from embedmill.shared.db import jobs, presence
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.states import JobState

if TYPE_CHECKING:
    from tests.services.postgres import Server

# Plain tasks to time: enough to hide a worker's first second, few enough for moto, which slows down with its queue.
PLAIN_TASKS = {"redis": 4000, "rabbitmq": 2000, "sqs": 150}
DEADLINE_SECONDS = 900.0
PLAIN_APP = """
import os, sys, time
from celery import Celery
from embedmill.workers.app import app as ours
app = Celery("plain")
app.conf.update({k: ours.conf[k] for k in ("broker_url", "broker_transport", "broker_transport_options",
    "task_acks_late", "worker_prefetch_multiplier", "task_ignore_result", "worker_enable_remote_control",
    "worker_send_task_events")},
    task_default_queue="plain-bench", task_create_missing_queues=True)
@app.task(name="plain")
def plain(number):
    with open(os.environ["PLAIN_DONE"], "a") as file:
        file.write(".")
if __name__ == "__main__":
    if sys.argv[1] == "work":
        app.Worker(pool="threads", concurrency=1, loglevel="CRITICAL", quiet=True, without_gossip=True,
            without_mingle=True, without_heartbeat=True, hostname=f"plain-{sys.argv[2]}").start()
    else:
        for number in range(int(sys.argv[2])):
            plain.delay(number)
"""


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where a run keeps its state."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Broker benchmark.")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=3, help="runs of embedded mode and of each broker, in turn")
    parser.add_argument("--brokers", nargs="*", default=["redis", "rabbitmq", "sqs"])
    parser.add_argument("--processes", nargs="*", type=int, default=[1, 2, 4], help="worker processes for the scaling")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder, ExitStack() as stack:
        corpus = make_corpus(Path(folder) / "corpus", options.documents)
        places = [stack.enter_context(_place(name)) for name in options.brokers]
        postgres = stack.enter_context(_postgres())
        for name, value in measure(Path(folder), corpus, places, postgres, options):
            print(f"{name:58} {value}", flush=True)


def measure(
    folder: Path, corpus: Path, places: Sequence[BrokerPlace], postgres: "Databases", options: argparse.Namespace
) -> Iterator[tuple[str, str]]:
    """(figure, value) rows."""
    embedded: list[float] = []
    remote: dict[str, list[float]] = {place.name: [] for place in places}
    for _ in range(options.pairs):
        embedded.append(_run(folder, corpus, BrokerPlace("embedded"), database="", processes=2))
        for place in places:
            remote[place.name].append(_run(folder, corpus, place, database=postgres.new(), processes=2))
    base = median(embedded)
    yield "embedded + SQLite, 2 processes, ms a document", f"{1000 * base / options.documents:.2f}"
    for place in places:
        ours = median(remote[place.name])
        plain = _plain(folder, place)
        yield f"{place.name} + Postgres / embedded (redis: target <= 1.5)", f"{ours / base:.2f}"
        yield f"{place.name}: ms a document over embedded", f"{1000 * (ours - base) / options.documents:.2f}"
        yield f"{place.name}: plain Celery, ms a task", f"{1000 * plain:.2f}"
    if places:
        times = {n: _run(folder, corpus, places[0], database=postgres.new(), processes=n) for n in options.processes}
        first = times[options.processes[0]]
        scaled = "  ".join(f"{n}: {first / seconds:.2f}" for n, seconds in times.items())
        yield f"{places[0].name}: speed by worker processes on {os.cpu_count()} cores", scaled


def _run(folder: Path, corpus: Path, place: BrokerPlace, *, database: str, processes: int) -> float:
    """Seconds from `submit` of a corpus, with workers that are up and waiting, to the end of its job."""
    home = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=folder))
    environment = {
        **os.environ,
        **place.environment,
        "EMBEDMILL_HOME": str(home),
        "EMBEDMILL_EMBEDDING": "hash",
        "EMBEDMILL_WORKERS": str(processes),
        "EMBEDMILL_DATABASE_URL": database,
    }
    url = database or f"sqlite:///{home / 'tracking.db'}"
    with _started([sys.executable, "-P", "-m", "embedmill.console", "workers", "start"], environment):
        opened = open_database(url)
        try:
            _wait(lambda: _count_workers(opened) >= processes)
            began = time.perf_counter()
            submit = [sys.executable, "-P", "-m", "embedmill.console", "submit", str(corpus), "--json"]
            subprocess.run(submit, env=environment, check=True, stdout=subprocess.DEVNULL)
            _wait(lambda: _is_completed(opened))
            return time.perf_counter() - began
        finally:
            opened.close()


def _count_workers(database: Database) -> int:
    with database.read() as connection:
        return len(presence.list_workers(connection))


def _is_completed(database: Database) -> bool:
    with database.read() as connection:
        found = jobs.list_jobs(connection)
    return bool(found) and found[0].state == JobState.COMPLETED


def _plain(folder: Path, place: BrokerPlace) -> float:
    """Seconds for one no-op task of plain Celery, published one by one and consumed by two processes."""
    count = PLAIN_TASKS[place.name]
    script = folder / "plain_tasks.py"
    script.write_text(PLAIN_APP)
    done = Path(tempfile.mkdtemp(dir=folder)) / "done"
    done.touch()
    environment = {**os.environ, **place.environment, "PLAIN_DONE": str(done), "EMBEDMILL_HOME": str(folder / "plain")}
    with ExitStack() as stack:
        for number in range(2):
            stack.enter_context(_started([sys.executable, str(script), "work", str(number)], environment))
        subprocess.run([sys.executable, str(script), "publish", "20"], env=environment, check=True)
        _wait(lambda: done.stat().st_size >= 20)
        began = time.perf_counter()
        subprocess.run([sys.executable, str(script), "publish", str(count)], env=environment, check=True)
        _wait(lambda: done.stat().st_size >= 20 + count)
        return (time.perf_counter() - began) / count


@contextmanager
def _started(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing came of it within {DEADLINE_SECONDS:g} s")
        time.sleep(0.02)


@contextmanager
def _place(name: str) -> Iterator[BrokerPlace]:
    from tests.services import moto, rabbitmq, redis

    match name:
        case "redis":
            with redis.running_server() as server:
                yield BrokerPlace(name, {"EMBEDMILL_BROKER_URL": server.url})
        case "rabbitmq":
            with rabbitmq.running_server() as node:
                yield BrokerPlace(name, {"EMBEDMILL_BROKER_URL": node.url})
        case "sqs":
            with moto.running_server() as endpoint:
                # moto's calls take longer the more messages wait.
                settings = {"EMBEDMILL_BROKER_URL": "sqs://", "EMBEDMILL_HIGH_WATER": "2048"}
                yield BrokerPlace(name, settings | endpoint.environment)
        case _:
            raise SystemExit(f"unknown broker {name!r}")


class Databases:
    """New databases on one Postgres server."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._made = 0

    def new(self) -> str:
        """The URL of a database that nobody has used."""
        self._made += 1
        self._server.execute(f"CREATE DATABASE bench_{self._made}")
        return self._server.url.replace("/postgres?", f"/bench_{self._made}?")


@contextmanager
def _postgres() -> Iterator[Databases]:
    from tests import together
    from tests.services import postgres

    together.begin()
    try:
        with postgres.running_server() as server:
            yield Databases(server)
    finally:
        together.end()


if __name__ == "__main__":
    main()
