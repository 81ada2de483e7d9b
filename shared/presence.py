"""Proof of life on one host: a locked file per process, which the kernel unlocks however the process ends.

Only a shortcut: leases expire by themselves. But a lock that can be taken proves that its owner is gone, so work is
recovered at once instead of after a lease.
"""

import fcntl
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from embedmill.shared.addresses import digest

THREAD_MARK = "/"
RUN = "run"
"""The folder of the home where live processes keep their locks."""


def thread_name(process_id: str, number: int) -> str:
    """The name of a thread that holds things of its own within a process."""
    return f"{process_id}{THREAD_MARK}{number}"


class Presence:
    """This process's own lock file; `id` names the process in leases and in the tracking database."""

    def __init__(self, folder: Path) -> None:
        self.id = f"{_place(folder)}-{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = folder
        self._file: int | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        while self._file is None:
            file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            # A sweep may have removed the file between the opening and the locking of it.
            if self._path.exists() and os.path.samestat(os.fstat(file), self._path.stat()):
                self._file = file
            else:
                os.close(file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.id}.lock"


def _place(folder: Path) -> str:
    """Host and home: only processes of the same home on the same host can see each other's locks.

    A folder says which it is, because a path does not: containers of one pod or on their host's network, and machines
    that were never given a name, have the same host name and the same path, and each would think the others dead.
    """
    return f"{socket.gethostname()}-{digest(str(folder), _token_of(folder), length=8)}"


def _token_of(folder: Path) -> str:
    path = folder / "place"
    with suppress(FileNotFoundError):
        # Without a lock: a process that was stopped while it had one would stop everybody.
        if token := path.read_text():
            return token
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        token = file.read()
        if not token:
            token = secrets.token_hex(8)
            file.write(token)
    return token


def is_gone(folder: Path, process_id: str) -> bool | None:
    """True when the process is certainly dead, False when it lives, None when this home cannot know.

    A name that was made by `thread_name` is asked about its process.
    """
    process_id = process_id.partition(THREAD_MARK)[0]
    if not process_id.startswith(f"{_place(folder)}-"):
        return None
    try:
        file = os.open(folder / f"{process_id}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def sweep(folder: Path) -> int:
    """Remove what dead processes left and return how many processes are alive, this one included."""
    alive = 0
    for path in folder.glob("*.lock"):
        if is_gone(folder, path.stem):
            path.unlink(missing_ok=True)
        else:
            alive += 1
    return alive
