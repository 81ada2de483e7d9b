"""One part fails while the others work: a worker dies, the broker is wiped, messages repeat, the clock jumps."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.conftest import DOCUMENTS, Outcome, query, require_whole
from tests.chaos.watching import Watch, seen, stop_a_holder
from tests.command import Command, finish
from tests.corpus import text_of, write_corpus
from tests.holding import Gate
from tests.waiting import wait_until

# SQLite is waited for for 30 s.
LOCKED_SECONDS = 40.0
# What workers are held at: the first document that each has, or one document and whoever has it.
EVERY = "edition 1"
ONE = "Document 79, "
PUBLISH = """
import random, sys
from embedmill.shared import stages
from embedmill.workers.messages import BatchMessage
from embedmill.workers.app import app
from embedmill.workers.consuming.process import process
from embedmill.workers.queues import queue_name, task_name
ids = list(range(1, int(sys.argv[1]) + 1))
random.Random(7).shuffle(ids)
for _ in range(3):
    for stage in stages.names():
        for start in range(0, len(ids), 40):
            process.publish(BatchMessage(stage, tuple(ids[start:start + 40])))
for body in ({"v": 2, "stage": "chunk", "work": [1]}, {"v": 1, "stage": "polish", "work": [1]}, "nonsense", None, []):
    app.send_task(task_name("chunk"), args=[body], queue=queue_name("chunk"))
"""


def publish_nonsense(command: Command, documents: int = DOCUMENTS) -> None:
    """Every document three times for every stage, shuffled, and some messages that nobody can read."""
    subprocess.run(
        [sys.executable, "-c", PUBLISH, str(documents)],
        env=command.environment,
        cwd=command.folder,
        check=True,
        timeout=60,
    )


def test_a_worker_that_is_killed_is_replaced_and_nobody_is_blamed(
    command: Command, corpus: Path, faultless: Outcome
) -> None:
    gate = Gate(command, ONE)
    process = gate.command.start("ingest", corpus, "--json")
    gate.wait()
    killed = 0
    with Watch(command.home) as watch:
        while killed < 3 and seen(process, lambda: watch.holder() is not None):
            pid = watch.holder()
            if pid is not None and watch.held_by(pid):
                os.kill(pid, signal.SIGKILL)
                killed += 1
                wait_until(lambda pid=pid: not watch.held_by(pid) or process.poll() is not None, "it is rescued")  # type: ignore[misc]
    assert killed == 3
    gate.open()
    ran = finish(process)
    assert ran.status == 0, ran
    require_whole(command, faultless, ran.json)


def test_a_worker_that_sleeps_past_its_lease_has_no_effect_when_it_wakes(
    command: Command, corpus: Path, faultless: Outcome
) -> None:
    gate = Gate(command, ONE)
    process = gate.command.start("ingest", corpus, "--json")
    gate.wait()
    with Watch(command.home) as watch:
        pid, held = stop_a_holder(process, watch)
        gate.open()
        mine = ",".join(map(str, held))
        try:
            wait_until(
                lambda: (
                    watch.count(f"SELECT count(*) FROM attempt WHERE outcome = 'lost' AND work_id IN ({mine})")
                    == len(held)
                ),
                "the sleeper's work was taken away",
            )
            wait_until(lambda: watch.work(f"id IN ({mine}) AND state = 'completed'") == len(held), "others did it")
        finally:
            os.kill(pid, signal.SIGCONT)
    ran = finish(process)
    assert ran.status == 0, ran
    require_whole(command, faultless, ran.json)


def test_a_broker_that_loses_its_messages_loses_no_work(command: Command, corpus: Path, faultless: Outcome) -> None:
    gate = Gate(command, EVERY)
    process = gate.command.start("ingest", corpus, "--json")
    with Watch(command.home) as watch:
        wait_until(lambda: watch.messages >= 3, "messages wait")
        query(command.home / "queue.db", "DELETE FROM message")
    gate.open()
    ran = finish(process)
    assert ran.status == 0, ran
    require_whole(command, faultless, ran.json)


def test_a_broker_whose_file_is_deleted_is_opened_anew(command: Command, corpus: Path, faultless: Outcome) -> None:
    gate = Gate(command, EVERY)
    process = gate.command.start("ingest", corpus, "--json")
    with Watch(command.home) as watch:
        wait_until(lambda: watch.messages >= 3, "messages wait")
    for name in ("queue.db", "queue.db-wal", "queue.db-shm"):
        (command.home / name).unlink(missing_ok=True)
    gate.open()
    ran = finish(process)
    assert ran.status == 0, ran
    require_whole(command, faultless, ran.json)


def test_duplicate_stale_and_unreadable_messages_change_nothing(
    command: Command, corpus: Path, faultless: Outcome
) -> None:
    gate = Gate(command, ONE)
    process = gate.command.start("ingest", corpus, "--json")
    with Watch(command.home) as watch:
        wait_until(lambda: watch.work("state = 'completed'"), "some are done")
    publish_nonsense(command)
    gate.open()
    ran = finish(process)
    assert ran.status == 0, ran
    require_whole(command, faultless, ran.json)


def test_messages_about_finished_work_change_nothing(command: Command, corpus: Path, faultless: Outcome) -> None:
    report = command.json("ingest", corpus)
    before = query(command.home / "tracking.db", "SELECT * FROM work ORDER BY id")
    publish_nonsense(command)
    workers = command.start("workers", "start")
    with Watch(command.home) as watch:
        publish_nonsense(command)
        wait_until(lambda: watch.messages == 0, "every message was taken")
    workers.send_signal(signal.SIGTERM)
    finish(workers)
    assert query(command.home / "tracking.db", "SELECT * FROM work ORDER BY id") == before
    require_whole(command, faultless, report)


def test_a_clock_that_jumps_takes_no_work_from_a_live_worker(
    command: Command, corpus: Path, faultless: Outcome
) -> None:
    """What a jump of an hour looks like to the database: every lease and due time is an hour off.

    The lease is long enough for a machine that stands still for seconds: such a worker would be silent, and rightly so.
    """
    command = command.with_settings(lease_seconds="10")
    gate = Gate(command, ONE)
    process = gate.command.start("ingest", corpus, "--json")
    gate.wait()
    for seconds in (-3600, 3600):
        query(command.home / "tracking.db", f"UPDATE work SET lease_until = lease_until + {seconds}")
        query(command.home / "tracking.db", f"UPDATE chore SET lease_until = lease_until + {seconds}")
    gate.open()
    ran = finish(process)
    assert ran.status == 0, ran
    assert query(command.home / "tracking.db", "SELECT count(*) FROM attempt WHERE outcome = 'lost'") == [(0,)]
    require_whole(command, faultless, ran.json)


def test_an_hour_is_not_waited_for_after_a_kill_and_a_clock_put_back(
    command: Command, corpus: Path, faultless: Outcome
) -> None:
    gate = Gate(command, ONE)
    process = gate.command.start("ingest", corpus, "--json")
    gate.wait()
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    for table, column in (("work", "lease_until"), ("work", "dispatched_at"), ("chore", "lease_until")):
        query(command.home / "tracking.db", f"UPDATE {table} SET {column} = {column} + 3600")
    require_whole(command, faultless, command.json("ingest", corpus, seconds=30))


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_a_database_that_is_locked_for_longer_than_it_is_waited_for_loses_nothing(
    command: Command, corpus: Path, faultless: Outcome
) -> None:
    gate = Gate(command, ONE)
    process = gate.command.start("ingest", corpus, "--json")
    with Watch(command.home) as watch:
        wait_until(lambda: watch.work("state = 'completed'") >= 5, "some are done")
    with closing(sqlite3.connect(command.home / "tracking.db", timeout=30, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        until = time.monotonic() + LOCKED_SECONDS
        refused = command.run("submit", corpus, "--json", seconds=LOCKED_SECONDS + 30)
        wait_until(lambda: time.monotonic() > until, "it was locked long enough", seconds=LOCKED_SECONDS + 5)
        lock.execute("ROLLBACK")
    gate.open()
    assert refused.status == 1 and "another process writes to the tracking database" in refused.json["error"], refused
    ran = finish(process)
    assert ran.status in (0, 1), ran
    require_whole(command, faultless, ran.json if ran.status == 0 else command.json("ingest", corpus))


def test_two_ingests_of_the_same_folder_are_one_job(command: Command, corpus: Path, faultless: Outcome) -> None:
    processes = [command.start("ingest", corpus, "--json") for _ in range(2)]
    first, second = (finish(process) for process in processes)
    assert (first.status, second.status) == (0, 0), (first, second)
    reports = first.json, second.json
    completed = [report["documents"]["completed"] for report in reports]
    assert max(completed) == DOCUMENTS
    require_whole(command, faultless, reports[0])
    require_whole(command, faultless, reports[1])
    jobs = query(command.home / "tracking.db", "SELECT count(*) FROM work GROUP BY document_id HAVING count(*) > 1")
    assert jobs == []


def test_one_of_two_ingests_dies_and_the_other_finishes_its_work_too(
    command: Command, corpus: Path, faultless: Outcome
) -> None:
    gate = Gate(command, ONE)
    doomed = gate.command.start("ingest", corpus, "--json")
    gate.wait()
    other = command.start("ingest", corpus, "--json")
    with Watch(command.home) as watch:
        wait_until(lambda: watch.work("state = 'completed'") >= 5, "some are done")
    os.killpg(doomed.pid, signal.SIGKILL)
    finish(doomed)
    ran = finish(other)
    assert ran.status == 0, ran
    require_whole(command, faultless, ran.json)


def test_readers_never_see_two_versions_of_a_document(command: Command, tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "edited", 40)
    command.json("ingest", folder)
    for path in folder.iterdir():
        path.write_text(text_of(int(path.stem), edition=2))
    queries = tmp_path / "queries.jsonl"
    asked = [{"id": str(n), "text": f"Document {n} edition river stone lantern"} for n in range(40)]
    queries.write_text("\n".join(map(json.dumps, asked)))
    process = command.start("ingest", folder, "--json")
    answers = []
    while process.poll() is None:
        answers += command.run("search", "--queries", queries, "--top-k", "20").lines
    ran = finish(process)
    assert ran.status == 0, ran
    editions = [
        {(hit["uri"], "edition 2" in hit["text"]) for hit in answer["hits"]} for answer in answers if answer["hits"]
    ]
    assert len(editions) == len(answers) >= len(asked), "a reader found nothing in the middle of a switch"
    for found in editions:
        assert len({uri for uri, _ in found}) == len(found), "a reader saw two versions of a document"
    assert {new for found in editions for _, new in found} == {True, False}
