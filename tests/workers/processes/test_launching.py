"""The fork server: what it forks are workers like any other, and it shares nothing with its command but its code."""

import ctypes
import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from embedmill.shared.db import presence
from embedmill.shared.presence import Presence
from embedmill.shared.settings import Settings
from embedmill.workers.processes.forkserver import UNKNOWN_STATUS, fork
from embedmill.workers.processes.launching import (
    ForkServer,
    NotForked,
    WorkerProcess,
    fork_server,
    forking,
    launch,
)
from embedmill.workers.runtime import WorkerRuntime
from tests import forked
from tests.command import Command
from tests.corpus import write_corpus
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until

PR_SET_CHILD_SUBREAPER = 36


# Named first by every test: it is forked before the test has a database open, as in a command.
@pytest.fixture
def forks(settings: Settings) -> Iterator[ForkServer]:
    with closing(ForkServer()) as server:
        yield server


def is_there(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def parent_of(pid: int) -> int:
    return int(psutil.Process(pid).ppid())


def registered(runtime: WorkerRuntime) -> set[int]:
    return {row["pid"] for row in runtime.database.query(presence.list_workers)}


def end_of(worker: WorkerProcess) -> tuple[int, str]:
    return worker.wait(), worker.read_name()


def locks(runtime: WorkerRuntime) -> int:
    return len(list(runtime.run_folder.glob("*.lock")))


def test_a_fork_is_a_worker_with_a_lock_of_its_own_and_ends_in_good_order(
    forks: ForkServer, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    first, second = forks.fork([]), forks.fork([])
    wait_until(lambda: registered(runtime) == {first.pid, second.pid}, "both are up")
    second.send_signal(signal.SIGTERM)
    first.send_signal(signal.SIGKILL)
    for worker, expected in ((first, -signal.SIGKILL), (second, 0)):
        status, name = end_of(worker)
        assert (status, name.split("-")[-2]) == (expected, str(worker.pid))


def test_a_worker_that_was_killed_leaves_the_fork_server_whole(
    forks: ForkServer, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    for number in (signal.SIGSEGV, signal.SIGKILL):
        worker = forks.fork([])
        worker.send_signal(number)
        assert end_of(worker)[0] == -number
    assert forks.is_up


def test_without_its_fork_server_a_worker_finishes_and_the_next_is_an_interpreter(
    forks: ForkServer, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    before = locks(runtime)
    worker = forks.fork([])
    wait_until(lambda: registered(runtime) == {worker.pid}, "it is up")
    os.kill(forks.pid, signal.SIGKILL)
    assert end_of(worker)[0] == UNKNOWN_STATUS
    assert locks(runtime) == before, "it ended in good order"
    with pytest.raises(NotForked):
        forks.fork([])
    other = launch([], forks=forks)
    other.send_signal(signal.SIGKILL)
    assert end_of(other)[0] == -signal.SIGKILL


def test_process_1_has_the_workers_of_a_fork_server_that_died(
    forks: ForkServer, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        worker = forks.fork([])
        wait_until(lambda: registered(runtime) == {worker.pid}, "it is up")
        os.kill(forks.pid, signal.SIGKILL)
        wait_until(lambda: parent_of(worker.pid) == os.getpid(), "it is ours")
        worker.send_signal(signal.SIGTERM)
        assert end_of(worker)[0] == 0
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
    assert not is_there(worker.pid)


def test_a_fork_server_that_is_retired_leaves_its_workers_to_its_command_and_is_made_anew(
    forks: ForkServer, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    killed, told, spent = (forks.fork([]) for _ in range(3))
    spent.send_signal(signal.SIGKILL)
    before = forks.pid
    forks.retire()
    assert not is_there(before)
    assert end_of(spent)[0] == -signal.SIGKILL
    wait_until(lambda: registered(runtime) == {killed.pid, told.pid}, "the others are up")
    killed.send_signal(signal.SIGKILL)
    assert end_of(killed)[0] == -signal.SIGKILL
    wait_until(lambda: not forks.is_coming(), "another server has loaded everything")
    assert forks.is_up
    another = forks.fork([])
    wait_until(lambda: another.pid in registered(runtime), "it is up")
    assert (parent_of(another.pid), parent_of(told.pid)) == (forks.pid, os.getpid())
    for worker in (told, another):
        worker.send_signal(signal.SIGTERM)
        assert end_of(worker)[0] == 0, "it ended in good order"


@pytest.mark.parametrize("whose", ["of the server", "of the command"])
def test_the_fork_server_ends_with_its_command_and_so_do_workers(
    settings: Settings, tmp_path: Path, whose: str
) -> None:
    told = tmp_path / "pids"

    def command() -> int:
        # Nor does it matter then that nobody can know how children end.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        server = ForkServer()
        assert server.fork(["--help"]).wait() == UNKNOWN_STATUS
        pids = f"{server.pid} {server.fork([]).pid}"
        if whose == "of the command":
            server.retire()
        told.write_text(pids)
        signal.pause()
        return 0

    pid = fork(command)
    wait_until(lambda: told.is_file() and told.read_text().count(" ") == 1, "both are there")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    left = [int(pid) for pid in told.read_text().split()]
    wait_until(lambda: not any(is_there(pid) for pid in left), "they have ended")


def test_what_is_locked_here_is_not_held_there(tmp_path: Path) -> None:
    """A lock that outlived its command would make the dead look alive."""
    with Presence(tmp_path), closing(ForkServer()):
        (lock,) = tmp_path.glob("*.lock")
        other = os.open(lock, os.O_RDWR)
    wait_until(lambda: _can_lock(other), "the lock is free")
    os.close(other)


def _can_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_beside_threads_nothing_is_forked() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with forking() as forks:
        assert forks is None
    done.set()
    thread.join()


def test_whatever_works_within_the_block_finds_its_fork_server_and_nothing_else_does() -> None:
    forked.run_at_once(_find_fork_server, [()])


def _find_fork_server() -> None:
    elsewhere: list[ForkServer | None] = []
    with forking() as server:
        assert server is not None
        assert fork_server() is server
        thread = threading.Thread(target=lambda: elsewhere.append(fork_server()))
        thread.start()
        thread.join()
    assert elsewhere == [None] == [fork_server()]


def test_the_fork_server_has_one_thread_when_it_has_loaded_everything(forks: ForkServer) -> None:
    status, said = end_of(forks.fork(["--help"]))
    assert (status, said.startswith("usage:")) == (0, True), "it has loaded everything"
    assert len(os.listdir(f"/proc/{forks.pid}/task")) == 1


TELLING = """
import os, sys
from altering import in_each_worker

def tell():
    before, end = set(sys.modules), os._exit
    def told(status):
        with open(os.environ["TOLD"], "a") as file:
            print(*(set(sys.modules) - before), file=file)
        end(status)
    os._exit = told

in_each_worker(tell)
"""


def test_a_fork_loads_only_what_its_documents_need(cli: Command, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(TELLING)
    command = cli.altered_by(site, TOLD=str(tmp_path / "told")).with_settings(workers="1")
    assert command.json("ingest", write_corpus(tmp_path / "documents", 2))["documents"]["completed"] == 2
    loaded = (tmp_path / "told").read_text().split()
    assert not [name for name in loaded if not name.startswith("embedmill.")], loaded
    assert len(loaded) < 10, loaded
