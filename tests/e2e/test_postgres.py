"""The same command with its tracking database on Postgres."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.command import Command, finish, kill_group
from tests.corpus import text_of, write_corpus
from tests.services import postgres
from tests.services.needed import require
from tests.services.postgres import OwnServer, Server
from tests.waiting import wait_until
from tests.workers.parsing.making import word, word_paragraph


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres.why_not())
    with postgres.running_server() as server:
        yield server


@pytest.fixture
def on_postgres(cli: Command, server: Server) -> Command:
    return cli.with_settings(database_url=server.url, batch_documents="8")


def count(server: Server, table: str, where: str = "true") -> int:
    """Rows of a table; 0 before it is made, or while the server is away."""
    with suppress(psycopg.Error), psycopg.connect(server.url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}".encode()).fetchone()
        return int(row[0]) if row else 0
    return 0


def test_documents_are_ingested_killed_taken_up_and_verified(
    on_postgres: Command, server: Server, tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "corpus", 60)
    torn = word(word_paragraph(text_of(99)))
    (corpus / "torn.docx").write_bytes(torn[: len(torn) // 2])
    process = on_postgres.start("ingest", corpus, "--json")
    wait_until(lambda: count(server, "embedding") or process.poll() is not None, "vectors are made")
    kill_group(process)
    finish(process)
    ran = on_postgres.run("ingest", corpus, "--json")
    assert ran.status == 3, ran
    assert (ran.json["documents"]["completed"], ran.json["documents"]["dead"]) == (60, 1)
    assert len({row["document"] for row in on_postgres.export().values()}) == 60
    assert on_postgres.json("verify")["ok"]
    (corpus / "torn.docx").write_bytes(torn)
    assert on_postgres.json("dlq", "replay", "--all", "--work")["replayed"] == 1
    for number in range(3):
        (corpus / f"{number:04}.txt").unlink()
    report = on_postgres.json("ingest", corpus)
    assert (report["documents"]["unchanged"], report["documents"]["deleted"]) == (58, 3)
    assert on_postgres.json("search", "Document 7", "--top-k", "3")["hits"]
    assert on_postgres.json("verify")["ok"]


@pytest.mark.chaos
def test_workers_of_two_commands_share_the_work(on_postgres: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "shared", 40)
    collection = ("--collection", "shared")
    job = on_postgres.json("submit", corpus, *collection)["job"]
    processes = [on_postgres.start("workers", "start") for _ in range(2)]
    wait_until(lambda: on_postgres.json("jobs", "show", job)["state"] == "completed", "the job is completed")
    for process in processes:
        process.send_signal(signal.SIGTERM)
        finish(process)
    assert on_postgres.json("jobs", "show", job)["documents"]["completed"] == 40
    assert on_postgres.json("verify", *collection)["ok"]


def test_an_ingest_goes_on_when_postgres_is_restarted_again_and_again(
    on_postgres: Command, server: Server, tmp_path: Path
) -> None:
    if not isinstance(server, OwnServer):
        pytest.skip("the server of TEST_POSTGRES_URL cannot be restarted")
    corpus = write_corpus(tmp_path / "restarted", 150)
    small = on_postgres.with_settings(batch_documents="6", lease_seconds="10")
    process = small.start("ingest", corpus, "--collection", "restarted", "--json")
    of_it = "SELECT job.id FROM job JOIN collection ON collection.id = collection_id WHERE name = 'restarted'"
    split = f"job_id IN ({of_it}) AND stage <> 'chunk'"
    for part in (1, 40, 80):
        wait_until(
            lambda part=part: count(server, "work", split) >= part or process.poll() is not None,  # type: ignore[misc]
            f"{part} documents are split",
            seconds=60,
        )
        server.stop()
        server.start()
    ran = finish(process)
    assert ran.status == 0, ran
    assert (ran.json["documents"]["completed"], ran.json["documents"]["dead"]) == (150, 0)
    assert ran.stderr.count("database.away") <= 9  # at most once an outage and process
    assert len({row["document"] for row in on_postgres.export("restarted").values()}) == 150
    assert on_postgres.json("verify", "--collection", "restarted")["ok"]
    of_job = "work_id IN (SELECT id FROM work WHERE job_id = (SELECT max(id) FROM job))"
    assert count(server, "attempt", f"{of_job} AND outcome IN ('error', 'lost')") == 0
    assert count(server, "attempt", of_job) > 0


COMMANDS = (
    ("jobs", "pause", "1"),
    ("jobs", "show", "1"),
    ("dlq", "list"),
    ("dlq", "discard", "--all", "--reason", "a test"),
    ("collections", "update", "default", "--chunk-tokens", "300"),
    ("workers", "pause", "embed"),
)
TABLES = "job, collection, dead_letter, pool"


def blocked(server: Server) -> int:
    return count(server, "pg_stat_activity", "wait_event_type = 'Lock' AND backend_type = 'client backend'")


def test_commands_whose_session_is_ended_half_way_do_what_they_were_told(
    on_postgres: Command, server: Server, tmp_path: Path
) -> None:
    server.execute("CREATE DATABASE halfway")
    command = on_postgres.with_settings(database_url=server.url.replace("/postgres?", "/halfway?"))
    assert command.json("submit", write_corpus(tmp_path / "halfway", 3))["job"] == 1
    with psycopg.connect(command.environment["EMBEDMILL_DATABASE_URL"]) as lock:
        lock.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE".encode())
        processes = [command.start(*parts, "--json") for parts in COMMANDS]
        wait_until(lambda: blocked(server) == len(COMMANDS), "all are in the middle of a transaction", seconds=60)
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'"
        )
    for parts, process in zip(COMMANDS, processes, strict=True):
        ran = finish(process)
        assert ran.status == 0, (parts, ran)
    assert command.json("jobs", "show", 1)["state"] == "paused"
    assert command.json("collections", "show", "default")["settings"]["chunk_tokens"] == 300
    (embed,) = (pool for pool in command.json("workers", "list")["pools"] if pool["queue"] == "embed")
    assert embed["paused"]
