"""Worker pools for their operator: scaled, paused, drained, stopped, recycled and watched, with real processes."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from embedmill.shared.db import pools, presence
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from tests.chaos.test_poison import POISON
from tests.chaos.watching import Watch
from tests.command import Command, Process, finish, kill_group
from tests.corpus import text_of, write_corpus
from tests.holding import Gate
from tests.services import postgres
from tests.services.needed import require
from tests.waiting import wait_until

MARKER = "POISON-PILL"
FINISHED = "SELECT count(*) FROM work WHERE finished_at IS NULL"


@pytest.fixture
def narrow(cli: Command) -> Command:
    """Many small batches, and a lease long enough for a busy machine."""
    return cli.with_settings(batch_documents="4", lease_seconds="4")


@pytest.fixture
def watch(cli: Command) -> Iterator[Watch]:
    with Watch(cli.home) as opened:
        yield opened


@contextmanager
def working(command: Command, *arguments: object) -> Iterator[Process]:
    """`workers start`, ended in good order."""
    process = command.start("workers", "start", *arguments)
    yield process
    process.send_signal(signal.SIGTERM)
    ran = finish(process)
    assert ran.status == 0, ran


def serving(watch: Watch, condition: str = "true") -> int:
    """Slots of the workers that are up, will stay, and meet a condition."""
    up = f"stopped_at IS NULL AND state NOT IN ('starting', 'draining') AND {condition}"
    return watch.count(f"SELECT coalesce(sum(slots), 0) FROM worker WHERE {up}")


def has_slots(watch: Watch, slots: int) -> bool:
    return serving(watch, """queues = '["embed"]'""") == slots


def is_done(watch: Watch, documents: int) -> bool:
    return watch.work("finished_at IS NOT NULL") == documents == watch.work()


def require_once(watch: Watch, documents: int) -> None:
    """Every document was completed, exactly once."""
    assert watch.work("state = 'completed'") == documents
    ended = "SELECT count(*), count(DISTINCT work_id) FROM attempt WHERE stage = 'index' AND outcome = 'ok'"
    assert watch.rows(ended) == [(documents, documents)]


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def with_marker(command: Command, death: str, **environment: str) -> Command:
    return command.altered_when_loaded_by(
        POISON, POISON_STAGE="chunk", POISON_DEATH=death, **{k.upper(): v for k, v in environment.items()}
    )


@pytest.mark.timeout(300)
def test_scaling_up_and_down_under_load_completes_every_document_once(
    cli: Command, tmp_path: Path, watch: Watch
) -> None:
    command = cli.with_settings(batch_documents="2", lease_seconds="20")
    command.json("submit", write_corpus(tmp_path / "corpus", 120, paragraphs=2))
    database = open_database(f"sqlite:///{command.home / 'tracking.db'}")
    with working(command, "--concurrency", 1):
        wait_until(lambda: watch.work("state = 'completed'"), "the first are done")
        for slots in (1, 4, 2, 0, 3):
            with database.write() as connection:
                pools.scale_pool(connection, "embed", slots)
            wait_until(partial(has_slots, watch, slots), f"{slots} slots embed", seconds=60)
        wait_until(lambda: is_done(watch, 120), "all is done", seconds=60)
        found = command.json("workers", "list")
    database.close()
    (embed,) = (pool for pool in found["pools"] if pool["queue"] == "embed")
    assert (embed["desired"], embed["actual"], embed["planned"], embed["revision"]) == (3, 3, 3, 5)
    assert {tuple(w["queues"]) for w in found["workers"]} == {("embed",), ("chunk", "validate", "index")}
    require_once(watch, 120)
    assert watch.count("SELECT count(*) FROM attempt WHERE outcome NOT IN ('ok', 'returned')") == 0


def test_a_paused_queue_rests_and_a_resumed_one_goes_on(narrow: Command, tmp_path: Path, watch: Watch) -> None:
    with working(narrow, "--concurrency", 1):
        wait_until(lambda: serving(watch), "a worker is up")
        changed = narrow.json("workers", "pause", "embed")
        assert (changed["before"]["paused"], changed["after"]["paused"]) == (False, True)
        narrow.json("submit", write_corpus(tmp_path / "corpus", 20))
        wait_until(lambda: watch.work("stage = 'embed' AND state = 'pending'") == 20, "all waits before embedding")
        assert watch.work("attempt > 0") == 0
        assert watch.count("SELECT count(*) FROM attempt WHERE stage = 'embed'") == 0
        narrow.json("workers", "resume", "embed")
        wait_until(lambda: is_done(watch, 20), "all is done")
    require_once(watch, 20)


def test_a_drained_worker_finishes_and_is_not_replaced(narrow: Command, watch: Watch) -> None:
    with working(narrow, "--concurrency", 2):
        wait_until(lambda: serving(watch) == 2, "two workers are up")
        first, second = (worker["id"] for worker in narrow.json("workers", "list")["workers"])
        assert narrow.json("workers", "drain", first, "--wait", 30)["stopped"]
        beats = watch.count("SELECT heartbeat_at * 1000 FROM supervisor")
        wait_until(lambda: watch.count("SELECT heartbeat_at * 1000 FROM supervisor") > beats, "the supervisor looked")
        assert [worker["id"] for worker in narrow.json("workers", "list")["workers"]] == [second]
        assert narrow.json("workers", "drain", "--all", "--wait", 30) == {
            "draining": [second],
            "pools": [],
            "stopped": True,
        }
    assert watch.count("SELECT count(*) FROM worker") == 2


@pytest.fixture
def slow(narrow: Command, tmp_path: Path) -> Callable[[float], Command]:
    """A document, submitted, that takes its time to chunk."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "slow.txt").write_text(f"{MARKER} takes long.")

    def submit(seconds: float) -> Command:
        narrow.json("submit", tmp_path / "slow")
        return with_marker(narrow, "sleep", poison_seconds=str(seconds))

    return submit


def start_on(command: Command, watch: Watch, *arguments: object) -> Process:
    """Workers that are in the middle of the slow document."""
    process = command.start("workers", "start", "--queue", "chunk", *arguments)
    wait_until(lambda: watch.work("state = 'running'") == 1, "the slow document is being worked on")
    return process


@pytest.mark.parametrize("kind", ["prefork", "threads"])
def test_sigterm_lets_a_worker_finish_and_a_second_one_changes_nothing(
    slow: Callable[[float], Command], watch: Watch, kind: str
) -> None:
    process = start_on(slow(2.0), watch, "--pool", kind)
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: watch.count("SELECT count(*) FROM supervisor WHERE stopped_at IS NOT NULL"), "it is stopping")
    process.send_signal(signal.SIGTERM)
    ran = finish(process)
    assert (ran.status, "workers stopped" in ran.stdout) == (0, True), ran
    assert watch.rows("SELECT stage, state FROM work") == [("validate", "queued")]
    assert watch.rows("SELECT outcome FROM attempt") == [("ok",)]
    assert watch.count("SELECT count(*) FROM worker WHERE state <> 'stopped'") == 0


@pytest.mark.parametrize("kind", ["prefork", "threads"])
def test_what_is_not_finished_in_the_grace_time_is_handed_back(
    slow: Callable[[float], Command], watch: Watch, kind: str
) -> None:
    process = start_on(slow(60.0), watch, "--pool", kind, "--grace", 0.3)
    process.send_signal(signal.SIGTERM)
    assert finish(process, seconds=20).status == 0
    # The chores, which end last, may have sent it again.
    assert watch.work("state IN ('pending', 'queued') AND attempt = 0 AND crashes = 0") == 1
    assert watch.rows("SELECT outcome FROM attempt") == [("returned",)]
    assert watch.rows("SELECT state FROM worker") == [("stopped",)], "it said goodbye: nobody had to kill it"


@pytest.mark.parametrize("signals", [[signal.SIGQUIT], [signal.SIGINT, signal.SIGINT]], ids=["quit", "two"])
def test_sigquit_or_a_second_interrupt_hands_back_at_once(
    slow: Callable[[float], Command], watch: Watch, signals: list[signal.Signals]
) -> None:
    process = start_on(slow(60.0), watch, "--grace", 50)
    process.send_signal(signals[0])
    if signals[1:]:
        stopping = "SELECT count(*) FROM supervisor WHERE stopped_at IS NOT NULL"
        wait_until(lambda: watch.count(stopping), "it is stopping")
        process.send_signal(signals[1])
    assert finish(process, seconds=20).status == 0
    assert watch.work("state IN ('pending', 'queued') AND attempt = 0") == 1


@pytest.mark.parametrize("limit", ["--max-tasks", pytest.param("--max-memory-mb", marks=pytest.mark.chaos)])
def test_a_worker_that_has_done_its_share_is_replaced_and_nothing_is_lost(
    narrow: Command, tmp_path: Path, watch: Watch, limit: str
) -> None:
    narrow.json("submit", write_corpus(tmp_path / "corpus", 40, paragraphs=2))
    with working(narrow, "--concurrency", 1, limit, {"--max-tasks": 15, "--max-memory-mb": 1}[limit]):
        wait_until(lambda: is_done(watch, 40), "all is done", seconds=60)
        wait_until(lambda: watch.count("SELECT count(*) FROM worker") > 1, "it was replaced")
    require_once(watch, 40)
    assert watch.count("SELECT count(*) FROM attempt WHERE outcome <> 'ok'") == 0
    assert watch.count("SELECT count(*) FROM worker WHERE state <> 'stopped'") == 0


def test_a_worker_that_subscribed_to_nothing_is_replaced(cli: Command, tmp_path: Path, watch: Watch) -> None:
    hung = with_marker(
        cli.with_settings(worker_silence_seconds="1.5", workers="1"), "none", deaf=str(tmp_path / "deaf")
    )
    process = hung.start("ingest", write_corpus(tmp_path / "corpus", 5), "--json")
    ran = finish(process)
    assert (ran.status, ran.json["documents"]["completed"]) == (0, 5), ran
    assert "worker.hung" in ran.stderr
    assert watch.count("SELECT count(*) FROM worker") == 2


def test_poison_in_a_process_with_threads_is_buried_and_fifty_innocents_are_not(
    narrow: Command, tmp_path: Path, watch: Watch
) -> None:
    folder = write_corpus(tmp_path / "corpus", 50, paragraphs=1)
    (folder / "0025-poison.txt").write_text(f"{MARKER} in the middle.")
    narrow.json("submit", folder)
    with working(with_marker(narrow, "SIGKILL"), "--pool", "threads", "--concurrency", 4):
        wait_until(lambda: is_done(watch, 51), "all is done", seconds=90)
    assert watch.rows("SELECT state, count(*) FROM work GROUP BY state ORDER BY 1") == [("completed", 50), ("dead", 1)]
    (letter,) = narrow.json("dlq", "list")["dead_letters"]
    assert (letter["error_class"], letter["attempts"]) == ("WorkerLost", 3)
    assert letter["uri"].endswith("poison.txt")


def paid(watch: Watch) -> list[Any]:
    return watch.rows("SELECT sum(inputs), sum(tokens_in) FROM usage")


@pytest.mark.chaos
def test_eight_threads_leave_what_one_worker_leaves_and_pay_no_more(
    cli: Command, narrow: Command, tmp_path: Path, watch: Watch
) -> None:
    folder = write_corpus(tmp_path / "corpus", 40)
    for number in range(24):
        # The same text in other documents: threads meet it at the same moment.
        (folder / f"twin-{number}.txt").write_text(text_of(number % 8))
    serial = cli.with_settings(workers="1", home=str(tmp_path / "serial"))
    assert serial.json("ingest", folder)["documents"]["completed"] == 64
    narrow.json("submit", folder)
    with working(narrow, "--pool", "threads", "--concurrency", 8):
        wait_until(lambda: is_done(watch, 64), "all is done", seconds=60)
    require_once(watch, 64)
    assert vectors(narrow) == vectors(serial)
    with Watch(serial.home) as other:
        assert paid(watch) == paid(other)
    assert narrow.json("verify")["ok"]


def vectors(command: Command) -> dict[str, Any]:
    rows = command.run("export", "--vectors").lines
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: (row["uri"], row["text"], row["vector"]) for row in rows}


@pytest.fixture(params=["sqlite", "postgres"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """One database for several homes."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'embedmill.shared.db'}"
        return
    require(postgres.why_not())
    with postgres.running_database() as server:
        yield server.url


def live_slots(database: Database) -> list[int]:
    with database.read() as connection:
        rows = presence.list_workers(connection)
    return [row["slots"] for row in rows if row["state"] == "idle" and row["age"] < 3]


def test_supervisors_share_a_scaled_queue_and_take_over_from_one_that_dies(
    narrow: Command, tmp_path: Path, shared_url: str
) -> None:
    database = open_database(shared_url)
    with database.write() as connection:
        pools.scale_pool(connection, "embed", 4)
    homes = [narrow.with_settings(home=str(tmp_path / name), database_url=shared_url) for name in ("one", "two")]
    first, second = (home.start("workers", "start", "--queue", "embed", "--pool", "threads") for home in homes)
    wait_until(lambda: live_slots(database) == [2, 2], "each has its half")
    kill_group(first)
    wait_until(lambda: live_slots(database) == [4], "the other has it all")
    second.send_signal(signal.SIGTERM)
    assert finish(second).status == 0
    database.close()


def test_a_scheduler_without_workers_serves_workers_without_chores(narrow: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 12)
    with working(narrow, "--without-chores", "--queue", "chunk", "--queue", "validate"):
        job = narrow.json("submit", corpus)["job"]
        with working(narrow, "--only-chores"), working(narrow, "--without-chores", "--queue", "embed"):
            alone = [{"queue": "index", "documents": 12, "start": "embedmill workers start --queue index"}]
            wait_until(
                lambda: narrow.json("jobs", "show", job)["queues_without_consumer"] == alone,
                "all that is missing is somebody who writes to the index",
                seconds=60,
            )
            with working(narrow, "--without-chores", "--queue", "index"):
                wait_until(lambda: narrow.json("jobs", "show", job)["state"] == "completed", "the job is completed")
    assert narrow.json("verify")["ok"]


def test_a_host_is_healthy_while_a_supervisor_lives_there(narrow: Command) -> None:
    assert narrow.run("workers", "health").status == 1
    for arguments in (("--only-chores",), ("--queue", "embed")):
        with working(narrow, *arguments):
            wait_until(lambda: narrow.run("workers", "health").status == 0, "the supervisor has registered")
        ran = narrow.run("workers", "health", "--json")
        assert (ran.status, ran.json) == (1, {"healthy": False, "supervisors": []})


def test_a_document_that_kills_its_workers_is_found_after_the_fork_server_has_ended(
    cli: Command, tmp_path: Path, watch: Watch
) -> None:
    folder = write_corpus(tmp_path / "corpus", 3)
    (folder / "0002-killer.txt").write_text(f"An ordinary beginning.\n\n{MARKER} in the middle of a sentence.")
    gate = Gate(cli.with_settings(max_attempts="2"), MARKER)
    process = gate.command.start("ingest", folder, "--json")
    first = gate.wait()
    wait_until(lambda: psutil.Process(first).ppid() == process.pid, "its worker is the command's own")
    parents = set[int]()
    # All four, then a half with the culprit, then the culprit by itself until its attempts are used up.
    for _ in range(4):
        pid = gate.wait()
        parents.add(psutil.Process(pid).ppid())
        os.kill(pid, signal.SIGKILL)
        wait_until(partial(is_gone, pid), "it is gone")
        gate.close()
    ran = finish(process)
    assert ran.status == 3, ran
    assert (ran.json["documents"]["completed"], ran.json["documents"]["dead"]) == (3, 1)
    assert len(parents) == 2, "one server was made for all that followed the first"
    (letter,) = cli.json("dlq", "list")["dead_letters"]
    assert (letter["uri"].rpartition("/")[2], letter["error_class"]) == ("0002-killer.txt", "WorkerLost")
