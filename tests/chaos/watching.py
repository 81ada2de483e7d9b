"""Looks into a home folder from outside, as it is at this moment, to strike at the right one."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.command import Process

POLL_SECONDS = 0.002


class Watch:
    """Read-only views of a home folder's databases; what is not there yet counts as nothing."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._connections: dict[Path, sqlite3.Connection] = {}

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def rows(self, query: str, *, file: str = "tracking.db") -> list[Any]:
        """The rows of a query; none while the file or its tables are missing or locked."""
        path = self._home / file
        try:
            if path not in self._connections:
                if not path.exists():
                    return []
                self._connections[path] = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
            return self._connections[path].execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    def count(self, query: str, *, file: str = "tracking.db") -> int:
        """The first number of a query."""
        rows = self.rows(query, file=file)
        return int(rows[0][0] or 0) if rows else 0

    def work(self, condition: str = "true") -> int:
        """Work rows that meet a condition."""
        return self.count(f"SELECT count(*) FROM work WHERE {condition}")

    @property
    def cached(self) -> int:
        """Texts that the cache knows."""
        return self.count("SELECT count(*) FROM held", file="cache.db")

    @property
    def stored(self) -> int:
        """Vectors in all shards."""
        return sum(self.count("SELECT count(*) FROM vectors", file=str(f)) for f in self._shards())

    @property
    def visible(self) -> int:
        """Documents that readers see."""
        return self.count("SELECT count(*) FROM document WHERE active_version IS NOT NULL")

    @property
    def messages(self) -> int:
        """Messages that nobody has taken."""
        return self.count("SELECT count(*) FROM message", file="queue.db")

    def is_writable(self) -> bool:
        """Whether nobody holds a write lock on any database of the home folder."""
        files = [self._home / "tracking.db", self._home / "cache.db", *(self._home / f for f in self._shards())]
        return all(_can_lock(path) for path in files if path.exists())

    def holder(self) -> int | None:
        """The pid of a worker that holds a lease now."""
        rows = self.rows(
            "SELECT worker.pid FROM work JOIN worker ON worker.id = work.worker WHERE work.state = 'running' LIMIT 1"
        )
        return int(rows[0][0]) if rows else None

    def held_by(self, pid: int) -> list[int]:
        """Work that a worker holds now."""
        query = (
            "SELECT work.id FROM work JOIN worker ON worker.id = work.worker "
            f"WHERE work.state = 'running' AND worker.pid = {pid}"
        )
        return [int(row[0]) for row in self.rows(query)]

    def _shards(self) -> list[Path]:
        return [path.relative_to(self._home) for path in self._home.glob("vectors/*/*.db")]


def seen(process: Process, moment: Callable[[], object], *, seconds: float = 60.0) -> bool:
    """Whether `moment` came before the process ended."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if moment():
            return True
        assert time.monotonic() < deadline, f"the moment did not come within {seconds:g} s"
        time.sleep(POLL_SECONDS)
    return False


def stop_a_holder(process: Process, watch: Watch) -> tuple[int, list[int]]:
    """SIGSTOP a worker in the middle of a batch, outside every transaction; returns its pid and what it holds."""
    while seen(process, lambda: watch.holder() is not None):
        pid = watch.holder()
        if pid is None or not _signal(pid, signal.SIGSTOP):
            continue
        held = watch.held_by(pid) if watch.is_writable() else []
        if held:
            return pid, held
        _signal(pid, signal.SIGCONT)
    raise AssertionError("no worker was ever caught with a lease")


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _can_lock(path: Path) -> bool:
    connection = sqlite3.connect(path, timeout=0.2, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True
