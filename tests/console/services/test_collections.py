"""Collections: made with settings that fit, and deleted whole or to be gone on with by the same call."""

import pytest

from embedmill.console.services.collections import (
    create_collection,
    delete_collection,
    list_collections,
    require_deletable,
    update_collection,
)
from embedmill.shared.errors import ProviderUnavailable, UserError
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker


def names(runtime: Runtime) -> list[str]:
    return [found.name for found in list_collections(runtime).collections]


def test_the_usual_overlap_shrinks_with_small_chunks_unless_it_was_chosen(runtime: Runtime) -> None:
    small = create_collection(runtime, "small", chunk_tokens=64)
    chosen = create_collection(runtime, "chosen", chunk_tokens=64, chunk_overlap=20)
    assert (small.settings["chunk_overlap"], chosen.settings["chunk_overlap"]) == (8, 20)


def test_an_update_leaves_what_was_not_chosen(runtime: Runtime) -> None:
    made = create_collection(runtime, "manuals", chunk_tokens=100, shards=2)
    changed = update_collection(runtime, "manuals", validator="off", chunk_tokens=None)
    assert changed.settings == {**made.settings, "validator": "off"}
    assert (changed.shards, changed.moving) == (2, False)


def test_a_collection_whose_vectors_cannot_be_dropped_stays_and_goes_with_the_next_try(
    runtime: Runtime, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.end_scan()
    tracker.complete_jobs()
    drops: list[str] = []

    def refuse(_: EmbeddedVectorStore, shard: str) -> None:
        drops.append(shard)
        if len(drops) == 1:
            raise ProviderUnavailable("the store is away")

    monkeypatch.setattr(EmbeddedVectorStore, "drop", refuse)
    with pytest.raises(ProviderUnavailable):
        delete_collection(runtime, "default")
    assert names(runtime) == ["default"]
    assert delete_collection(runtime, "default").deleted == "default"
    assert (names(runtime), len(drops)) == ([], 2)


def test_a_collection_that_is_worked_on_keeps_its_vectors(
    runtime: Runtime, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedVectorStore, "drop", lambda *_: pytest.fail("its vectors are dropped"))
    for ask in (require_deletable, delete_collection):
        with pytest.raises(UserError, match="still works on this collection"):
            ask(runtime, tracker.collection.name)
    assert names(runtime) == ["default"]
