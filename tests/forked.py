"""The command in a process of its own, forked from one that has loaded the code: a fraction of what a start costs.

It is the command's own code from `main` to its exit status, in a session, a folder and an environment of its own. What
depends on how an interpreter starts is tested with started ones.
"""

import atexit
import importlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests import together

# A variable of commands that load their sitecustomize after all else.
WHEN_LOADED = "ALTERED_WHEN_LOADED"

PRELOADED = ["tests.preloaded", __name__]

context = multiprocessing.get_context("forkserver")


class SharedForkServer(forkserver.ForkServer):
    """One for all processes of a run: loading takes seconds. Who needs it first starts it, and it ends with the run."""

    _forkserver_address: str | None
    _forkserver_alive_fd: int | None

    def ensure_running(self) -> None:
        """Know where it listens."""
        if self._forkserver_alive_fd is None:
            resource_tracker.ensure_running()
            self._forkserver_address = str(together.once("forkserver", _serve))
            self._forkserver_alive_fd = os.open(together.folder() / together.GOES_ON, os.O_WRONLY)


def _serve(address: Path) -> None:
    """Start it; who connects before it has loaded waits."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        end = os.open(together.folder() / together.GOES_ON, os.O_RDONLY)
        serve = f"from multiprocessing.forkserver import main; main({listener.fileno()}, {end}, {PRELOADED})"
        program = os.fsencode(sys.executable)
        util.spawnv_passfds(program, [program, b"-c", serve.encode()], [listener.fileno(), end])
        os.close(end)


# The one that the context asks; the processes that it forks have this too.
forkserver._forkserver.__class__ = SharedForkServer


def start(function: Callable[..., object], *arguments: Any) -> BaseProcess:
    """A function of a module, in a process that ends with 0 unless it raises."""
    process = context.Process(target=function, args=arguments)
    process.start()
    return process


def run_at_once(function: Callable[..., object], each: Iterable[Sequence[Any]], *, seconds: float = 120.0) -> None:
    """The function in a process for each of these arguments, all at the same time; each must end well."""
    processes = [start(function, *arguments) for arguments in each]
    for process in processes:
        process.join(seconds)
    assert [process.exitcode for process in processes] == [0] * len(processes)


class Forked:
    """A command that was started, with the methods of a subprocess; its streams are files."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, stdin: str) -> None:
        self._streams = streams = Path(tempfile.mkdtemp(prefix="streams-", dir=together.folder()))
        for name, written in (("0", stdin), ("1", ""), ("2", "")):
            (streams / name).write_text(written)
        reader, writer = context.Pipe(duplex=False)
        with reader, writer:
            self._process = start(_run, writer, list(arguments), dict(environment), folder, streams)
            # From then on it is the head of its process group.
            reader.recv()

    @property
    def pid(self) -> int:
        """Its process id, and that of its process group."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The status it ended with."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same; less than 0 for a signal."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("embedmill", timeout or 0.0)
        return self._process.exitcode

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote, when it has ended."""
        self.wait(timeout)
        return (self._streams / "1").read_text(), (self._streams / "2").read_text()

    def send_signal(self, number: int, /) -> None:
        """Signal it; nothing happens to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _run(begun: Connection, arguments: list[str], environment: dict[str, str], folder: Path, streams: Path) -> None:
    os.setsid()
    for number in range(3):
        descriptor = os.open(streams / str(number), os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(descriptor, number)
        os.close(descriptor)
    begun.send(None)
    begun.close()
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["embedmill", *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    if WHEN_LOADED in environment:
        _alter(environment["PYTHONPATH"])
    from embedmill.console.__main__ import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()


def _alter(path: str) -> None:
    """What an interpreter does at its start: find the sitecustomize, and run it."""
    sys.path[:0] = path.split(os.pathsep)
    sys.modules.pop("sitecustomize", None)
    importlib.import_module("sitecustomize")
