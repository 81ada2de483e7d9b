"""Moving a collection to other shards with the real command, under readers, writers and a kill."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from embedmill.console.services.opening import open_runtime
from embedmill.console.services.searching import open_searcher
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.configuration import load_settings
from embedmill.shared.db.collection_changes import count_moves
from embedmill.shared.filtering.conditions import Compare
from embedmill.shared.sharding import shard_for
from embedmill.simulators.faults import Fault
from tests.command import Command, finish, kill_group
from tests.corpus import text_of, write_spread_corpus
from tests.e2e.stores import STORES, Place, running_place
from tests.waiting import wait_until

# Of every shard, or of the most that a test moves to.
EACH = 4
Rows = Mapping[str, Mapping[str, Any]]


@pytest.fixture(
    scope="module",
    params=[store if store == "embedded" else pytest.param(store, marks=pytest.mark.chaos) for store in STORES],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with running_place(request.param) as place:
        yield place


def on(cli: Command, place: Place) -> Command:
    return cli.with_environment(**place.environment, EMBEDMILL_VECTOR_URL=place.url)


def names(count: int) -> list[str]:
    return [f"v1-{number:03}" for number in range(count)]


def movers(rows: Rows, before: int, after: int) -> set[str]:
    """Documents whose shard is another one."""
    documents = {row["document"] for row in rows.values()}
    return {d for d in documents if shard_for(d, names(before)) != shard_for(d, names(after))}


def chunks(rows: Rows) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows.values():
        found.setdefault(row["uri"], set()).add(row["chunk"])
    return found


def without_shards(rows: Rows) -> dict[str, dict[str, Any]]:
    return {id: {name: value for name, value in row.items() if name != "shard"} for id, row in rows.items()}


def assert_at_home(rows: Rows, count: int) -> None:
    assert {id: row["shard"] for id, row in rows.items()} == {
        id: shard_for(row["document"], names(count)) for id, row in rows.items()
    }


def test_documents_move_while_readers_see_each_whole_and_once(
    cli: Command, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = on(cli, place)
    command.json("collections", "create", "default", "--shards", "2")
    command.json("ingest", write_spread_corpus(tmp_path / "documents", EACH, shards=4))
    before = command.export()
    for name, value in command.environment.items():
        monkeypatch.setenv(name, value)
    # However slow the machine is, no shard is too late.
    monkeypatch.setenv("EMBEDMILL_SEARCH_SECONDS", "120")
    monkeypatch.chdir(tmp_path)
    count, moves = 2, 0
    with open_runtime(load_settings()) as runtime, open_searcher(runtime, "default") as readers:
        for shards in (4, 1):
            process = command.start("collections", "reshard", "default", "--shards", shards, "--json")
            rounds = 0
            while process.poll() is None or rounds == 0:
                rounds += 1
                for uri, expected in chunks(before).items():
                    found = readers.search(
                        "Document", mode="dense", where=Compare("uri", "=", uri), top_k=50, view=EVERY_CHUNK
                    )
                    assert sorted(hit.chunk for hit in found.hits) == sorted(expected), (uri, found)
            ran = finish(process)
            assert ran.status == 0, ran
            moved = movers(before, count, shards)
            assert (ran.json["documents"], ran.json["finished"]) == (len(moved), True)
            assert ran.json["vectors"] == sum(row["document"] in moved for row in before.values())
            former, moves = moves, runtime.database.query(partial(count_moves, collection_id=1))
            assert moves > former, "readers are told, whose store asks all shards at once"
            count = shards
            after = command.export()
            assert without_shards(after) == without_shards(before)
            assert_at_home(after, shards)
    assert command.json("verify")["ok"]
    assert command.json("collections", "show", "default")["shards"] == 1
    assert len(command.json("jobs", "list")["jobs"]) == 1, "nothing was embedded or indexed anew"


def test_a_move_that_was_killed_is_taken_up_and_meanwhile_everything_works(cli: Command, tmp_path: Path) -> None:
    with running_place("pinecone") as place:
        simulator = place.simulator
        assert simulator is not None
        command, folder = on(cli, place), write_spread_corpus(tmp_path / "documents", EACH, shards=3)
        command.json("ingest", folder)
        before = command.export()
        moved = movers(before, 1, 3)
        assert {shard_for(d, names(3)) for d in moved} == {"v1-001", "v1-002"}
        # The first shard gets its documents, the second does not answer.
        simulator.faults.add(Fault(kind="slow", seconds=60, path="upsert", after=1, times=None))
        process = command.start("collections", "reshard", "default", "--shards", 3)
        wait_until(lambda: sum(e.path.endswith("/delete") for e in simulator.exchanges) >= 1, "some have moved")
        kill_group(process)
        finish(process)
        simulator.faults.clear()
        halfway = command.export()
        assert without_shards(halfway) == without_shards(before)
        assert len({row["shard"] for row in halfway.values()}) == 2
        assert command.json("verify")["ok"]
        assert command.json("collections", "show", "default")["moving"]
        assert command.run("collections", "reshard", "default", "--shards", 2).status != 0

        waiting = {row["uri"]: row["document"] for row in halfway.values() if row["shard"] == "v1-000"}
        uri = next(uri for uri, document in waiting.items() if document in moved)
        changed = Path(uri.removeprefix("file://"))
        changed.write_text(text_of(int(changed.stem), edition=2))
        assert command.json("ingest", folder)["documents"]["completed"] == 1
        texts = [row["text"] for row in command.export().values() if row["uri"] == uri]
        assert texts and not any("edition 1" in text for text in texts)
        assert command.json("verify")["ok"]

        report = command.json("collections", "reshard", "default", "--shards", 3)
        assert report["finished"]
        assert 0 < report["documents"] < len(moved)
        after = command.export()
        assert_at_home(after, 3)
        assert chunks(after).keys() == chunks(before).keys()
        assert command.json("verify")["ok"]
        assert not command.json("collections", "show", "default")["moving"]


@pytest.mark.chaos
def test_what_no_shard_holds_whole_comes_from_the_cache(cli: Command, tmp_path: Path) -> None:
    command = cli
    command.json("ingest", write_spread_corpus(tmp_path / "documents", EACH, shards=2))
    before = command.export()
    (command.home / "vectors" / "c1" / "v1-000.db").unlink()
    report = command.json("collections", "reshard", "default", "--shards", 2)
    assert (report["documents"], report["repaired"]) == (0, len(movers(before, 1, 2)))
    assert command.json("verify", "--repair")["ok"]
    assert without_shards(command.export()) == without_shards(before)
    assert all(job["chunks"]["embedded"] == 0 for job in command.json("jobs", "list")["jobs"][:-1])
