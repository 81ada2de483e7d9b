"""A RabbitMQ for tests: that of TEST_AMQP_URL, else a node of our own from /usr/lib/rabbitmq (about 13 s to start)."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import amqp

from tests.services.needed import free_port
from tests.waiting import wait_until

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
START_SECONDS = 90.0


def why_not() -> str | None:
    """Why no RabbitMQ can be had here, or None when one can."""
    if os.environ.get("TEST_AMQP_URL") or (PROGRAMS / "rabbitmq-server").exists():
        return None
    return f"set TEST_AMQP_URL, or install RabbitMQ so that {PROGRAMS} is there"


class Server:
    """A broker by its URL; one of our own can be stopped and started, and loses its connections, on request."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def can_die(self) -> bool:
        """Whether `control` works."""
        return False

    def connect(self) -> amqp.Connection:
        """A new connection, for use as a context."""
        return amqp.Connection(self.url.split("@")[1].split("/")[0], **_login(self.url))

    def wipe(self) -> None:
        """Delete the queues that Embedmill makes."""
        with self.connect() as connection:
            for stage in ("chunk", "validate", "embed", "index"):
                for name in (f"embedmill-{stage}", f"embedmill-{stage}.dead"):
                    connection.channel().queue_delete(name)


class OwnServer(Server):
    """A node with its own name, ports and folder; everything listens on the loopback."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        super().__init__(f"amqp://guest:guest@127.0.0.1:{port}//")
        self._port = port
        self._names_port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = {**os.environ, **_environment(folder, port), "ERL_EPMD_PORT": str(self._names_port)}
        self._log = folder / "out"

    @property
    def can_die(self) -> bool:
        return True

    def start(self) -> None:
        """Start, and wait until a login succeeds."""
        # Erlang's server of names: a node that finds none starts one for the whole machine, which outlives it.
        self._run("epmd", "-port", str(self._names_port))
        wait_until(self._finds_names, "epmd answers", seconds=START_SECONDS)
        self._run(str(PROGRAMS / "rabbitmq-server"))
        wait_until(self._answers, "RabbitMQ answers", seconds=START_SECONDS, every=0.2)

    def control(self, *arguments: str) -> None:
        """rabbitmqctl: `stop_app`, `start_app`, `close_all_connections reason`."""
        subprocess.run(
            [PROGRAMS / "rabbitmqctl", "-n", self._environment["RABBITMQ_NODENAME"], *arguments],
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=START_SECONDS,
        )

    def wait_until_it_answers(self) -> None:
        """After `start_app`."""
        wait_until(self._answers, "RabbitMQ answers", seconds=START_SECONDS, every=0.1)

    def end(self) -> None:
        """kill -9 of the node with what its start script left, and of its server of names."""
        while self._processes:
            process = self._processes.pop()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)

    def _run(self, *command: str) -> None:
        """Start a program at the head of a process group of its own."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)

    def _finds_names(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._names_port), timeout=3):
            return True
        return False

    def _answers(self) -> bool:
        with (
            suppress(OSError, amqp.AMQPError),
            amqp.Connection(f"127.0.0.1:{self._port}", connect_timeout=3, read_timeout=3),
        ):
            return True
        return False


@contextmanager
def running_server() -> Iterator[Server]:
    """A broker that answers; our own is killed at the end."""
    given = os.environ.get("TEST_AMQP_URL")
    if given:
        yield Server(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="embedmill-rabbitmq-"))
    server = OwnServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, port: int) -> dict[str, str]:
    paths = {
        "MNESIA_BASE": "mnesia",
        "LOG_BASE": "log",
        "ENABLED_PLUGINS_FILE": "enabled_plugins",
        "PID_FILE": "pid",
        "CONFIG_FILE": "none",
        "CONF_ENV_FILE": "none-env.conf",
        "GENERATED_CONFIG_DIR": "generated",
    }
    return {f"RABBITMQ_{name}": str(folder / path) for name, path in paths.items()} | {
        "RABBITMQ_NODENAME": f"embedmill{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        # One scheduler: a test's node shares two cores with everything else. Nodes talk on the loopback only.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "HOME": str(folder),
    }


def _login(url: str) -> dict[str, str]:
    user, _, password = url.split("://", 1)[1].split("@", maxsplit=1)[0].partition(":")
    return {"userid": user, "password": password}
