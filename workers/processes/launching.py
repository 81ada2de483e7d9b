"""Starts worker processes: as forks of one that has loaded their code, where there is one, or as new interpreters."""

import ctypes
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
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Protocol

from embedmill.shared.logs import get_logger
from embedmill.shared.starting import keep_little_free, note_started, unheard
from embedmill.workers.processes.forkserver import ORDER_BYTES, UNHEARD, fork, reap, serve

log = get_logger()

# What commands and their workers both load: loaded before the fork, it is loaded once. The rest is the server's.
COMMON = ("embedmill.shared.runtime", "embedmill.shared.privacy.vault", "embedmill.workers.processes.supervisor")
# How long the fork server may take to load everything, on the slowest machine.
PATIENCE_SECONDS = 120.0
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37


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

    To be entered before anything is opened: what is open here is open there. A block within another has that one's.
    """
    if (made := _server.get()) is not None:
        yield made
        return
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
    """The fork server as its command has it; not for use from two threads.

    One that was retired has left its workers to the command, and is made anew, as an interpreter, when it is wanted.
    """

    def __init__(self) -> None:
        # Those of the server that is up, and the statuses of those that it told of.
        self._watched: set[int] = set()
        self._ended: dict[int, int] = {}
        self._is_retired = False
        # When one that is made anew has to have loaded everything; None for one that has.
        self._is_due: float | None = None
        parent = os.getpid()
        self._channel, other = _channel()
        # What both have stays, and is shared as long as neither touches it: a collection would.
        gc.freeze()
        self.pid = fork(lambda: serve(other, parent=parent))
        self._process = os.pidfd_open(self.pid)
        note_started()
        other.close()
        self.is_up = True

    def fork(self, arguments: Sequence[str]) -> "Fork":
        """A new worker; raises NotForked."""
        try:
            self._channel.send(json.dumps(arguments).encode())
            while True:
                told, descriptors = self._receive()
                if descriptors:
                    self._watched.add(told["pid"])
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
        self._read_reports()
        return self._ended.pop(pid, None)

    def watches(self, pid: int) -> bool:
        """Whether it will tell of this worker's end."""
        return pid in self._watched

    def await_report(self) -> None:
        """Wait until there is one to read."""
        _is_ready(self._channel.fileno())

    def retire(self) -> None:
        """End it for as long as nobody wants another worker; those that there are become children of this process."""
        if self.is_up:
            with _inheriting():
                self.close()
            self._is_retired = True

    def is_coming(self) -> bool:
        """Whether it is worth waiting for, as it loads what workers need; one that was retired begins with that now."""
        if self._is_retired:
            self._is_retired = False
            self._begin_anew()
        self._read_reports()
        if self.is_up and self._is_due is not None and time.monotonic() > self._is_due:
            self.close()
        return self.is_up and self._is_due is not None

    def dismiss(self) -> None:
        """Have it end, as nobody wants a worker any more; `close` waits for that."""
        if self.is_up:
            # Where SIGCHLD is ignored, its pid may be somebody else's by now.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def close(self) -> None:
        """End it; unless this process inherits them, its workers finish what they hold."""
        if self.is_up:
            self.dismiss()
            self.is_up = False
            self._watched.clear()
            _is_ready(self._process)
            os.close(self._process)
            reap(self.pid)
            # What it said last is still to be read.
            with suppress(OSError), self._channel as channel:
                while said := channel.recv(ORDER_BYTES):
                    self._note(json.loads(said))

    def _begin_anew(self) -> None:
        self._channel, other = _channel()
        with other:
            self.pid = _start_interpreter(other)
        self._process = os.pidfd_open(self.pid)
        self._is_due = time.monotonic() + PATIENCE_SECONDS
        self.is_up = True

    def _read_reports(self) -> None:
        with suppress(OSError, NotForked):
            while self.is_up and _is_ready(self._channel.fileno(), within_seconds=0):
                self._receive()

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        said, descriptors, _, _ = socket.recv_fds(self._channel, ORDER_BYTES, 2)
        if not said:
            self.close()
            raise NotForked("the fork server has ended")
        told = json.loads(said)
        self._note(told)
        return told, descriptors

    def _note(self, told: Mapping[str, Any]) -> None:
        if "loaded" in told:
            self._is_due = None
        if "status" in told:
            self._ended[told["pid"]] = told["status"]
            self._watched.discard(told["pid"])


def _channel() -> tuple[socket.socket, socket.socket]:
    """The two ends of what a command and its fork server talk over."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own.settimeout(PATIENCE_SECONDS)
    return own, other


def _start_interpreter(channel: socket.socket) -> int:
    """The process id of a fork server that is started from nothing; signals of the terminal are not its own."""
    command = [sys.executable, "-P", "-m", "embedmill.workers.processes.renewed", str(os.getpid())]
    streams = [
        (os.POSIX_SPAWN_DUP2, channel.fileno(), 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    with unheard(*UNHEARD):
        return os.posix_spawn(sys.executable, command, os.environ, file_actions=streams)


@contextmanager
def _inheriting() -> Iterator[None]:
    """Processes below this one that lose their parents within become its children."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int()
    libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, before.value)


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
            if (
                self._status is None
                and not self._server.watches(self.pid)
                and _is_ready(self._process, within_seconds=0)
            ):
                # It has outlived its fork server: whoever retired that has it, and so has process 1.
                self._status = reap(self.pid)
        return self._status

    def wait(self) -> int:
        _is_ready(self._process)
        while (status := self.poll()) is None:
            if self._server.watches(self.pid):
                self._server.await_report()
        return status

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, number)

    def read_name(self) -> str:
        os.close(self._process)
        with self._stdout as stream:
            return stream.readline().decode().strip()


def _is_ready(descriptor: int, *, within_seconds: float | None = None) -> bool:
    """Whether there is something to read, or a process has ended; without a time it is waited for."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(None if within_seconds is None else 1000 * within_seconds))
