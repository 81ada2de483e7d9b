"""A process dies at every point between two steps, once each: whoever takes over comes to the same end."""

import json
from pathlib import Path

import pytest

from embedmill.shared import stages
from tests.chaos.fleet.conftest import MATRIX, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import LaunchedFleet
from tests.command import Command
from tests.waiting import wait_until

POINTS = Path(__file__).parents[1] / "points"
DOCUMENTS = 60

Point = tuple[str, str, str | None]


def around(where: str, *names: str) -> list[Point]:
    """Before and after, at each of the stages."""
    return [(where, when, stage) for when in ("before", "after") for stage in (names or (None,))]


WORKER_POINTS = [
    # Committed or not yet begun.
    *around("embedmill.workers.executor:_claim", *stages.names()),
    *around("embedmill.workers.executor:_run_stage", *stages.names()),
    *around("embedmill.workers.executor:_settle", *stages.names()),
    # Within the transaction.
    *around("embedmill.shared.db.leases:claim"),
    *around("embedmill.shared.db.settlement:settle"),
    *around("embedmill.workers.consuming.process:Process.publish", "validate", "embed", "index"),
    *around("embedmill.shared.providers.embeddings.base:Embedder.embed_many"),
    *around("embedmill.workers.stages.embed:_leave_to_index"),
    *around("embedmill.shared.providers.vectorstores.embedded.store:EmbeddedVectorStore.upsert"),
    *around("embedmill.workers.stages.index:switch_versions"),
    *around("embedmill.shared.providers.blobs.folder:FolderBlobStore.put"),
]
CHORE_POINTS = [
    *around("embedmill.workers.chores.runner:dispatch"),
    *around("embedmill.workers.chores.runner:ChoreRunner._publish"),
    *around("embedmill.shared.db.rescues:rescue"),
    *around("embedmill.shared.db.queueing:requeue_lost"),
    *around("embedmill.shared.db.jobs:complete_jobs"),
]


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_a_death_at_any_point_changes_nothing(services: Services, chaotic: Command, pair: tuple[str, str]) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    deaths = chaotic.folder / "deaths"
    deaths.mkdir()
    command = chaotic.altered_by(
        POINTS,
        DEATHS=str(deaths),
        POINTS=json.dumps(WORKER_POINTS),
        CHORE_POINTS=json.dumps(CHORE_POINTS),
        # Every innocent meets more deaths here than one that is guilty is allowed.
    ).with_settings(max_attempts="99", batch_documents="4")
    broker, database = (services[name] for name in pair)
    with LaunchedFleet(command, broker=broker, database=database) as fleet:
        fleet.start(2)
        job = fleet.command.json("submit", corpus)["job"]

        def is_finished() -> bool:
            fleet.revive()
            return fleet.is_finished(job)

        wait_until(is_finished, "the job is finished", seconds=600, every=0.1)
        fleet.revive()
        died = len(list(deaths.iterdir()))
        assert died == len(WORKER_POINTS) + len(CHORE_POINTS), sorted(found.name for found in deaths.iterdir())
        require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
        assert set(fleet.stop()) <= {0}
    tell(pair, f"{DOCUMENTS} documents, {died} points, each fatal once")
