"""The command in a process of its own, forked from one that has loaded the code: a fraction of what a start costs.

It is the command's own code from `main` to its exit status, in a session, a folder and an environment of its own. What
depends on how an interpreter starts is tested with started ones.
"""

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.preloaded", __name__])


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
    """A command that was started; `streams` are the files of its stdin, stdout and stderr."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, streams: tuple[Path, Path, Path]
    ) -> None:
        self._process = context.Process(target=_run, args=(list(arguments), dict(environment), folder, streams))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id, and that of its process group."""
        assert self._process.pid is not None
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """The status it ended with, as of a subprocess; None if it runs for longer."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill_group(self) -> None:
        """kill -9 of it with everything it started."""
        if self._process.exitcode is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.join()


def _run(arguments: list[str], environment: dict[str, str], folder: Path, streams: tuple[Path, Path, Path]) -> None:
    os.setsid()
    for number, path in enumerate(streams):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["embedmill", *arguments]
    from embedmill.console.__main__ import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()
