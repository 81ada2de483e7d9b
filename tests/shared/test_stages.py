"""The table of stages: it is sound, and what it names is there."""

import re
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import pytest

from embedmill.shared import stages
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db.schema import STAGE_LETTERS
from embedmill.shared.settings import NAMES
from embedmill.shared.stages import Product, Stage

ROOT = Path(__file__).parents[2]
FOLDERS = ("console", "producers", "retrieval", "shared", "simulators", "workers")
EVERY = [pytest.param(stage, id=stage.name) for stage in stages.STAGES]


@pytest.mark.parametrize("stage", EVERY)
def test_an_entry_names_what_there_is(stage: Stage) -> None:
    assert callable(resolve_name(stage.function))
    named = {stage.model_setting, stage.calls_setting, stage.most_slots_setting} - {""}
    assert named <= set(NAMES)
    assert 0 < len(stage.name) <= STAGE_LETTERS


@pytest.mark.parametrize("stage", EVERY)
def test_what_a_stage_needs_an_earlier_one_makes(stage: Stage) -> None:
    made = {earlier.makes for earlier in stages.STAGES[: stages.names().index(stage.name)]}
    assert set(stage.needs) <= made


def test_every_product_is_made_once() -> None:
    assert [stage.makes for stage in stages.STAGES if stage.makes] == list(Product)


def test_a_stage_of_another_release_comes_last() -> None:
    assert sorted(["index", "of-tomorrow", "chunk"], key=stages.place) == ["chunk", "index", "of-tomorrow"]
    assert stages.is_past("of-tomorrow", stages.last())


def test_few_files_name_a_stage() -> None:
    """`validate` is a stage and nothing else; the other names are words of vendors, columns and price files too."""
    quoted = re.compile(r"""["']validate["']""")
    tracked = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    product = [path for path in tracked if "migrations" not in path.parts]
    named = {str(path.relative_to(ROOT)) for path in product if quoted.search(path.read_text(encoding="utf-8"))}
    assert named == {"shared/stages.py"}


def test_what_does_not_apply_is_left_out() -> None:
    rules = CollectionSettings("hash")
    assert [stages.following(name, rules) for name in stages.names()] == ["validate", "embed", "index", "index"]
    assert stages.following("chunk", replace(rules, validator="off")) == "embed"
