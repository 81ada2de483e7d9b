"""What the stages of a query go by: the query's word over the collection's, and that over the settings."""

from dataclasses import fields, replace
from typing import Any

import pytest

from embedmill.console.services.collections import update_collection
from embedmill.console.services.opening import open_runtime
from embedmill.console.services.stage_settings import read_stage_settings
from embedmill.console.services.switches import Switches
from embedmill.producers.submission import create_collection
from embedmill.retrieval.grading.staged import Depths, Weights
from embedmill.retrieval.stage_settings import StageModel, StageSettings
from embedmill.shared.db.collections import get_collection
from embedmill.shared.errors import SettingsError
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from tests.migrated import place_migrated

HAIKU, OPUS = "anthropic/claude-haiku-5-5", "anthropic/claude-opus-4-7"
ON = StageSettings(
    ranks=True,
    normalises=True,
    decomposes=True,
    filter=StageModel(HAIKU),
    rank=StageModel(OPUS),
    answer=StageModel(OPUS),
    normalise=StageModel(HAIKU),
    decompose=StageModel(HAIKU),
)
OTHERS: dict[str, Any] = {
    "ranks": False,
    "expands": True,
    "normalises": False,
    "decomposes": False,
    "filter": None,
    "rank": StageModel("openai/gpt-9"),
    "answer": StageModel(OPUS, "http://elsewhere"),
    "normalise": None,
    "decompose": None,
    "domain": "pumps",
    "weights": Weights(0.4, 0.6),
    "depths": Depths(50, 10),
    "word_weight": 0.2,
}


@pytest.mark.parametrize(
    ("general", "own", "query", "named"),
    [
        ({}, {}, {}, (None, None, None, None)),
        ({}, {}, {"rank": True}, (HAIKU, OPUS, OPUS, None)),
        ({}, {"rank": True, "decompose": True}, {}, (HAIKU, OPUS, OPUS, HAIKU)),
        ({}, {"rank_model": "openai/r"}, {}, (None, None, None, None)),
        ({}, {"rank_model": "openai/r"}, {"rank": True}, (HAIKU, "openai/r", "openai/r", None)),
        ({"fast_model": "openai/f"}, {"answer_model": "openai/a"}, {}, ("openai/f", OPUS, "openai/a", None)),
        ({"fast_model": "openai/f"}, {}, {"rank": False}, (None, None, None, None)),
        (
            {"fast_model": "openai/f"},
            {"fast_model": "openai/g", "decompose": True},
            {},
            ("openai/g", OPUS, OPUS, "openai/g"),
        ),
        ({"rank_model": "openai/r"}, {"rank_model": "off"}, {}, (HAIKU, None, None, None)),
        ({"rank_model": "openai/r", "answer_model": "off"}, {}, {}, (HAIKU, "openai/r", None, None)),
    ],
)
def test_a_model_is_the_collections_or_else_the_settings(
    settings: Settings, general: dict[str, Any], own: dict[str, Any], query: Switches, named: tuple[str | None, ...]
) -> None:
    place_migrated(settings.home_path / "tracking.db")
    with open_runtime(settings.model_copy(update=general)) as runtime:
        stages = read_stage_settings(runtime, create_collection(runtime, "notes", **own), **query)
    models = (stages.filter, stages.rank, stages.answer, stages.decompose)
    assert tuple(None if model is None else model.name for model in models) == named


@pytest.mark.parametrize(
    ("general", "own", "query", "wanted"),
    [
        ({}, [], {}, False),
        ({"rank_model": OPUS}, [], {}, True),
        ({"rank_model": OPUS}, [True], {}, True),
        ({"rank_model": OPUS}, [False], {}, False),
        ({"rank_model": OPUS}, [False], {"rank": True}, True),
        ({"rank_model": OPUS}, [False, True], {}, True),
        ({"rank_model": OPUS}, [True, False], {}, False),
        ({"rank_model": OPUS}, [True], {"rank": False}, False),
        ({}, [True], {"rank": False}, False),
        ({}, [True, False], {}, False),
    ],
)
def test_the_query_decides_and_then_the_collection_and_then_the_settings(
    settings: Settings, general: dict[str, Any], own: list[bool], query: Switches, wanted: object
) -> None:
    place_migrated(settings.home_path / "tracking.db")
    with open_runtime(settings.model_copy(update=general)) as runtime:
        create_collection(runtime, "notes")
        for said in own:
            update_collection(runtime, "notes", rank=said)
        found = runtime.database.query(lambda connection: get_collection(connection, "notes"))
        assert read_stage_settings(runtime, found, **query).ranks is wanted


@pytest.mark.parametrize(
    ("general", "own", "query", "most"),
    [
        (None, None, None, None),
        (0.5, None, None, 0.5),
        (0.5, 0.2, None, 0.2),
        (0.5, 0.2, 0.0, 0.0),
        (0.0, None, None, 0.0),
        (None, 0.0, 0.1, 0.1),
    ],
)
def test_the_budget_of_a_query_is_the_nearest_that_was_named(
    settings: Settings, general: float | None, own: float | None, query: float | None, most: float | None
) -> None:
    place_migrated(settings.home_path / "tracking.db")
    with open_runtime(settings.model_copy(update={"query_max_usd": general})) as runtime:
        found = create_collection(runtime, "notes", max_usd=own)
        assert read_stage_settings(runtime, found, max_usd=query).max_usd == most


def test_a_collection_gives_up_its_bound_and_its_models(runtime: Runtime) -> None:
    create_collection(runtime, "notes", max_usd=0.5, rank_model="openai/r", similarity_weight=0.5)
    kept = update_collection(runtime, "notes", candidates=30).settings
    assert (kept["max_usd"], kept["rank_model"], kept["candidates"]) == (0.5, "openai/r", 30)
    changed = update_collection(runtime, "notes", max_usd=float("inf"), rank_model="").settings
    assert (changed["max_usd"], changed["rank_model"], changed["similarity_weight"]) == (None, "", 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fast_model": "haiku"},
        {"rank_model": "nobody/x"},
        {"answer_model": "rules"},
        {"similarity_weight": 1.1},
        {"similarity_weight": -0.1},
        {"similarity_weight": float("nan")},
        {"candidates": 0},
        {"candidates": 201},
        {"ranked": 51},
        {"ranked": 0},
        {"max_usd": -1.0},
        {"max_usd": float("nan")},
    ],
)
def test_settings_of_stages_have_bounds(runtime: Runtime, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        create_collection(runtime, "notes", **wrong)


@pytest.mark.parametrize("name", [each.name for each in fields(StageSettings)])
def test_the_digest_holds_all_that_an_answer_depends_on(name: str) -> None:
    if name == "max_usd":
        assert replace(ON, max_usd=1.0).digest == ON.digest
    else:
        assert replace(ON, **{name: OTHERS[name]}).digest != ON.digest


def test_the_digest_changes_with_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ON.digest
    from embedmill.retrieval import stage_settings

    other = {**stage_settings.PROMPTS, "rank": stage_settings.PROMPTS["filter"]}
    monkeypatch.setattr(stage_settings, "PROMPTS", other)
    assert ON.digest != before
