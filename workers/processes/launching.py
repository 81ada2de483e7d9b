"""Starts worker processes: as forks of one that has loaded their code, where there is one, or as new interpreters."""

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Protocol

from embedmill.shared.logs import get_logger
from embedmill.shared.starting import keep_little_free, note_started, unheard
from embedmill.workers.processes.forkserver import ORDER_BYTES, fork, serve

log = get_logger()

# What commands and their workers both load: loaded before the fork, it is loaded once. The rest is the server's.
COMMON = ("embedmill.shared.runtime", "embedmill.shared.privacy.vault", "embedmill.workers.processes.supervisor")
# How long the fork server may take to load everything, on the slowest machine.
PATIENCE_SECONDS = 120.0
# What a worker's end is taken for when the fork server, which alone can know its status, is gone.
UNKNOWN_STATUS = -int(signal.SIGKILL)


class NotForked(Exception):
    """The fork server has ended, does not answer, or could not fork."""


class WorkerProcess(Protocol):
    """A worker process as its supervisor has it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """The status it ended with, less than 0 for a signal; None while it lives."""

    def wait(self) -> int:
        """The status, when it has ended."""

    def send_signal(self, number: int) -> None:
        """Signal it; one that has ended is left alone."""

    def read_name(self) -> str:
        """The name that one that has ended had said, or nothing; to be called once, at last."""


def launch(
    arguments: Sequence[str], *, forks: "ForkServer | None", settings: Mapping[str, str] | None = None
) -> WorkerProcess:
    """Start a worker process; the signals of the terminal are its supervisor's to act upon.

    `settings` are variables of its environment that are not in ours; a fork has ours.
    """
    if forks is not None and forks.is_up and not settings:
        try:
            return forks.fork(arguments)
        except NotForked as error:
            log.warning("worker.not_forked", error=str(error))
    return Interpreter(arguments, settings or {})


class Interpreter:
    """A worker that is an interpreter of its own, started from nothing."""

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        # -P: a package named like one of ours in the user's current folder is not ours.
        command = [sys.executable, "-P", "-m", "embedmill.workers.processes.entry", *arguments]
        command += ["--parent", str(os.getpid())]
        with unheard(signal.SIGINT):
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={**os.environ, **settings}
            )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self) -> int:
        return self._process.wait()

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def read_name(self) -> str:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            return stream.readline().decode().strip()


_server: ContextVar["ForkServer | None"] = ContextVar("fork server", default=None)


def fork_server() -> "ForkServer | None":
    """That of the block of `forking` that we are in; None in another thread, and outside of any."""
    return _server.get()


@contextmanager
def forking() -> Iterator["ForkServer | None"]:
    """A fork server for the length of the block; None where a fork of this process could not be trusted.

    To be entered before anything is opened: what is open here is open there.
    """
    server = None
    if _may_fork():
        keep_little_free()
        for module in COMMON:
            importlib.import_module(module)
        server = ForkServer()
    before = _server.set(server)
    try:
        yield server
    finally:
        _server.reset(before)
        if server is not None:
            server.close()


def _may_fork() -> bool:
    """Not beside threads, whose locks would stay locked in the child; nor where a process cannot be held on to."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


class ForkServer:
    """The fork server as its command has it; not for use from two threads."""

    def __init__(self) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(PATIENCE_SECONDS)
        self._ended: dict[int, int] = {}
        self.is_up = True
        parent = os.getpid()
        # What both have stays, and is shared as long as neither touches it: a collection would.
        gc.freeze()
        self.pid = fork(lambda: serve(other, parent=parent))
        note_started()
        other.close()

    def fork(self, arguments: Sequence[str]) -> "Fork":
        """A new worker; raises NotForked."""
        try:
            self._channel.send(json.dumps(arguments).encode())
            while True:
                told, descriptors = self._receive()
                if descriptors:
                    return Fork(self, told["pid"], *descriptors)
                if "failed" in told:
                    break
        except BaseException as error:
            # Also after a Ctrl-C: an answer that nobody read must not become that to the next order.
            self.close()
            if isinstance(error, OSError):
                raise NotForked(f"the fork server does not answer: {error}") from None
            raise
        raise NotForked(told["failed"])

    def find_status(self, pid: int) -> int | None:
        """The status of a worker that has ended, as soon as it is told."""
        with suppress(OSError, NotForked):
            while self.is_up and _is_ready(self._channel.fileno(), within_seconds=0):
                self._receive()
        return self._ended.pop(pid, None)

    def await_report(self) -> None:
        """Wait until there is one to read."""
        if self.is_up:
            _is_ready(self._channel.fileno())

    def close(self) -> None:
        """End it; its workers finish what they hold."""
        if self.is_up:
            self.is_up = False
            self._channel.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        told, descriptors, _, _ = socket.recv_fds(self._channel, ORDER_BYTES, 2)
        if not told:
            self.close()
            raise NotForked("the fork server has ended")
        message = json.loads(told)
        if "status" in message:
            self._ended[message["pid"]] = message["status"]
        return message, descriptors


class Fork:
    """A worker that the fork server made. Signals go through a descriptor: a pid may be somebody else's by now."""

    def __init__(self, server: ForkServer, pid: int, process: int, stdout: int) -> None:
        self.pid = pid
        self._server = server
        self._process = process
        self._stdout = os.fdopen(stdout, "rb")
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._server.find_status(self.pid)
            if self._status is None and not self._server.is_up and _is_ready(self._process, within_seconds=0):
                self._status = _reap_orphan(self.pid)
        return self._status

    def wait(self) -> int:
        _is_ready(self._process)
        while (status := self.poll()) is None:
            self._server.await_report()
        return status

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, number)

    def read_name(self) -> str:
        os.close(self._process)
        with self._stdout as stream:
            return stream.readline().decode().strip()


def _reap_orphan(pid: int) -> int:
    """The status of a worker that has outlived its fork server: process 1 of a container has inherited it."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return UNKNOWN_STATUS
    return os.waitstatus_to_exitcode(status)


def _is_ready(descriptor: int, *, within_seconds: float | None = None) -> bool:
    """Whether there is something to read, or a process has ended; without a time it is waited for."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(None if within_seconds is None else 1000 * within_seconds))
