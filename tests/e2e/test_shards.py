"""Shards that are damaged or gone: told by search, doctor and verify, and made anew from what is stored."""

from pathlib import Path
from typing import Any

import pytest

from tests.command import Command
from tests.corpus import write_spread_corpus
from tests.e2e.stores import Stored, running_place

SHARDS = 4


def vectors_folder(cli: Command) -> Path:
    return next((Path(cli.environment["EMBEDMILL_HOME"]) / "vectors").iterdir())


def exported(cli: Command) -> dict[str, Any]:
    return {row["id"]: row for row in cli.run("export", "--vectors").lines}


def fresh_tokens(cli: Command) -> int:
    return int(cli.json("spend")["total"]["tokens_fresh"])


def test_shards_that_are_lost_are_named_and_made_anew_without_paying(cli: Command, tmp_path: Path) -> None:
    cli.json("collections", "create", "default", "--shards", SHARDS)
    cli.json("ingest", write_spread_corpus(tmp_path / "documents", 2, shards=SHARDS))
    rows, embedded = exported(cli), fresh_tokens(cli)
    truncated, garbled, deleted, whole = sorted(vectors_folder(cli).glob("*.db"))
    former = garbled.read_bytes()
    truncated.write_bytes(truncated.read_bytes()[:5000])
    garbled.write_bytes(b"\x8f\x00garbage" * 1000)
    for file in vectors_folder(cli).glob(f"{deleted.name}*"):
        file.unlink()
    lost = {file.stem for file in (truncated, garbled, deleted)}

    found = cli.json("search", "document", "-k", 50)
    assert (set(found["partial"]), found["degraded"]) == (lost, True)
    assert {row["shard"] for row in rows.values() if row["uri"] in {hit["uri"] for hit in found["hits"]}} == {
        whole.stem
    }
    require_named_by_doctor(cli, lost)
    verified = cli.run("verify", "--json")
    assert verified.status == 1
    (compared,) = verified.json["collections"]
    assert set(compared["faulty_shards"]) == lost
    assert compared["missing"] == len({row["document"] for row in rows.values() if row["shard"] in lost})

    (repaired,) = cli.json("verify", "--repair")["collections"]
    assert (repaired["ok"], set(repaired["set_aside"])) == (True, {truncated.stem, garbled.stem})
    assert all(Path(kept).read_bytes() for kept in repaired["set_aside"].values())
    assert exported(cli) == rows
    assert fresh_tokens(cli) == embedded
    assert cli.json("search", "document")["partial"] == []
    assert cli.json("verify")["collections"][0]["faulty_shards"] == {}

    for file in vectors_folder(cli).glob(f"{garbled.name}-*"):
        file.unlink()
    garbled.write_bytes(former)
    assert cli.json("search", "document")["partial"] == [garbled.stem]
    require_named_by_doctor(cli, {garbled.stem})
    assert set(cli.run("verify", "--json").json["collections"][0]["faulty_shards"]) == {garbled.stem}
    assert cli.json("verify", "--repair")["ok"]
    assert exported(cli) == rows
    assert cli.json("search", "document")["partial"] == []


def require_named_by_doctor(cli: Command, lost: set[str]) -> None:
    vectors = next(check for check in cli.run("doctor", "--json").json["checks"] if check["name"] == "vectors")
    assert not vectors["ok"]
    assert all(shard in vectors["detail"] for shard in lost)
    assert "verify --repair" in vectors["hint"]


@pytest.mark.parametrize("name", [pytest.param("pgvector", marks=pytest.mark.chaos), "pinecone"])
def test_what_a_service_lost_of_a_collection_is_named_and_written_anew(cli: Command, tmp_path: Path, name: str) -> None:
    with running_place(name) as place:
        command = cli.with_environment(**place.environment, EMBEDMILL_VECTOR_URL=place.url)
        command.json("collections", "create", "default", "--shards", 2)
        command.json("ingest", write_spread_corpus(tmp_path / "documents", 2, shards=2))
        rows = command.export()
        gone, left = sorted({row["shard"] for row in rows.values()})
        with Stored(command, place).opened() as store:
            store.drop(gone)

        found = command.json("search", "document", "-k", 50)
        assert (found["partial"], found["degraded"]) == ([gone], True)
        assert {row["shard"] for row in rows.values() if row["uri"] in {hit["uri"] for hit in found["hits"]}} == {left}
        assert gone in command.run("doctor").stdout
        (compared,) = command.run("verify", "--json").json["collections"]
        assert set(compared["faulty_shards"]) == {gone}
        assert command.json("verify", "--repair")["ok"]
        assert command.export() == rows
        assert command.json("search", "document")["partial"] == []
