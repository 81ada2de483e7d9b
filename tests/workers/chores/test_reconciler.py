"""The reconciler: whatever a broker gave up is in the database afterwards, and its dead-letter queues are empty."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embedmill.shared.db import unreadable
from embedmill.shared.settings import Settings
from embedmill.shared.states import State
from embedmill.workers.brokers.base import Broker, DeadMessage, Health
from embedmill.workers.chores.reconciler import reconcile
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker

URIS = [f"file:///{n}" for n in range(3)]


class Shelf(Broker):
    """A broker that holds dead messages and nothing else."""

    def __init__(self, settings: Settings, dead: Sequence[DeadMessage]) -> None:
        super().__init__(settings)
        self.dead = list(dead)

    @classmethod
    def configure(cls, settings: Settings) -> dict[str, Any]:
        return {}

    def publish_many(self, messages: Sequence[BatchMessage]) -> None:
        raise AssertionError("the reconciler publishes nothing")

    def depths(self) -> dict[str, int]:
        return {}

    def drain_dead(self, handle: Callable[[DeadMessage], object], *, limit: int) -> int:
        for message in self.dead[:limit]:
            handle(message)
        drained = len(self.dead[:limit])
        self.dead = self.dead[limit:]
        return drained

    def check(self) -> Health:
        return Health("a shelf")

    def purge(self) -> None:
        self.dead.clear()

    def close(self) -> None:
        pass


def dead(body: Any, *, headers: Mapping[str, Any] | None = None) -> DeadMessage:
    arguments = json.dumps([[body], {}, {"callbacks": None}])
    return DeadMessage("embedmill-chunk", arguments, {"task": "embedmill.chunk"} if headers is None else headers)


def test_work_that_is_still_queued_goes_back_and_the_rest_stays_as_it_is(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    tracker.submit(URIS)
    ids = tracker.queue()
    tracker.claim(ids[:1])
    shelf = Shelf(runtime.settings, [dead(BatchMessage("chunk", tuple(ids)).encode())])
    assert reconcile(runtime.database, shelf) == 1
    assert tracker.states() == [State.RUNNING, State.PENDING, State.PENDING]
    assert reconcile(runtime.database, shelf) == 0


def test_a_dead_message_of_an_earlier_stage_changes_nothing(runtime: WorkerRuntime, tracker: Tracker) -> None:
    tracker.submit(URIS)
    ids = tracker.queue()
    reconcile(runtime.database, Shelf(runtime.settings, [dead(BatchMessage("index", tuple(ids)).encode())]))
    assert tracker.states() == [State.QUEUED] * 3


def test_what_cannot_be_read_is_kept(runtime: WorkerRuntime) -> None:
    strange = [
        dead({"v": 9}),
        dead({"v": 1}, headers={"task": "somebody.else"}),
        DeadMessage("embedmill-embed", "no JSON", {"task": "embedmill.embed"}),
        DeadMessage("embedmill-embed", "[1]", {}),
    ]
    assert reconcile(runtime.database, Shelf(runtime.settings, strange)) == 4
    with runtime.database.read() as connection:
        rows = unreadable.list_messages(connection)
    assert {row.queue for row in rows} == {"embedmill-chunk", "embedmill-embed"}
    assert len(rows) == 4
