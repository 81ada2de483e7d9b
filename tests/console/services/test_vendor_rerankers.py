"""A collection whose cheap model is a vendor's reranker: sifted by it, in the ledger, and in the steps."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from embedmill.console.services import searching
from embedmill.console.services.collections import create_collection, update_collection
from embedmill.console.services.stage_settings import read_stage_settings
from embedmill.producers.sources.given import GivenSource
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.schema import usage
from embedmill.shared.errors import SettingsError
from embedmill.shared.presence import Presence
from embedmill.shared.providers.rerankers.table import open_reranker
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker
from tests.shared.providers.rerankers.simulated import served
from tests.workers.working import submit_sources, work_off

NAME = "cohere/rerank-v3.5"
TEXTS = ["A drain made stack 2 wet.", "The pump is in room 7.", "Letters are kept.", "Stack 2 is wet again."]


@pytest.fixture
def indexed(settings: Settings) -> Iterator[WorkerRuntime]:
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        create_collection(opened, "c", embedding="hash", fast_model=NAME, rank_model="off")
        tracker = Tracker(opened.database)
        tracker.collection = opened.database.query(lambda connection: get_collection(connection, "c"))
        submit_sources(opened, tracker, [GivenSource.of({"id": str(n), "text": said} for n, said in enumerate(TEXTS))])
        work_off(opened, tracker)
        yield opened
        opened.close()


def test_what_is_found_is_sifted_by_it_and_paid_by_the_search(indexed: WorkerRuntime) -> None:
    with served(NAME) as vendor:
        found = searching.search(indexed, "why is stack 2 wet", collection="c", top_k=4, mode="hybrid", rank=True)
        again = searching.search(indexed, "why is stack 2 wet", collection="c", top_k=4, mode="hybrid", rank=True)
        assert vendor.simulator.bill.total("search_units") == 1, "a repeated query costs nothing"
    step = next(step for step in found.steps if step.name == "filter")
    assert (step.model, step.out, step.calls, step.usd, step.failed) == (NAME, 4, 1, 0.002, False)
    assert {hit.document for hit in found.hits[:2]} == {hit.document for hit in again.hits[:2]}
    with indexed.database.read() as connection:
        (row,) = connection.execute(select(usage).where(usage.c.provider == "cohere", usage.c.inputs > 0)).mappings()
    assert (row["operation"], row["state"]) == ("filter", "settled")
    assert (row["cost_microusd"], row["milliunits"]) == (2000, 1000)


def test_where_the_vendor_is_away_the_search_answers_without(
    indexed: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CO_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CO_API_KEY", "simulated")
    found = searching.search(indexed, "why is stack 2 wet", collection="c", top_k=4, mode="hybrid", rank=True)
    assert found.degraded and len(found.hits) == 4


def test_it_sifts_and_divides_no_question(runtime: Runtime) -> None:
    found = create_collection(runtime, "notes", fast_model=NAME, decompose=True)
    assert found.settings["fast_model"] == NAME
    collection = runtime.database.query(lambda connection: get_collection(connection, "notes"))
    stages = read_stage_settings(runtime, collection, rank=True)
    assert stages.filter is not None and stages.filter.name == NAME
    assert stages.decompose is None
    with pytest.raises(SettingsError, match="no model"):
        update_collection(runtime, "notes", rank_model=NAME)
    assert open_reranker(NAME).endpoint == ""
