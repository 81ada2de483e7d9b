"""The same command with Redis as its broker: a doorbell that may be wiped, killed and started again empty."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import redis_server
from tests.command import Command, finish
from tests.corpus import write_corpus
from tests.redis_server import Server, running_server
from tests.waiting import wait_until

DOCUMENTS = 120


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    reason = redis_server.why_not()
    if reason is not None:
        pytest.skip(reason)
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus", DOCUMENTS)


@pytest.fixture
def on_redis(cli: Command, server: Server) -> Command:
    return cli.with_settings(broker_url=server.url, batch_documents="8")


def count_completed(command: Command) -> int:
    database = command.home / "tracking.db"
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM work WHERE state = 'completed'").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def check_whole(command: Command, corpus: Path, tmp_path: Path) -> None:
    """The store holds what an ingest without any broker service puts there, id by id and text by text."""
    plain = command.with_settings(broker_url="embedded://", home=str(tmp_path / "plain"))
    plain.json("ingest", corpus)
    expected = {id_: row["text"] for id_, row in plain.export().items()}
    assert {id_: row["text"] for id_, row in command.export().items()} == expected
    assert command.json("verify")["ok"]
    assert command.json("dlq", "list")["total"] == 0


def test_documents_are_ingested_over_redis(on_redis: Command, corpus: Path, tmp_path: Path) -> None:
    assert on_redis.json("ingest", corpus)["documents"]["completed"] == DOCUMENTS
    check_whole(on_redis, corpus, tmp_path)
    assert on_redis.json("doctor")["ok"]


def test_a_wiped_redis_loses_nothing(on_redis: Command, server: Server, corpus: Path, tmp_path: Path) -> None:
    process = on_redis.start("ingest", corpus, "--json")
    wait_until(lambda: count_completed(on_redis) > 0 or process.poll() is not None, "documents are completed")
    server.client.flushall()
    assert finish(process).status == 0
    check_whole(on_redis, corpus, tmp_path)


def test_a_redis_that_dies_and_comes_back_empty_loses_nothing(
    on_redis: Command, server: Server, corpus: Path, tmp_path: Path
) -> None:
    process = on_redis.start("ingest", corpus, "--json")
    wait_until(lambda: count_completed(on_redis) > 0 or process.poll() is not None, "documents are completed")
    server.kill()
    server.start()
    ran = finish(process)
    assert ran.status == 0, ran
    check_whole(on_redis, corpus, tmp_path)


def test_doctor_says_that_redis_is_away(on_redis: Command, server: Server) -> None:
    server.kill()
    ran = on_redis.run("doctor", "--json")
    broker = next(check for check in ran.json["checks"] if check["name"] == "broker")
    assert (ran.status, broker["ok"]) == (1, False)
    assert "cannot be reached" in broker["detail"]
    assert broker["hint"]
