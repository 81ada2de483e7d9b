"""The supervisor with real processes: the dead are replaced and named, the living stopped in good order."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from embedmill.shared.db import presence
from embedmill.shared.db.engine import Database
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.errors import StorageFailed
from embedmill.shared.presence import sweep
from embedmill.shared.settings import Settings
from embedmill.workers.processes.launching import ForkServer
from embedmill.workers.processes.pools import PoolSpec
from embedmill.workers.processes.supervisor import Supervisor
from embedmill.workers.runtime import WorkerRuntime
from tests.logs import captured_logs
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until


@pytest.fixture(params=["forks", "interpreters"])
def forks(settings: Settings, request: pytest.FixtureRequest) -> Iterator[ForkServer | None]:
    """Both ways to start a worker; named first, because it forks before a database is open, as commands do."""
    server = ForkServer() if request.param == "forks" else None
    yield server
    if server is not None:
        server.close()


@pytest.fixture
def forking(settings: Settings) -> Iterator[ForkServer]:
    """One of them, for what does not depend on how."""
    with closing(ForkServer()) as server:
        yield server


def registered(runtime: WorkerRuntime) -> list[int]:
    with runtime.database.read() as connection:
        return [row["pid"] for row in presence.list_workers(connection)]


def test_a_worker_that_dies_is_named_and_replaced(
    forks: ForkServer | None, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    died: list[str] = []
    with Supervisor(runtime, [PoolSpec()], on_death=died.append, forks=forks) as supervisor:
        (first,) = supervisor.pids
        wait_until(lambda: first in registered(runtime), "the worker is up")
        os.kill(first, signal.SIGKILL)

        def is_replaced() -> bool:
            supervisor.poll()
            return bool(supervisor.pids) and supervisor.pids != [first]

        wait_until(is_replaced, "another worker is in its place")
        (second,) = supervisor.pids
        wait_until(lambda: second in registered(runtime), "the replacement is up")
    assert [f"-{first}-" in name for name in died] == [True]


def test_the_fork_server_ends_when_its_workers_are_up_and_comes_back_while_they_die(
    forking: ForkServer, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    with Supervisor(runtime, [PoolSpec(slots=2)], on_death=lambda _: None, forks=forking) as supervisor:

        def looks(condition: Callable[[], bool]) -> bool:
            supervisor._next_look = 0.0
            supervisor.poll()
            return condition()

        def replace_first() -> None:
            first, other = supervisor.pids
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: looks(lambda: first not in supervisor.pids and are_up()), "another is in its place")
            assert other in supervisor.pids

        def are_up() -> bool:
            return len(supervisor.pids) == 2 and set(supervisor.pids) <= set(registered(runtime))

        wait_until(lambda: looks(lambda: not forking.is_up), "the server has ended")
        assert are_up()
        replace_first()
        made_anew = forking.pid
        replace_first()
        assert looks(lambda: forking.is_up), "the next death may be near"
        assert forking.pid == made_anew
        supervisor._forks_stay_until = 0.0
        wait_until(lambda: looks(lambda: not forking.is_up), "nobody has died for a while")


def test_workers_stop_in_good_order_and_leave_nothing(
    forks: ForkServer | None, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    with Supervisor(
        runtime, [PoolSpec(("chunk",)), PoolSpec(("embed",))], on_death=lambda _: None, forks=forks
    ) as supervisor:
        pids = supervisor.pids
        wait_until(lambda: set(pids) <= set(registered(runtime)), "both workers are up")
        supervisor.let_go()
        wait_until(lambda: not set(pids) & set(registered(runtime)), "they say goodbye while the block goes on")
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert sweep(runtime.run_folder) == 1, "nobody but this process is left"


def test_workers_are_started_as_there_are_batches_for_them(
    forking: ForkServer, runtime: WorkerRuntime, tracker: Tracker
) -> None:
    counted: list[int] = []
    with Supervisor(
        runtime, [PoolSpec(slots=3)], on_death=lambda _: None, batches=lambda: counted[-1], forks=forking
    ) as supervisor:
        assert len(supervisor.pids) == 1, "the first one waits for no count"
        for batches, processes in ((1, 1), (2, 2), (0, 2), (9, 3)):
            counted.append(batches)
            supervisor.poll()
            assert len(supervisor.pids) == processes
        wait_until(lambda: set(supervisor.pids) <= set(registered(runtime)), "all are up")


def test_a_server_that_is_away_is_told_of_once(runtime: WorkerRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Database("postgresql://127.0.0.1:9/none", sizing=Sizing(outage_seconds=3600.0))) as away:
        monkeypatch.setattr(runtime, "database", away)
        supervisor = Supervisor(runtime, [PoolSpec()], on_death=lambda _: None)
        with captured_logs() as logs, away.impatient():
            for _ in range(3):
                supervisor._look()
    assert [entry["event"] for entry in logs] == ["database.away"]


def test_workers_that_cannot_open_their_home_end_the_command(
    runtime: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = runtime.home.parent / "file"
    blocked.write_text("here already")
    assert runtime.database.is_sqlite, "its own is open by now"
    elsewhere = {"database_url": f"sqlite:///{blocked / 'tracking.db'}"}
    monkeypatch.setattr(runtime, "settings", runtime.settings.model_copy(update=elsewhere))
    with Supervisor(runtime, [PoolSpec()], on_death=lambda _: None) as supervisor:

        def poll() -> bool:
            supervisor.poll()
            return False

        with pytest.raises(StorageFailed):
            wait_until(poll, "the failure is seen")


def test_a_worker_is_hung_when_messages_wait_in_its_own_queue_and_not_in_that_of_others(
    forking: ForkServer, runtime: WorkerRuntime, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "settings", runtime.settings.model_copy(update={"worker_silence_seconds": 1.0}))
    tracker.submit(["file:///1"])
    tracker.queue()
    depths = {"embed": 5}
    asked: list[int] = []

    def count() -> dict[str, int]:
        asked.append(1)
        return depths

    with Supervisor(
        runtime, [PoolSpec(("chunk",))], on_death=lambda _: None, depths=count, forks=forking
    ) as supervisor:
        (first,) = supervisor.pids

        def after_poll(condition: Callable[[], bool]) -> bool:
            supervisor.poll()
            return condition()

        wait_until(lambda: after_poll(lambda: len(asked) >= 3), "it is late", seconds=60)
        assert supervisor.pids == [first]
        depths["chunk"] = 1
        wait_until(lambda: after_poll(lambda: bool(supervisor.pids) and supervisor.pids != [first]), "it is replaced")
