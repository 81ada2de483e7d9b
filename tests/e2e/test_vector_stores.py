"""The whole way through the remote vector stores: ingest, search, verify, repair, change, delete."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from embedmill.simulators.faults import Fault
from tests.chaos.books import booked_units
from tests.command import Command, finish
from tests.corpus import text_of, write_corpus, write_spread_corpus
from tests.e2e.stores import Place, Stored, running_place
from tests.services.pinecone import billed
from tests.waiting import wait_until

DOCUMENTS = 10


@pytest.fixture(scope="module", params=[pytest.param("pgvector", marks=pytest.mark.chaos), "pinecone"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with running_place(request.param) as place:
        yield place


@pytest.fixture
def stored(cli: Command, place: Place) -> Stored:
    command = cli.with_environment(**place.environment, EMBEDMILL_VECTOR_URL=place.url)
    return Stored(command, place)


def test_documents_live_and_leave_and_what_the_store_lost_is_mended(stored: Stored, tmp_path: Path) -> None:
    cli, folder = stored.cli, write_spread_corpus(tmp_path / "documents", DOCUMENTS // 2, shards=2)
    first, second, changed, *_ = sorted(folder.iterdir())
    (folder / "special.txt").write_text("The quokka is a small marsupial that lives on Rottnest Island.")
    cli.json("collections", "create", "default", "--shards", "2")
    report = cli.json("ingest", folder)
    assert report["documents"]["completed"] == DOCUMENTS + 1
    estimated, spent = (report["estimate"] or {"usd": 0})["usd"], report["spend"]["usd"]
    assert spent / 3 <= estimated <= 3 * spent, "what a store bills is in both, or in neither"
    rows = cli.export()
    assert report["chunks"]["indexed"] == len(rows)
    hit = cli.json("search", "where does the quokka live", "--top-k", "3")["hits"][0]
    assert "quokka" in hit["text"]
    assert set(hit["stages"]) >= {"dense", "lexical", "fused"}
    require_equal_units(stored)
    before = bill_of(stored)

    with stored.opened() as store:
        shards = sorted({row["shard"] for row in rows.values()})
        assert len(shards) == 2
        lost = next(row for row in rows.values() if row["shard"] == shards[0])
        store.delete_ids(shards[0], [lost["id"]])
        id = next(row["id"] for row in rows.values() if row["shard"] == shards[1])
        model = store.fetch(shards[1], [id], with_vectors=True)[id]
        stale = replace(model, version="stale", id=f"{model.document}-stale-0", ordinal=0)
        orphan = replace(model, document="nobody", version="v", id="nobody-v-0", ordinal=0)
        store.upsert(shards[1], [stale, orphan])
        assert store.count(shards[1]) == 2 + sum(row["shard"] == shards[1] for row in rows.values())
    ours = bill_of(stored) - before
    broken = cli.run("verify", "--json").json["collections"][0]
    assert (broken["missing"], broken["stale"], broken["orphan"]) == (1, 1, 1)
    assert cli.json("verify", "--repair")["ok"]
    assert cli.export() == rows

    changed.write_text(text_of(int(changed.stem), edition=2))
    first.unlink()
    second.unlink()
    report = cli.json("ingest", folder)
    assert (report["documents"]["unchanged"], report["documents"]["completed"]) == (DOCUMENTS - 2, 1)
    assert report["documents"]["deleted"] == 2
    after = cli.export()
    texts = [row["text"] for row in after.values() if row["uri"] == changed.as_uri()]
    assert texts and not any("edition 1" in text for text in texts)
    assert not {first.as_uri(), second.as_uri()} & {row["uri"] for row in after.values()}
    assert cli.json("verify")["ok"]
    assert next(check for check in cli.json("doctor")["checks"] if check["name"] == "vectors")["ok"]
    require_equal_units(stored, besides=ours)
    with stored.opened() as store:
        cli.json("collections", "delete", "default", "--yes")
        assert [store.count(shard) for shard in shards] == [0, 0]


def bill_of(stored: Stored) -> Counter[str]:
    """What the store has billed so far; nothing where it bills nothing."""
    return billed(stored.place.simulator) if stored.place.simulator else Counter()


def require_equal_units(stored: Stored, *, besides: Mapping[str, int] | None = None) -> None:
    """Whatever the commands asked of the store is in the ledger, to the unit, and has a price."""
    assert booked_units(stored.cli, "settled") + Counter(besides) == bill_of(stored)
    spent = stored.cli.json("spend", "--by", "provider")
    assert spent["total"]["units"] == sum(booked_units(stored.cli, "settled").values()) / 1000
    assert (spent["total"]["usd"] > 0) == (spent["total"]["units"] > 0)
    assert spent["total"]["unsettled"]["calls"] == 0


def work_states(command: Command) -> dict[tuple[str, str | None], int]:
    """How much work is in which state, for which reason."""
    tracking = command.home / "tracking.db"
    if not tracking.exists():
        return {}
    with closing(sqlite3.connect(tracking)) as connection, suppress(sqlite3.OperationalError):
        query = "SELECT state, wait_reason, count(*) FROM work GROUP BY state, wait_reason"
        return {(state, reason): count for state, reason, count in connection.execute(query)}
    return {}


def test_a_dead_shard_parks_its_documents_and_the_others_are_indexed(cli: Command, tmp_path: Path) -> None:
    with running_place("pinecone") as place:
        assert place.simulator is not None
        # Only what is about this shard's rows never answers.
        place.simulator.faults.add(Fault(kind="slow", seconds=30, match="c1-v1-001", times=None))
        command = cli.with_environment(
            **place.environment, EMBEDMILL_VECTOR_URL="pinecone://mill?timeout=0.5&fresh=5", EMBEDMILL_LEASE_SECONDS="5"
        )
        command.json("collections", "create", "default", "--shards", "2")
        process = command.start("ingest", write_corpus(tmp_path / "documents", 12), "--json")

        def reached() -> bool:
            states = work_states(command)
            parked = states.get(("waiting", "circuit"), 0)
            return parked > 0 and states.get(("completed", None), 0) + parked == 12

        wait_until(reached, "the documents of the other shard are indexed", every=0.1)
        place.simulator.faults.clear()
        ran = finish(process)
        assert ran.status == 0, ran
        assert ran.json["documents"]["completed"] == 12
        assert command.json("verify")["ok"]


def test_without_money_for_the_store_an_ingest_waits_and_then_goes_on(cli: Command, tmp_path: Path) -> None:
    with running_place("pinecone") as place:
        stored = Stored(cli.with_environment(**place.environment, EMBEDMILL_VECTOR_URL=place.url), place)
        limit = ("--scope", "provider", "--name", "pinecone")
        stored.cli.json("budget", "set", *limit, "--usd", 0)
        process = stored.cli.start("ingest", write_corpus(tmp_path / "documents", 6), "--json")
        wait_until(lambda: work_states(stored.cli) == {("waiting", "budget"): 6}, "everything waits to be indexed")
        assert bill_of(stored) == Counter()
        stopped = stored.cli.run("search", "anything", "--mode", "dense", "--json")
        assert (stopped.status, stopped.json["error"]) == (1, "the budget for provider pinecone is used up")
        assert "embedmill budget show" in stopped.json["hint"]
        stored.cli.json("budget", "delete", *limit)
        report = finish(process).json
        assert report["documents"]["completed"] == 6
        assert report["spend"]["units"] == sum(bill_of(stored).values()) / 1000
        require_equal_units(stored)
