"""The table of stages: it is sound, and what it names is there."""

from dataclasses import replace
from pkgutil import resolve_name

import pytest

from embedmill.shared import stages
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db.schema import STAGE_LETTERS
from embedmill.shared.settings import Settings
from embedmill.shared.stages import Product, Stage

EVERY = [pytest.param(stage, id=stage.name) for stage in stages.STAGES]


@pytest.mark.parametrize("stage", EVERY)
def test_an_entry_names_what_there_is(stage: Stage) -> None:
    assert callable(resolve_name(stage.function))
    named = {stage.model_setting, stage.calls_setting, stage.most_slots_setting} - {""}
    assert named <= Settings.model_fields.keys()
    assert 0 < len(stage.name) <= STAGE_LETTERS


@pytest.mark.parametrize("stage", EVERY)
def test_what_a_stage_needs_an_earlier_one_makes(stage: Stage) -> None:
    made = {earlier.makes for earlier in stages.STAGES[: stages.names().index(stage.name)]}
    assert set(stage.needs) <= made


def test_every_product_is_made_once() -> None:
    assert [stage.makes for stage in stages.STAGES if stage.makes] == list(Product)


def test_what_does_not_apply_is_left_out() -> None:
    rules = CollectionSettings("hash")
    assert [stages.following(name, rules) for name in stages.names()] == ["validate", "embed", "index", "index"]
    assert stages.following("chunk", replace(rules, validator="off")) == "embed"
