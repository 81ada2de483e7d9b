"""Rows whose words another version of the cutter cut: the chores cut them anew, and so does a repair."""

from collections.abc import Sequence

import pytest

from embedmill.console.services import verifying
from embedmill.producers.submission import create_collection
from embedmill.shared.db.collections import list_collections
from embedmill.shared.errors import ProviderUnavailable
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.words import cutter
from embedmill.workers.chores import recutter
from embedmill.workers.runtime import WorkerRuntime
from tests.contracts.rows import make_row, unit_vector

SERVER = "postgresql://nobody@nowhere/db"
VERSION = cutter.VERSION


@pytest.fixture
def asked(runtime: WorkerRuntime, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The shards that are asked to cut anew, and whether that is for a moment."""
    found: list[tuple[str, bool]] = []

    def cut(_: object, shard: str, *, deadline: float | None = None) -> int:
        found.append((shard, deadline is not None))
        return 1

    create_collection(runtime, "c", embedding="hash", shards=2)
    monkeypatch.setattr(EmbeddedVectorStore, "cut_anew", cut)
    return found


def shards_of(asked: Sequence[tuple[str, bool]]) -> set[str]:
    return {shard for shard, _ in asked}


def test_a_repair_cuts_all_of_it(runtime: WorkerRuntime, asked: list[tuple[str, bool]]) -> None:
    assert verifying.verify(runtime, "c", repair=True).ok
    assert shards_of(asked) == {"v1-000", "v1-001"}
    assert not any(for_a_moment for _, for_a_moment in asked)


def test_chores_cut_for_a_moment_where_nobody_bills_and_files_do_not_tell_that_all_is_cut(
    runtime: WorkerRuntime, asked: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddedVectorStore(runtime.home / "vectors" / "c9", dimensions=8)
    monkeypatch.setattr(type(runtime), "store", lambda *_: store)
    every = {"v1-000", "v1-001"}
    (collection,) = runtime.database.query(list_collections)
    ours = EmbeddedVectorStore(runtime.home / "vectors" / f"c{collection.id}", dimensions=collection.dimensions)
    ours.upsert("v1-001", [make_row("d", vector=unit_vector(1.0, dimensions=collection.dimensions))])
    cases = [("pinecone://x", 0, set()), (SERVER, 0, every), ("embedded://", 0, set()), ("embedded://", 1, every)]
    for url, newer, expected in cases:
        asked.clear()
        monkeypatch.setattr(cutter, "VERSION", VERSION + newer)
        monkeypatch.setattr(runtime, "settings", runtime.settings.model_copy(update={"vector_url": url}))
        recutter.cut_everywhere(runtime)
        assert shards_of(asked) == expected
        assert all(for_a_moment for _, for_a_moment in asked)


def test_a_server_that_is_away_keeps_no_chore_from_its_work(
    runtime: WorkerRuntime, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, bool]]
) -> None:
    def away(*_: object) -> None:
        raise ProviderUnavailable("away")

    monkeypatch.setattr(type(runtime), "store", away)
    monkeypatch.setattr(runtime, "settings", runtime.settings.model_copy(update={"vector_url": SERVER}))
    recutter.cut_everywhere(runtime)
