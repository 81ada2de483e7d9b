"""A stage is an entry of the table and a function: one that is made up here runs, and is wherever stages are."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import select

from embedmill.console.services.estimates import StageEstimate, estimate
from embedmill.console.services.measures import MeasuredDocuments
from embedmill.shared import stages
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db import dead_letters, pools
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import attempt
from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Fail, Outcome
from embedmill.shared.settings import Settings
from embedmill.shared.stages import Product, Resource, Stage
from embedmill.shared.states import State
from embedmill.workers import tasks
from embedmill.workers.app import app
from embedmill.workers.brokers.table import configuration
from embedmill.workers.processes.pools import PoolKind, PoolSpec, default_kind, provider_cap
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stored import load_stored
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.working import embed_by_hash, work_off

NAME = "count-words"
ROOT = Path(__file__).parents[2]


def count_words(runtime: WorkerRuntime, claim: Lease) -> dict[int, Outcome]:
    """The throw-away stage: a document with few words is refused, all others go on."""
    stored, outcomes = load_stored(runtime.blobs, claim.items)
    for s in stored:
        following = stages.following(claim.stage, runtime.collection_settings(s.item.collection_id))
        few = len(s.chunk_set.text.split()) < 3
        outcomes[s.item.id] = Fail(UnreadableDocument("few words")) if few else Advance(following)
    return outcomes


def estimate_words(runtime: WorkerRuntime, settings: CollectionSettings, measured: MeasuredDocuments) -> StageEstimate:
    """What the estimate says of it: nobody is paid."""
    return StageEstimate()


@pytest.fixture(autouse=True)
def new_stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stage, between those that judge and embed; what anybody else asks the table from now on finds it there."""
    made = Stage(
        NAME,
        f"{__name__}:count_words",
        "refuse what has few words",
        needs=(Product.CHUNKS,),
        uses=frozenset({Resource.PROVIDER}),
        model_setting="embedding",
        most_slots_setting="embed_max_concurrency",
        estimate=f"{__name__}:estimate_words",
    )
    before, after = stages.STAGES[:2], stages.STAGES[2:]
    monkeypatch.setattr(stages, "STAGES", (*before, made, *after))
    return made


@pytest.fixture
def documents(tracker: Tracker, runtime: WorkerRuntime, tmp_path: Path) -> list[str]:
    """Two documents of a collection that `hash` embeds; the second has few words."""
    embed_by_hash(runtime, tracker)
    (tmp_path / "long.txt").write_text(text_of(0))
    (tmp_path / "short.txt").write_text("Two words")
    return [(tmp_path / name).as_uri() for name in ("long.txt", "short.txt")]


def test_documents_run_through_it_in_its_place(runtime: WorkerRuntime, tracker: Tracker, documents: list[str]) -> None:
    tracker.submit(documents)
    work_off(runtime, tracker)
    with tracker.database.read() as connection:
        run = connection.execute(select(attempt.c.work_id, attempt.c.stage).order_by(attempt.c.id)).all()
    assert tracker.states() == [State.COMPLETED, State.DEAD]
    assert [row.stage for row in run if row.work_id == run[0].work_id] == [*stages.names()]
    assert stages.names()[2] == NAME


def test_its_dead_letters_are_counted_at_it(runtime: WorkerRuntime, tracker: Tracker, documents: list[str]) -> None:
    tracker.submit(documents)
    work_off(runtime, tracker)
    everything = LetterFilter(stage=NAME)
    with tracker.database.read() as connection:
        (letters,) = dead_letters.measure_work(connection, everything)
    assert (letters.stage, letters.documents) == (NAME, 1)


def test_it_has_a_queue_and_a_task(settings: Settings) -> None:
    assert f"embedmill-{NAME}" in {queue.name for queue in configuration(settings)["task_queues"]}
    tasks.declare(NAME)
    assert app.tasks.pop(f"embedmill.{NAME}")


def test_its_queue_is_served_scaled_and_paused(tracker: Tracker) -> None:
    def scale(connection: Connection) -> Mapping[str, pools.Pool]:
        pools.scale_pool(connection, NAME, 3)
        pools.pause_pool(connection, NAME)
        return pools.read_pools(connection)

    assert NAME in PoolSpec().queues
    found = tracker.database.transact(scale)
    assert (found[NAME].desired, found[NAME].paused) == (3, True)
    with tracker.database.read() as connection:
        assert list(pools.count_slots(connection, silent_seconds=60).meant) == list(stages.names())


def test_what_it_may_use_decides_the_kind_and_the_number_of_its_slots() -> None:
    asks = Settings(embedding="openai/text-embedding-3-small", embed_max_concurrency=7)
    assert (default_kind(NAME, Settings()), default_kind(NAME, asks)) == (PoolKind.PREFORK, PoolKind.THREADS)
    cap = provider_cap(NAME, asks)
    assert cap is not None and (cap.slots, cap.setting) == (7, "EMBEDMILL_EMBED_MAX_CONCURRENCY")


def test_an_estimate_has_it_in_its_place(runtime: WorkerRuntime, tracker: Tracker) -> None:
    found = estimate(runtime, [], collection=tracker.collection.name)
    assert tuple(found.stages) == stages.names()
    assert set(found.total) == {"live"}


def test_it_is_in_the_tables_and_charts_of_the_docs() -> None:
    generate = _load(ROOT / "docs" / "generate.py")
    assert f"| `{NAME}` | refuse what has few words | always | chunks |" in generate.stage_table()
    assert f"validate --> {NAME}" in generate.stage_diagram()
    assert f"{NAME} --> embed" in generate.stage_diagram()


def test_what_it_needs_is_kept_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Stage("late", "", "", needs=(Product.VECTORS,))
    monkeypatch.setattr(stages, "STAGES", (*stages.STAGES[:-1], late, stages.STAGES[-1]))
    assert stages.depending_on(Product.VECTORS) == ("embed", "late", "index")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
