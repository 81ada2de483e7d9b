"""The command in a process of its own, forked from one that has loaded the code: a fraction of what a start costs.

It is the command's own code from `main` to its exit status, in a session, a folder and an environment of its own. What
depends on how an interpreter starts is tested with started ones.
"""

import atexit
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.preloaded"])


def fork(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, streams: tuple[Path, Path, Path]
) -> BaseProcess:
    """Start a command; `streams` are the files of its stdin, stdout and stderr."""
    process = context.Process(target=_run, args=(list(arguments), dict(environment), folder, streams))
    process.start()
    return process


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
    from console.cli import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()
