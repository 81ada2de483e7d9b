"""What the processes of one test run share: a folder, and things in it that the first who needs them makes."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

FOLDER = "TEST_RUN_FOLDER"
GOES_ON = "goes-on"
"""A pipe in the folder: whoever reads it is told of the end of the run, however that comes."""


def begin() -> None:
    """At the start of a run, before it has more processes than one."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="embedmill-tests-")
    os.mkfifo(folder() / GOES_ON)
    # Its only writer; a pipe that is opened for both waits for nobody.
    os.open(folder() / GOES_ON, os.O_RDWR)


def end() -> None:
    """After all of them have ended; the pipe is closed by the end of this process."""
    shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)


def folder() -> Path:
    """The folder."""
    return Path(os.environ[FOLDER])


def once(name: str, make: Callable[[Path], object]) -> Path:
    """The path of what `make` makes at the path that it is given; only one process of the run calls it."""
    path = folder() / name
    with path.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            # Whatever is there is whole.
            make(started := path.with_name(f"{name}.part"))
            started.rename(path)
    return path
