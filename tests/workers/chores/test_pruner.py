"""The pruner: caches keep to their time and room, and what unfinished work needs stays whatever they say."""

import os
import sqlite3
from contextlib import closing

from embedmill.shared.caches.embeddings import DOCUMENT, KINDS, QUERY, Size
from embedmill.shared.db.retention import list_evictions
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VERDICT
from embedmill.shared.outcomes import Advance, Park
from embedmill.workers.chores.pruner import ENTRIES_AT_ONCE, PrunePolicy, prune
from embedmill.workers.runtime import WorkerRuntime
from tests.contracts.cache import QUERY_BYTES, VECTOR_BYTES, address, vector
from tests.services import redis
from tests.services.needed import require
from tests.shared.db.tracker import Tracker

HOUR = 3600.0
FOREVER = dict.fromkeys((*KINDS, VERDICT), 0.0)


def policy(
    *, keep: dict[str, float] | None = None, room: int = 0, verdict_room: int = 0, youngest: float = -1.0
) -> PrunePolicy:
    return PrunePolicy(FOREVER | (keep or {}), room, verdict_room, {}, 0, youngest_seconds=youngest)


def fill(runtime: WorkerRuntime, count: int, *, kind: str = DOCUMENT, first: int = 0) -> None:
    runtime.cache.put_many({address(n): vector(n) for n in range(first, first + count)}, kind=kind)


def age(runtime: WorkerRuntime, seconds: float) -> None:
    """Let everything that is cached be so much older."""
    with closing(sqlite3.connect(runtime.home / "cache.db")) as file, file:
        file.execute("UPDATE held SET used_at = used_at - ?", (seconds,))


def held(runtime: WorkerRuntime) -> int:
    return runtime.cache.count()


def test_without_limits_nothing_is_forgotten(runtime: WorkerRuntime, tracker: Tracker) -> None:
    fill(runtime, 3)
    age(runtime, 1000 * 24 * HOUR)
    assert prune(runtime, PrunePolicy.from_settings(runtime.settings), seconds=10) == {}
    assert held(runtime) == 3


def test_each_kind_is_kept_for_its_own_time(runtime: WorkerRuntime, tracker: Tracker) -> None:
    fill(runtime, 3)
    fill(runtime, 2, kind=QUERY, first=10)
    age(runtime, 48 * HOUR)
    fill(runtime, 1, kind=QUERY, first=20)
    assert prune(runtime, policy(keep={QUERY: 24 * HOUR}), seconds=10) == {QUERY: Size(2, 2 * QUERY_BYTES)}
    assert runtime.cache.measure() == {DOCUMENT: Size(3, 3 * VECTOR_BYTES), QUERY: Size(1, QUERY_BYTES)}
    assert tracker.database.query(list_evictions) == {QUERY: Size(2, 2 * QUERY_BYTES)}


def test_what_is_above_the_room_goes_in_steps_and_the_longest_unused_first(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    fill(runtime, 2 * ENTRIES_AT_ONCE)
    age(runtime, HOUR)
    fill(runtime, 100, first=2 * ENTRIES_AT_ONCE)
    gone = prune(runtime, policy(room=150 * VECTOR_BYTES), seconds=60)
    assert gone == {DOCUMENT: Size(2 * ENTRIES_AT_ONCE - 50, (2 * ENTRIES_AT_ONCE - 50) * VECTOR_BYTES)}
    young = [address(n) for n in range(2 * ENTRIES_AT_ONCE, 2 * ENTRIES_AT_ONCE + 100)]
    assert len(runtime.cache.get_many(young)) == 100
    assert prune(runtime, policy(room=150 * VECTOR_BYTES), seconds=60) == {}


def test_a_pruning_ends_in_time_and_goes_on_the_next_time(runtime: WorkerRuntime, tracker: Tracker) -> None:
    fill(runtime, 10)
    assert prune(runtime, policy(room=1), seconds=0) == {}
    assert prune(runtime, policy(room=1), seconds=10) == {DOCUMENT: Size(10, 10 * VECTOR_BYTES)}


def test_what_was_used_within_the_hour_stays_whatever_the_room(runtime: WorkerRuntime, tracker: Tracker) -> None:
    fill(runtime, 2)
    age(runtime, 2 * HOUR)
    fill(runtime, 2, first=10)
    settings = policy(room=1, youngest=HOUR)
    assert prune(runtime, settings, seconds=10) == {DOCUMENT: Size(2, 2 * VECTOR_BYTES)}
    assert prune(runtime, settings, seconds=10) == {}


def test_what_an_unfinished_document_may_need_stays(runtime: WorkerRuntime, tracker: Tracker) -> None:
    claim = tracker.take(["file:///a"])
    ((stage, ids),) = tracker.settle(claim, Advance("embed", {})).items()
    embedding = tracker.claim(ids, stage)
    fill(runtime, 3)
    (work,) = ids
    tracker.write(work, claimed_at=tracker.row(work)["claimed_at"] - 10 * HOUR)
    age(runtime, 9 * HOUR)
    tight = policy(room=1, keep={DOCUMENT: HOUR})
    assert prune(runtime, tight, seconds=10) == {}, "it is being embedded"
    tracker.settle(embedding, Park("circuit", 0.0))
    fill(runtime, 1, first=100)
    age(runtime, 20 * HOUR)
    assert prune(runtime, tight, seconds=10) == {DOCUMENT: Size(4, 4 * VECTOR_BYTES)}, (
        "older than the work: its attempt at embedding began after that"
    )


def test_what_a_document_was_embedded_with_stays_until_it_is_indexed(runtime: WorkerRuntime, tracker: Tracker) -> None:
    claim = tracker.take(["file:///a"])
    ((stage, ids),) = tracker.settle(claim, Advance("embed", {})).items()
    embedding = tracker.claim(ids, stage)
    fill(runtime, 3)
    tracker.settle(embedding, Advance("index", {}))
    assert prune(runtime, policy(room=1), seconds=10) == {}, "it waits for the store"
    tracker.control("cancel_job")
    assert prune(runtime, policy(room=1), seconds=10) == {DOCUMENT: Size(3, 3 * VECTOR_BYTES)}


def test_verdicts_are_forgotten_but_for_those_that_a_person_is_concerned_with(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    VerdictCache(runtime.database).put_many({f"{n:032x}": {"source": "model", "score": 3} for n in range(4)})
    gone = prune(runtime, policy(verdict_room=1), seconds=10)
    assert gone[VERDICT].entries == 4
    assert tracker.database.query(list_evictions)[VERDICT] == gone[VERDICT]


def test_a_cache_that_is_away_is_pruned_another_time(runtime: WorkerRuntime, tracker: Tracker) -> None:
    require(redis.why_not())
    with redis.running_server() as server:
        settings = runtime.settings.model_copy(update={"cache_url": server.url})
        elsewhere = WorkerRuntime(settings, process_id=runtime.process_id)
        fill(elsewhere, 1)
        assert prune(elsewhere, policy(room=1), seconds=10) == {DOCUMENT: Size(1, VECTOR_BYTES)}
        elsewhere.close()
    if not os.environ.get("TEST_REDIS_URL"):
        assert prune(elsewhere, policy(room=1), seconds=10) == {}
        elsewhere.close()
