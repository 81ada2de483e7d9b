"""Workers that freeze at any moment of the index stage while others go on; the store ends with what the tracker claims.

A moment is before or after a transaction, a call of the store, or a request of it. What others do meanwhile is done
then, and the frozen worker goes on, or dies after its next write. All moments on all stores are for `make chaos`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from embedmill.console.services.comparing import compare
from embedmill.shared.db.engine import Database
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.leftovers import DELAYS
from embedmill.shared.db.manifest import list_tracked
from embedmill.shared.db.schema import attempt, index_version
from embedmill.shared.editions import Edition
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.pinecone.client import PineconeClient
from embedmill.shared.settings import Settings
from embedmill.shared.states import State
from embedmill.workers.chores.sweeper import sweep
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.index import index
from tests.e2e.stores import STORES, Place, running_place
from tests.shared.db.tracker import Tracker
from tests.workers.test_stages import STAGES

NUMBERS = count(1)
CALLS = ("upsert", "count_editions", "delete_stale", "delete_ids", "find_editions", "fetch_documents")


class Died(BaseException):
    """The worker was killed; nothing of its stage runs any more."""


class Freezer:
    """Counts the moments of one runtime's calls, and does something at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, runtime: WorkerRuntime) -> None:
        self._armed = False
        self._moment = 0
        self._at = 0
        self._strike: Callable[[], None] = lambda: None
        self.dies = False
        self.struck = False
        store = type(runtime.store(runtime.collection(1)))
        for name in CALLS:
            self._watch(monkeypatch, store, name)
        for name in ("query", "transact"):
            self._watch(monkeypatch, Database, name)
        for name in ("call", "find"):
            self._watch(monkeypatch, PineconeClient, name)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        original = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            self._pass()
            result = original(*arguments, **options)
            if name == "upsert" and issubclass(owner, VectorStore) and self._armed and self.dies and self.struck:
                raise Died
            self._pass()
            return result

        monkeypatch.setattr(owner, name, watched)

    def _pass(self) -> None:
        if not self._armed:
            return
        self._moment += 1
        if self._moment == self._at:
            self._armed, self.struck = False, True
            self._strike()
            self._armed = True

    def run(self, runtime: WorkerRuntime, claim: Lease, at: int, strike: Callable[[], None]) -> dict[int, Any] | None:
        """The index stage, interrupted by `strike` at one moment; None when it died."""
        self._armed, self.struck, self._moment, self._at, self._strike = True, False, 0, at, strike
        try:
            return dict(index(runtime, claim))
        except Died:
            return None
        finally:
            self._armed = False


@pytest.fixture(scope="module", params=[STORES[0], *(pytest.param(s, marks=pytest.mark.chaos) for s in STORES[1:])])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with running_place(request.param) as place:
        yield place


@pytest.fixture
def settings(place: Place, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    url = place.url
    if url.startswith("postgresql"):
        url += f"&schema=frozen{next(NUMBERS)}"
    if place.simulator:
        place.simulator.indexes.clear()
        place.simulator.lag_seconds = 0.0
    return settings.model_copy(update={"vector_url": url})


class Scene:
    """Two documents that readers see, and what may happen to them while a worker is frozen over their next version."""

    def __init__(self, runtime: WorkerRuntime, tracker: Tracker, folder: Path) -> None:
        self.runtime, self.tracker, self.folder = runtime, tracker, folder
        embedder = runtime.embedder("hash")
        tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)
        self.other = WorkerRuntime(runtime.settings, process_id="other")
        self._edition = 0
        folder.mkdir()
        self.finish(self.next_version())

    def next_version(self, edition: int | None = None) -> Lease:
        """Claim the indexing of other texts; an edition that was there before is the same text again."""
        self._edition += 1
        for number in range(2):
            (self.folder / f"{number}.txt").write_text(f"Document {number}, edition {edition or self._edition}.")
        job = self.tracker.create_job(f"job {self._edition}")
        self.tracker.submit(self._uris, text=f"{edition or self._edition}", job=job)
        claim = self.tracker.claim(self.tracker.queue(job=job))
        while claim.stage != "index":
            (sent,) = self.tracker.settle(claim, STAGES[claim.stage](self.other, claim)).items()
            claim = self.tracker.claim(sent[1], sent[0])
        return claim

    @property
    def _uris(self) -> list[str]:
        return [path.as_uri() for path in sorted(self.folder.iterdir())]

    def finish(self, claim: Lease) -> None:
        self.tracker.settle(claim, index(self.other, claim))

    def take_over(self, claim: Lease) -> None:
        """Another worker gets what the frozen one held, and finishes it."""
        self.tracker.rescue(claim)
        self.finish_waiting()

    def finish_waiting(self) -> None:
        pending = [row for row in self.tracker.rows() if row["state"] == State.PENDING]
        for job in {row["job_id"] for row in pending}:
            for again in self.tracker.claim_each(self.tracker.queue(job=job), "index"):
                self.finish(again)

    def require_agreement(self) -> None:
        """The store holds exactly what the tracker claims."""
        held = Counter[tuple[str, Edition]]()
        store = self.other.store(self.other.collection(1))
        for document, edition, rows in store.list_editions("v1-000"):
            held[document, edition] += rows
        with self.tracker.database.read() as connection:
            claimed = {
                (tracked.id, tracked.edition): tracked.indexed
                for page in list_tracked(connection, 1)
                for tracked in page
                if tracked.indexed
            }
        assert held == claimed
        assert compare(self.other, self.other.collection(1)).ok


Interlude = Callable[[Scene, Lease], None]


def finished_by_another(scene: Scene, claim: Lease) -> None:
    scene.take_over(claim)


def replaced(scene: Scene, claim: Lease) -> None:
    scene.take_over(claim)
    scene.finish(scene.next_version())


def deleted(scene: Scene, claim: Lease) -> None:
    scene.take_over(claim)
    scene.finish(scene.tracker.remove_all())


def replaced_and_put_back(scene: Scene, claim: Lease) -> None:
    scene.take_over(claim)
    scene.finish(scene.next_version())
    scene.finish(scene.next_version(edition=2))


def taken_away(scene: Scene, claim: Lease) -> None:
    scene.tracker.rescue(claim)


INTERLUDES: tuple[Interlude, ...] = (finished_by_another, replaced, deleted, replaced_and_put_back, taken_away)


EVERY = pytest.mark.parametrize("every", [7, pytest.param(1, marks=[pytest.mark.chaos, pytest.mark.timeout(900)])])
"""How many moments lie between two that are tried."""


@pytest.fixture
def scene(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> Iterator[Scene]:
    opened = Scene(runtime, tracker, tmp_path / "documents")
    yield opened
    opened.other.close()


def go_on(scene: Scene, freezer: Freezer, at: int, interlude: Interlude) -> bool:
    """One freeze at one moment; whether the stage has so many."""
    claim = scene.next_version()
    outcomes = freezer.run(scene.runtime, claim, at, lambda: interlude(scene, claim))
    if outcomes is not None:
        scene.tracker.settle(claim, outcomes)
    else:
        scene.tracker.rescue(claim)
    scene.finish_waiting()
    return freezer.struck


def pass_time(tracker: Tracker) -> None:
    """As if attempts had ended long enough ago for the sweeper's first look."""
    with tracker.database.write() as connection:
        connection.execute(update(attempt).values(ended_at=attempt.c.ended_at - DELAYS[0]))


@EVERY
@pytest.mark.parametrize("interlude", INTERLUDES, ids=lambda value: value.__name__)
def test_a_worker_that_freezes_and_goes_on_leaves_what_the_tracker_claims(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, interlude: Interlude, every: int
) -> None:
    freezer = Freezer(monkeypatch, scene.runtime)
    for at in count(2, every):
        if not go_on(scene, freezer, at, interlude):
            break
        scene.require_agreement()
    assert at > 8, "the stage has more moments than that"


@EVERY
@pytest.mark.parametrize("interlude", INTERLUDES, ids=lambda value: value.__name__)
def test_what_a_worker_wrote_before_it_was_killed_is_unseen_and_swept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, interlude: Interlude, every: int
) -> None:
    freezer = Freezer(monkeypatch, scene.runtime)
    freezer.dies = True
    for at in count(2, every):
        if not go_on(scene, freezer, at, interlude):
            break
        pass_time(scene.tracker)
        sweep(scene.other)
        scene.require_agreement()
