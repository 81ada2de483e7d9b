"""Caches through the real command: vectors in Redis, its outage, queries that are known, and what may be forgotten."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.command import Command, finish
from tests.corpus import write_corpus
from tests.e2e.test_spend import billed, reasons
from tests.services import redis
from tests.services.needed import require
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # seconds; each test runs several commands with workers of their own

DOCUMENTS = 3
OUTAGE_SECONDS = 90.0


@pytest.fixture
def provider() -> Iterator[SimulatorServer[OpenAISimulator]]:
    with running(OpenAISimulator()) as server:
        yield server


@pytest.fixture
def paid(cli: Command, provider: SimulatorServer[OpenAISimulator]) -> Command:
    return cli.with_settings(embedding="openai/text-embedding-3-small", lease_seconds="30").with_environment(
        **provider.environment
    )


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[redis.OwnServer]:
    """A Redis that a test may kill."""
    if redis._binary() is None:
        require("a Redis server's program is needed")
    server = redis.OwnServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_while_the_caches_redis_is_away_nothing_is_sent_and_afterwards_all_of_it_once(
    paid: Command, provider: SimulatorServer[OpenAISimulator], own_redis: redis.OwnServer, tmp_path: Path
) -> None:
    command = paid.with_settings(cache_url=own_redis.url)
    folder = write_corpus(tmp_path / "documents", DOCUMENTS)
    own_redis.kill()
    process = command.start("ingest", folder, "--json")
    wait_until(lambda: reasons(command) == {"circuit"}, "everything waits for the cache", seconds=OUTAGE_SECONDS)
    assert billed(provider) == 0
    own_redis.start()
    report = finish(process).json
    assert (report["documents"]["completed"], report["documents"]["dead"]) == (DOCUMENTS, 0)
    assert report["spend"]["tokens_in"] == billed(provider)
    assert provider.simulator.bill.total("inputs") == report["chunks"]["indexed"]
    assert not (command.home / "cache.db").exists()

    other = command.json("ingest", folder, "--collection", "other")
    assert (other["chunks"]["indexed"], other["spend"]["tokens_in"]) == (report["chunks"]["indexed"], 0)
    shown = command.json("cache", "show")
    assert shown["home"] == "redis"
    assert shown["kinds"]["document"]["entries"] == report["chunks"]["indexed"]
    assert shown["kinds"]["document"]["hits"] == report["chunks"]["indexed"]


def test_a_query_that_was_asked_before_costs_nothing_and_is_found_the_same(
    paid: Command, provider: SimulatorServer[OpenAISimulator], tmp_path: Path
) -> None:
    paid.json("ingest", write_corpus(tmp_path / "documents", 2))
    before = billed(provider)
    first = paid.json("search", "copper lantern", "--mode", "dense")
    once = billed(provider)
    assert once > before
    again = paid.json("search", "copper lantern", "--mode", "dense")
    assert again["hits"] == first["hits"]
    assert billed(provider) == once
    query = paid.json("cache", "show")["kinds"]["query"]
    assert (query["entries"], query["hits"], query["misses"], query["keep_days"]) == (1, 1, 1, 30)
    assert query["saved_tokens"] == once - before
    assert query["saved_usd"] > 0
    assert paid.json("search", "copper lanterns", "--mode", "dense")["hits"]
    assert billed(provider) > once


def test_searching_goes_on_without_its_cache(
    paid: Command, provider: SimulatorServer[OpenAISimulator], own_redis: redis.OwnServer, tmp_path: Path
) -> None:
    command = paid.with_settings(cache_url=own_redis.url)
    command.json("ingest", write_corpus(tmp_path / "documents", 2))
    own_redis.kill()
    ran = command.run("search", "copper lantern", "--mode", "dense", "--json")
    assert ran.json["hits"]
    assert "cache.unavailable" in ran.stderr


def test_what_is_forgotten_is_what_the_command_says(cli: Command, tmp_path: Path) -> None:
    chunks = cli.json("ingest", write_corpus(tmp_path / "documents", 3))["chunks"]["indexed"]
    assert cli.json("cache", "prune") == {"evicted": {}}
    assert cli.json("cache", "prune", "--unused", "0s", "--max-mb", "1") == {"evicted": {}}, "it was used just now"
    assert cli.json("cache", "show")["kinds"]["document"]["entries"] == chunks
    assert cli.run("cache", "prune", "--unused", "soon").status == 2
    shown = cli.run("cache", "show")
    assert shown.status == 0 and "vectors are in: file" in shown.stdout
    with closing(sqlite3.connect(cli.home / "cache.db")) as file, file:
        file.execute("UPDATE held SET used_at = used_at - 7200")
    (size,) = cli.json("cache", "prune", "--unused", "90m")["evicted"].values()
    assert size["entries"] == chunks
    document = cli.json("cache", "show")["kinds"]["document"]
    assert (document["entries"], document["evicted"]) == (0, size)
    assert "nothing to forget" in cli.run("cache", "prune").stdout
    shutil.rmtree(cli.home / "vectors")
    repaired = cli.run("verify", "--repair")
    assert repaired.status == 0, "what was forgotten is made again"
    assert f"  {chunks} chunks embedded anew, for want of a cached vector: " in repaired.stdout


def test_a_rehearsal_fills_no_index_of_the_vendor_in_the_same_collection_neither(
    paid: Command, provider: SimulatorServer[OpenAISimulator], tmp_path: Path
) -> None:
    folder = write_corpus(tmp_path / "documents", 2)
    paid.json("ingest", folder)
    rehearsed = billed(provider)
    with running(OpenAISimulator()) as vendor:
        real = paid.with_environment(**vendor.environment)
        report = real.json("ingest", folder)
        assert (report["documents"]["completed"], report["documents"]["unchanged"]) == (2, 0)
        assert billed(vendor) == rehearsed == billed(provider)
        address = vendor.environment["OPENAI_BASE_URL"].replace("http://", "HTTP://me:secret@") + "/"
        spelled = real.with_environment(OPENAI_BASE_URL=address).json("ingest", folder)
        assert spelled["documents"]["unchanged"] == 2
    again = paid.json("ingest", folder, "--collection", "rehearsal")
    assert again["documents"]["completed"] == 2
    assert billed(provider) == rehearsed
