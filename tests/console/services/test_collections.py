"""Collections: made with settings that fit, and deleted whole or to be gone on with by the same call."""

import pytest

from embedmill.console.services.collections import (
    SettingChoices,
    create_collection,
    delete_collection,
    list_collections,
    require_deletable,
    update_collection,
)
from embedmill.console.services.opening import open_runtime
from embedmill.shared.errors import ProviderUnavailable, SettingsError, UsageError, UserError
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from tests.migrated import place_migrated
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer_model": "openai/gpt-9"},
        {"rank_model": "anthropic/nobody-1"},
        {"fast_model": "openai/gpt-9"},
        {"fast_model": "cohere/rerank-v99"},
    ],
)
def test_a_model_of_a_step_that_nobody_could_pay_is_refused_at_once(runtime: Runtime, wrong: SettingChoices) -> None:
    create_collection(runtime, "notes", fast_model="cohere/rerank-v3.5", answer_model="anthropic/claude-opus-4-7")
    for ask in (update_collection, create_collection):
        with pytest.raises(SettingsError, match="no price for") as refused:
            ask(runtime, "notes", **wrong)
        assert "EMBEDMILL_PRICES" in refused.value.hint
    assert update_collection(runtime, "notes", rank_model="off", answer_model="").settings["rank_model"] == "off"


def test_a_model_without_a_price_is_taken_where_that_is_allowed(settings: Settings) -> None:
    place_migrated(settings.home_path / "tracking.db")
    with open_runtime(settings.model_copy(update={"allow_unpriced": True})) as runtime:
        assert create_collection(runtime, "notes", rank_model="openai/gpt-9").settings["rank_model"] == "openai/gpt-9"


def test_a_domain_has_a_bound_and_one_that_is_there_stays(runtime: Runtime, tracker: Tracker) -> None:
    assert update_collection(runtime, "default", domain="x" * 2_000).settings["domain"] == "x" * 2_000
    for ask in (update_collection, create_collection):
        with pytest.raises(UsageError, match="2,001 characters: at most 2,000"):
            ask(runtime, "default", domain="x" * 2_001)
