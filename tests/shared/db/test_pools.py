"""Pools in the database: what is wanted has a revision, a paused queue stands still, and one host has SQLite."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from embedmill.shared.db import leases, pools, presence, queueing
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Database
from embedmill.shared.db.presence import Report
from embedmill.shared.db.schema import supervisor, worker
from embedmill.shared.errors import HomeInUse
from embedmill.shared.states import State, WorkerState
from tests.shared.db.tracker import Tracker

REPORT = Report(WorkerState.IDLE, slots=4, busy=0, batches=2, documents=9, rate=1.5, rss_bytes=1000, message_age=3.0)


def register(database: Database, name: str, *, host: str = "here", **options: object) -> None:
    with database.write() as connection:
        presence.register_worker(connection, name, host=host, pid=7, queues=["embed"], **options)  # type: ignore[arg-type]


def supervise(database: Database, name: str, *, host: str = "here", slots: dict[str, int] | None = None) -> None:
    with database.write() as connection:
        presence.register_supervisor(connection, name, host=host, pid=7, pools=[{"queues": ["embed"], "slots": 1}])
        presence.beat_supervisor(connection, name, slots=slots or {})


def silence(database: Database) -> None:
    """Everybody spoke last an hour ago."""
    with database.write() as connection:
        for table in (worker, supervisor):
            connection.execute(table.update().values(heartbeat_at=clock() - 3600))


def shown(database: Database) -> dict[str, str]:
    with database.read() as connection:
        rows = presence.list_shown_workers(connection, silent_seconds=30.0)
    return {row["id"]: row["state"] for row in rows}


def test_every_change_raises_the_revision_and_leaves_the_rest(database: Database) -> None:
    with database.write() as connection:
        pools.scale_pool(connection, "embed", 8)
        pools.pause_pool(connection, "embed")
        pools.resume_pool(connection, "embed")
        pools.pause_pool(connection, "index")
        found = pools.read_pools(connection)
    assert (found["embed"].desired, found["embed"].paused, found["embed"].revision) == (8, False, 3)
    assert (found["index"].desired, found["index"].paused) == (None, True)
    assert found["chunk"].revision == 0
    with database.read() as connection:
        assert pools.find_paused(connection, ("embed", "index")) == ["index"]
        assert pools.is_paused(connection, "index") and not pools.is_paused(connection, "embed")


def pause(connection: Connection, *, paused: bool) -> None:
    (pools.pause_pool if paused else pools.resume_pool)(connection, "chunk")


def scale_to_nothing(connection: Connection, *, paused: bool) -> None:
    pools.scale_pool(connection, "chunk", 0 if paused else 3)


@pytest.mark.parametrize("stop", [pause, scale_to_nothing])
def test_work_of_a_queue_that_nobody_is_to_serve_is_not_dispatched(
    database: Database, tracker: Tracker, stop: Callable[..., None]
) -> None:
    tracker.submit(["file:///a", "file:///b"])
    with database.write() as connection:
        stop(connection, paused=True)
        assert queueing.count_ready(connection, tracker.job, limit=10) == 0
    assert tracker.queue() == []
    with database.write() as connection:
        stop(connection, paused=False)
    assert len(tracker.queue()) == 2


@pytest.mark.parametrize("stop", [pause, scale_to_nothing])
def test_what_lies_in_such_a_queue_takes_no_room_from_the_stages_before_it(
    database: Database, tracker: Tracker, stop: Callable[..., None]
) -> None:
    tracker.submit(["file:///a", "file:///b", "file:///c"])
    first, *_ = tracker.queue()
    tracker.claim([first])
    with database.write() as connection:
        assert [found.out for found in queueing.list_dispatchable(connection)] == [3]
        stop(connection, paused=True)
        assert [found.out for found in queueing.list_dispatchable(connection)] == [1], "what runs is out"
        stop(connection, paused=False)
        assert [found.out for found in queueing.list_dispatchable(connection)] == [3]


def test_what_is_in_hand_and_was_not_claimed_goes_back(database: Database, tracker: Tracker) -> None:
    tracker.submit(["file:///a", "file:///b", "file:///c"])
    first, *_ = ids = tracker.queue()
    tracker.claim([first])
    with database.write() as connection:
        assert queueing.put_back(connection, "embed", ids) == 0
        assert queueing.put_back(connection, "chunk", ids) == 2
    assert tracker.states() == [State.RUNNING, State.PENDING, State.PENDING]


def test_a_crash_in_company_is_not_held_against_a_document_that_was_claimed_by_itself(tracker: Tracker) -> None:
    tracker.submit(["file:///a"], max_attempts=1)
    with tracker.database.write() as connection:
        ids = [ready.id for ready in queueing.queue_ready(connection, tracker.job, limit=1)]
        claim = leases.claim(connection, "chunk", ids, worker="w", lease_seconds=60, company=1)
    assert tracker.rescue(claim).dead == 0
    assert (tracker.row(ids[0])["attempt"], tracker.row(ids[0])["crashes"]) == (0, 1)


def test_slots_are_those_that_live_supervisors_plan(database: Database) -> None:
    supervise(database, "silent", slots={"embed": 50})
    silence(database)
    supervise(database, "one", slots={"embed": 3, "chunk": 1})
    supervise(database, "two", slots={"embed": 4})
    with database.read() as connection:
        assert pools.count_slots(connection, silent_seconds=30.0).meant == {
            "chunk": 1,
            "validate": 0,
            "embed": 7,
            "index": 0,
        }


def test_a_worker_is_told_its_slots_and_when_to_go(database: Database) -> None:
    register(database, "w-1", slots=2)
    with database.write() as connection:
        assert presence.read_orders(connection, "w-1") == presence.Orders(None, drain=False)
        presence.order_slots(connection, "w-1", 5)
        assert presence.order_drain(connection, ["w-1", "w-2"]) == ["w-1"]
        assert presence.order_drain(connection, ["w-1"]) == []
        assert presence.read_orders(connection, "w-1") == presence.Orders(5, drain=True)
        assert presence.is_drain_ordered(connection, "w-1")


def test_a_worker_that_fell_silent_is_shown_as_lost_and_forgotten_later(database: Database) -> None:
    register(database, "silent")
    register(database, "talking")
    silence(database)
    with database.write() as connection:
        presence.report_worker(connection, "talking", REPORT)
    assert shown(database) == {"silent": "lost", "talking": "idle"}
    with database.write() as connection:
        assert presence.lose_silent(connection, silent_seconds=30.0) == 1
        assert presence.forget_stopped(connection, older_than_seconds=3600.0) == 0
    assert shown(database) == {"silent": "lost", "talking": "idle"}
    with database.write() as connection:
        assert presence.forget_stopped(connection, older_than_seconds=-1.0) == 1
    assert shown(database) == {"talking": "idle"}


def test_a_lost_worker_that_speaks_again_is_back(database: Database) -> None:
    register(database, "w-1")
    with database.write() as connection:
        presence.lose_worker(connection, "w-1")
        presence.report_worker(connection, "w-1", REPORT)
    assert shown(database) == {"w-1": "idle"}


def test_current_work_is_what_the_leases_say(database: Database, tracker: Tracker) -> None:
    register(database, "w-1")
    tracker.submit(["file:///a", "file:///b"])
    tracker.claim(tracker.queue(), worker="w-1")
    with database.write() as connection:
        presence.report_worker(connection, "w-1", REPORT)
    with database.read() as connection:
        (row,) = presence.list_shown_workers(connection, silent_seconds=30.0)
    ((current,),) = [row["current"]]
    assert (row["state"], current["stage"], current["documents"]) == ("busy", "chunk", 2)
    assert 0 <= current["seconds"] < 60


def test_a_worker_that_said_it_is_busy_and_holds_nothing_any_more_is_idle(database: Database) -> None:
    register(database, "w-1")
    with database.write() as connection:
        presence.report_worker(connection, "w-1", replace(REPORT, state=WorkerState.BUSY, busy=1))
    assert shown(database) == {"w-1": "idle"}


@pytest.mark.parametrize("register_other", [register, supervise])
def test_sqlite_is_refused_to_a_second_host(database: Database, register_other: object) -> None:
    register_other(database, "w-1", host="elsewhere")  # type: ignore[operator]
    with database.read() as connection:
        presence.require_one_host(connection, "elsewhere", silent_seconds=30.0)
        if connection.dialect.name == "postgresql":
            presence.require_one_host(connection, "here", silent_seconds=30.0)
            return
        with pytest.raises(HomeInUse, match="elsewhere is at work") as refused:
            presence.require_one_host(connection, "here", silent_seconds=30.0)
    assert "Postgres" in refused.value.hint
    silence(database)
    with database.read() as connection:
        presence.require_one_host(connection, "here", silent_seconds=30.0)
