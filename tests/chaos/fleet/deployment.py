"""A broker and a tracking database that can be disturbed, and the worker commands that run on them."""

import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from sqlalchemy import text

from embedmill.shared.db.engine import Database
from embedmill.shared.errors import EmbedmillError
from tests.command import EMBEDMILL, Command, Process, kill_group
from tests.services import moto, postgres, rabbitmq, redis
from tests.services.needed import require
from tests.services.wires import Wires, running_wires
from tests.waiting import wait_until

Disturbance = Callable[[], object]

# Longer than workers may take to finish what they hold.
STOP_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Service:
    """Settings that lead a command to a service, and what can be done to it while it is in use.

    `fresh` makes room of its own for one fleet, where fleets would see each other, and returns the settings for it.
    `absence` makes a broker go away, and come back empty. `impatient` has it hand out messages again that were not
    acknowledged for some seconds, where its own settings decide that.
    """

    name: str
    settings: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    disturbances: dict[str, Disturbance] = field(default_factory=dict)
    fresh: Callable[[], dict[str, str]] = dict
    absence: tuple[Disturbance, Disturbance] | None = None
    impatient: Callable[[int], AbstractContextManager[object]] = nullcontext


@contextmanager
def on_redis() -> Iterator[Service]:
    """Redis without persistence: wiped, killed and started empty, cut off from its clients."""
    require(redis.why_not())
    with redis.running_server() as server:
        disturbances: dict[str, Disturbance] = {"wipe": server.wipe, "drop connections": server.drop_connections}
        absence = None
        if isinstance(server, redis.OwnServer):
            absence = (server.kill, server.start)
            disturbances["restart empty"] = partial(_in_turn, *absence)
        yield Service("redis", {"broker_url": server.url}, {}, disturbances, partial(_emptied, server.wipe), absence)


@contextmanager
def on_rabbitmq() -> Iterator[Service]:
    """RabbitMQ: its queues purged, its application restarted, every connection closed."""
    require(rabbitmq.why_not())
    with rabbitmq.running_server() as server:
        url, fresh = {"broker_url": server.url}, partial(_emptied, server.wipe)
        if isinstance(server, rabbitmq.OwnServer):
            impatient = partial(_impatient_rabbitmq, server)
            absence = _rabbitmq_absence(server)
            yield Service("rabbitmq", url, {}, _rabbitmq_disturbances(server), fresh, absence, impatient)
        else:
            yield Service("rabbitmq", url, {}, {}, fresh)


def _rabbitmq_disturbances(server: rabbitmq.OwnServer) -> dict[str, Disturbance]:
    stages = ("chunk", "validate", "embed", "index")
    stop, start = partial(server.control, "stop_app"), partial(server.control, "start_app")
    return {
        "wipe": lambda: _in_turn(*(partial(_purge, server, f"embedmill-{stage}") for stage in stages)),
        "drop connections": lambda: server.control("close_all_connections", "a disturbance"),
        "restart": partial(_in_turn, stop, start, server.wait_until_it_answers),
        "restart empty": partial(_in_turn, *_rabbitmq_absence(server)),
    }


def _rabbitmq_absence(server: rabbitmq.OwnServer) -> tuple[Disturbance, Disturbance]:
    stop, start = partial(server.control, "stop_app"), partial(server.control, "start_app")
    return stop, partial(_in_turn, partial(server.control, "reset"), start, server.wait_until_it_answers)


@contextmanager
def _impatient_rabbitmq(server: rabbitmq.OwnServer, seconds: int) -> Iterator[None]:
    """Its `consumer_timeout`, half an hour by default, looked at every second; of channels that are opened then."""

    def set_milliseconds(timeout: int, look: int) -> None:
        for name, value in (("consumer_timeout", timeout), ("channel_tick_interval", look)):
            server.control("eval", f"application:set_env(rabbit, {name}, {value}).")

    set_milliseconds(seconds * 1000, 1000)
    try:
        yield
    finally:
        set_milliseconds(1_800_000, 60_000)


@contextmanager
def on_sqs() -> Iterator[Service]:
    """SQS by moto: its queues purged."""
    require(moto.why_not())
    with moto.running_server() as server:
        # moto gets slower with every message that waits.
        settings = {"broker_url": "sqs://", "high_water": "64"}
        disturbances: dict[str, Disturbance] = {"wipe": partial(_purge_sqs, server.client("sqs"))}
        yield Service("sqs", settings, server.environment, disturbances, partial(_emptied, server.wipe))


@contextmanager
def on_embedded() -> Iterator[Service]:
    """The embedded broker; its file is wiped through the home folder."""
    yield Service("embedded", {"broker_url": "embedded://"})


@contextmanager
def on_postgres() -> Iterator[Service]:
    """Postgres: stopped as by a crash and started again, every session ended."""
    require(postgres.why_not())
    with postgres.running_server() as server:
        disturbances: dict[str, Disturbance] = {"end sessions": server.terminate_sessions}
        if isinstance(server, postgres.OwnServer):
            disturbances["crash"] = partial(_in_turn, server.stop, server.start)
        yield Service("postgres", {}, {}, disturbances, lambda: {"database_url": _new_database(server)})


@contextmanager
def on_sqlite() -> Iterator[Service]:
    """The tracking database in the home folder."""
    yield Service("sqlite", {})


@contextmanager
def through_wires(service: Service) -> Iterator[tuple[Service, Wires]]:
    """A broker behind a proxy."""
    url = urlsplit(service.environment.get("AWS_ENDPOINT_URL") or service.settings["broker_url"])
    with running_wires(str(url.hostname), url.port or 0) as wires:

        def moved(given: dict[str, str]) -> dict[str, str]:
            return {k: v.replace(f"{url.hostname}:{url.port}", f"127.0.0.1:{wires.port}") for k, v in given.items()}

        yield replace(service, settings=moved(service.settings), environment=moved(service.environment)), wires


def _emptied(wipe: Callable[[], object]) -> dict[str, str]:
    wipe()
    return {}


def _new_database(server: postgres.Server) -> str:
    name = f"fleet_{secrets.token_hex(4)}"
    server.execute(f"CREATE DATABASE {name}")
    return server.url.replace("/postgres?", f"/{name}?")


def _in_turn(*steps: Callable[[], object]) -> None:
    for step in steps:
        step()


def _purge(server: rabbitmq.OwnServer, queue: str) -> None:
    # A queue that no worker has declared yet cannot be purged, and holds nothing.
    with suppress(subprocess.CalledProcessError):
        server.control("purge_queue", queue)


def _purge_sqs(client: Any) -> None:
    for url in client.list_queues().get("QueueUrls", []):
        # A queue may be purged once a minute.
        with suppress(client.exceptions.PurgeQueueInProgress):
            client.purge_queue(QueueUrl=url)


class Fleet:
    """Some `workers start` commands of one deployment, killed and replaced at will."""

    def __init__(self, command: Command, *, broker: Service, database: Service) -> None:
        settings = broker.settings | broker.fresh() | database.settings | database.fresh()
        self.command = command.with_settings(**settings).with_environment(**broker.environment, **database.environment)
        self.disturbances = broker.disturbances | database.disturbances
        if broker.name == "embedded":
            self.disturbances["remove the queue's file"] = self._remove_queue
        self._arguments: tuple[str, ...] = ()
        self._running: list[Process] = []
        self._frozen: list[int] = []
        url = settings.get("database_url") or f"sqlite:///{self.command.home / 'tracking.db'}"
        self._database = Database(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.thaw()
        for process in self._running:
            kill_group(process)
        self._database.close()

    def start(self, count: int = 1, *, arguments: tuple[str, ...] | None = None) -> None:
        """Start commands; none of them waits for its workers.

        Those that take the place of others later have the same arguments.
        """
        self._arguments = self._arguments if arguments is None else arguments
        self._running += [self._begin("workers", "start", *self._arguments) for _ in range(count)]

    def _begin(self, *arguments: str) -> Process:
        return self.command.start(*arguments)

    def revive(self) -> None:
        """Start a command for each that has ended."""
        for process in [found for found in self._running if found.poll() is not None]:
            self._running.remove(process)
            self.start()

    def deploy(self) -> list[tuple[int, float]]:
        """New commands, then SIGTERM to all old ones at once; returns their exit statuses and seconds to the end."""
        self._wait_until_up()
        old, self._running = self._running, []
        self.start(len(old))
        began = time.monotonic()
        for process in old:
            process.send_signal(signal.SIGTERM)
        return [(process.wait(STOP_SECONDS), time.monotonic() - began) for process in old]

    def stop(self) -> list[int]:
        """SIGTERM to every command; returns their exit statuses."""
        self.thaw()
        self._wait_until_up()
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        statuses = [process.wait(STOP_SECONDS) for process in self._running]
        self._running.clear()
        return statuses

    def _wait_until_up(self) -> None:
        """Who has not yet said that it is there does not act upon signals yet."""

        def is_up() -> bool:
            known = {row.pid for row in self.rows("SELECT pid FROM supervisor")}
            return all(process.pid in known or process.poll() is not None for process in self._running)

        wait_until(is_up, "every command has begun", seconds=STOP_SECONDS)

    @property
    def commands(self) -> list[Process]:
        """The commands that were started and not stopped, the oldest first."""
        return list(self._running)

    @property
    def is_sqlite(self) -> bool:
        """Whether the tracking database is a file in the home folder."""
        return self._database.is_sqlite

    def sessions(self) -> int:
        """Sessions with the database server; 0 for a file."""
        of_clients = "backend_type = 'client backend' AND datname = current_database()"
        return 0 if self.is_sqlite else self.number(f"SELECT count(*) FROM pg_stat_activity WHERE {of_clients}")

    def rows(self, query: str) -> list[Any]:
        """What the tracking database says; nothing while it is away."""
        try:
            with self._database.read() as connection:
                return list(connection.execute(text(query)).all())
        except EmbedmillError:
            return []

    def number(self, query: str) -> int:
        """The first number of a query; -1 while the database is away."""
        rows = self.rows(query)
        return int(rows[0][0] or 0) if rows else -1

    def is_finished(self, job: int) -> bool:
        """Whether a job has ended."""
        return self.number(f"SELECT count(*) FROM job WHERE id = {job} AND finished_at IS NOT NULL") == 1

    def wait_for(self, job: int, *, seconds: float) -> None:
        """Until a job has ended."""
        wait_until(lambda: self.is_finished(job), f"job {job} is finished", seconds=seconds, every=0.1)

    def kill_a_worker(self, chance: random.Random) -> bool:
        """kill -9 of one worker process; its command replaces it. Returns whether there was one."""
        pids = self._worker_pids()
        return bool(pids) and _signal(chance.choice(pids), signal.SIGKILL)

    def kill_pid(self, pid: int) -> bool:
        """kill -9 of a worker process, if it is one of ours."""
        return self._is_ours(pid) and _signal(pid, signal.SIGKILL)

    def kill_a_worker_of(self, command: Process, chance: random.Random) -> bool:
        """kill -9 of a worker of one of the commands."""
        pids = [pid for pid in self._worker_pids() if _command(pid) == command.pid]
        return bool(pids) and _signal(chance.choice(pids), signal.SIGKILL)

    def kill_a_command_of(self, pid: int) -> bool:
        """kill -9 of the command of a worker with everything it started, and another in its place."""
        for process in [found for found in self._running if found.pid == _command(pid)]:
            self._running.remove(process)
            kill_group(process)
            self.start()
            return True
        return False

    def kill_a_command(self, chance: random.Random) -> bool:
        """kill -9 of a command with everything it started, and another in its place."""
        if not self._running:
            return False
        process = self._running.pop(chance.randrange(len(self._running)))
        kill_group(process)
        self.start()
        return True

    def freeze_a_worker(self, chance: random.Random) -> bool:
        """SIGSTOP, until `thaw`: a zombie that wakes after its lease."""
        pids = [pid for pid in self._worker_pids() if pid not in self._frozen]
        if not pids or self._frozen:
            return False
        pid = chance.choice(pids)
        if not _signal(pid, signal.SIGSTOP):
            return False
        self._frozen.append(pid)
        return True

    def kill_frozen(self) -> None:
        """kill -9 to whatever was frozen."""
        while self._frozen:
            _signal(self._frozen.pop(), signal.SIGKILL)

    def thaw(self) -> None:
        """SIGCONT to whatever was frozen."""
        while self._frozen:
            _signal(self._frozen.pop(), signal.SIGCONT)

    def _worker_pids(self) -> list[int]:
        rows = self.rows("SELECT pid FROM worker WHERE stopped_at IS NULL")
        return [row.pid for row in rows if self._is_ours(row.pid)]

    def _is_ours(self, pid: int) -> bool:
        """Whether a pid is a worker of this fleet now, and not that of somebody who came after."""
        return _command(pid) in [process.pid for process in self._running]

    def _remove_queue(self) -> None:
        for name in ("queue.db", "queue.db-wal", "queue.db-shm"):
            (self.command.home / name).unlink(missing_ok=True)


class LaunchedFleet(Fleet):
    """Each command is a new interpreter, as a user's is; what all of them say goes to a file, which never fills up."""

    @property
    def log(self) -> Path:
        """That file."""
        return self.command.folder / "workers.log"

    def _begin(self, *arguments: str) -> Process:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [EMBEDMILL, *arguments],
                env=self.command.environment,
                cwd=self.command.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )


def _command(pid: int) -> int | None:
    """The command that a worker belongs to, which is the head of their session; its parent may be a fork server."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
