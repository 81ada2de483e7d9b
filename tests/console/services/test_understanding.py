"""What questions are understood by: the terms of their collection, where somebody said so."""

import pytest

from embedmill.console.services.opening import open_runtime
from embedmill.console.services.stage_settings import read_stage_settings
from embedmill.console.services.switches import Switches
from embedmill.console.services.understanding import open_understanding
from embedmill.producers.submission import create_collection
from embedmill.retrieval.expansion.expansion import expand
from embedmill.retrieval.stage_settings import StageSettings
from embedmill.shared.db.schema import document
from embedmill.shared.db.terms import FoundTerm, replace_terms
from embedmill.shared.metering import Tally
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.words.queries import parse_query
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker


@pytest.mark.parametrize(
    ("chosen", "switches", "wanted"),
    [
        ({}, {}, False),
        ({"expand": True}, {}, True),
        ({"expand": True}, {"expand": None}, True),
        ({}, {"expand": True}, True),
        ({"expand": True}, {"expand": False}, False),
    ],
)
def test_a_query_switches_expansion_and_else_its_collection(
    runtime: Runtime, chosen: dict[str, bool], switches: Switches, *, wanted: bool
) -> None:
    found = create_collection(runtime, "notes", **chosen)
    understanding = open_understanding(runtime, found, read_stage_settings(runtime, found, **switches), Tally(), None)
    assert (understanding.open_thesaurus is not None) == wanted


def test_the_terms_of_the_collection_are_known_in_both_directions(runtime: Runtime, tracker: Tracker) -> None:
    tracker.meet(tracker.scan(), ["file:///a", "file:///b"])
    one, two = (row["id"] for row in tracker.rows(document))
    terms = {one: FoundTerm("RAM", ("main memory",), 3), two: FoundTerm("ram", ("work memory",), 1)}
    with runtime.database.write() as connection:
        for id_, term in terms.items():
            replace_terms(connection, [term], collection_id=tracker.collection.id, document_id=id_)
    understanding = open_understanding(runtime, tracker.collection, StageSettings(expands=True), Tally(), None)
    assert understanding.open_thesaurus is not None
    thesaurus = understanding.open_thesaurus()

    def names(query: str) -> set[str]:
        return {added.text.casefold() for added in expand(query, parse_query(query), thesaurus)}

    assert names("how much RAM is there") == {"main memory", "work memory"}
    assert names("how much main memory is there") >= {"ram"}


@pytest.mark.parametrize(
    ("chosen", "switches", "model", "by"),
    [
        ({}, {}, "anthropic/claude-haiku-5-5", ""),
        ({}, {"decompose": True}, "", "anthropic/claude-haiku-5-5"),
        ({"decompose": True}, {}, "openai/gpt-9", "openai/gpt-9"),
        ({"decompose": True}, {"decompose": False}, "", ""),
        ({"decompose": True}, {}, "off", ""),
        ({"rank": True}, {"rank": True}, "", ""),
    ],
)
def test_a_model_divides_only_where_somebody_said_so(
    settings: Settings, chosen: dict[str, bool], switches: Switches, model: str, by: str
) -> None:
    place_migrated(settings.home_path / "tracking.db")
    with open_runtime(settings.model_copy(update={"fast_model": model})) as runtime:
        found = create_collection(runtime, "notes", **chosen)
        stages = read_stage_settings(runtime, found, **switches)
        understanding = open_understanding(runtime, found, stages, Tally(), None)
    assert (understanding.divider.by, understanding.divider.open is not None) == (by, bool(by))
    if not by:
        assert ("no model" in understanding.divider.why) == (model == "off")
