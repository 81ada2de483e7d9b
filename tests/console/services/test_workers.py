"""What operators want of worker pools: what is refused, what a change says, and how pools are planned."""

import socket
from dataclasses import replace

import pytest

from embedmill.console.services.workers import (
    check_health,
    drain_workers,
    list_workers,
    pause_queue,
    plan_pools,
    resume_queue,
    scale_queue,
)
from embedmill.shared import stages
from embedmill.shared.db import presence
from embedmill.shared.errors import NotFound, UsageError, UserError
from embedmill.shared.runtime import Runtime
from embedmill.workers.processes.pools import PoolKind


def staff(runtime: Runtime, name: str, queue: str) -> None:
    """A worker process of one slot, idle; it lives on another host, where no lock says that it does not."""
    with runtime.database.write() as connection:
        presence.register_worker(connection, name, host="elsewhere", pid=1, queues=[queue])


def test_scaling_beyond_what_the_provider_allows_needs_force(runtime: Runtime) -> None:
    runtime.settings = runtime.settings.model_copy(update={"embed_max_concurrency": 4})
    with pytest.raises(UserError, match="EMBEDMILL_EMBED_MAX_CONCURRENCY"):
        scale_queue(runtime, "embed", 5)
    with pytest.raises(UserError, match="EMBEDMILL_EMBED_MAX_CONCURRENCY"):
        plan_pools(runtime.settings, [("embed", 3), ("embed", 2)])
    assert scale_queue(runtime, "embed", 4).after.desired == 4
    assert scale_queue(runtime, "embed", 5, force=True).after.desired == 5
    assert scale_queue(runtime, "chunk", 50).after.desired == 50
    assert scale_queue(runtime, "embed", None).after.desired is None


def test_a_change_says_what_was_wanted_before_and_what_there_is(runtime: Runtime) -> None:
    staff(runtime, "one", "embed")
    paused = pause_queue(runtime, "embed")
    assert (paused.before.paused, paused.after.paused, paused.supervisors) == (False, True, 0)
    assert not resume_queue(runtime, "embed").after.paused
    assert scale_queue(runtime, "embed", 2, wait_seconds=0.001).converged is False
    assert scale_queue(runtime, "embed", 0).converged is None


def test_a_queue_or_a_worker_that_there_is_not_is_refused(runtime: Runtime) -> None:
    for refused in (
        lambda: scale_queue(runtime, "parse", 3),
        lambda: pause_queue(runtime, "parse"),
        lambda: plan_pools(runtime.settings, [("parse", 1)]),
        lambda: plan_pools(runtime.settings, [], kind="gevent"),
    ):
        with pytest.raises(UsageError):
            refused()
    with pytest.raises(NotFound, match="no worker is called 'nobody'"):
        drain_workers(runtime, ["nobody"])


def test_a_scaled_queue_that_loses_a_drained_worker_wants_one_slot_less(runtime: Runtime) -> None:
    scale_queue(runtime, "embed", 2)
    for name, queue in (("one", "embed"), ("two", "embed"), ("three", "index")):
        staff(runtime, name, queue)
    done = drain_workers(runtime, ["one", "three"])
    assert done.draining == ["one", "three"]
    assert [(str(c.queue), c.before.desired, c.after.desired) for c in done.pools] == [("embed", 2, 1)]
    assert drain_workers(runtime).draining == ["two"]


def test_workers_that_were_drained_are_waited_for(runtime: Runtime) -> None:
    staff(runtime, "one", "embed")
    assert drain_workers(runtime, ["one"], wait_seconds=0.001).stopped is False
    with runtime.database.write() as connection:
        presence.stop_worker(connection, "one")
    assert drain_workers(runtime, wait_seconds=0.001).stopped is True


def test_a_host_is_healthy_while_a_supervisor_lives_there(runtime: Runtime) -> None:
    assert not check_health(runtime).healthy
    with runtime.database.write() as connection:
        presence.register_supervisor(connection, runtime.process_id, host=socket.gethostname(), pid=1, pools=[])
        presence.register_supervisor(connection, "other", host="elsewhere", pid=1, pools=[])
    found = check_health(runtime)
    assert (found.healthy, [each.id for each in found.supervisors]) == (True, [runtime.process_id])


def test_pools_are_one_for_all_queues_or_one_for_each_that_is_named(runtime: Runtime) -> None:
    (pool,) = plan_pools(runtime.settings, [], concurrency=7, kind="processes")
    assert (pool.queues, pool.slots, pool.kind) == (stages.names(), 7, PoolKind.PREFORK)
    found = plan_pools(runtime.settings, [("chunk", 1), ("embed", 2), ("chunk", 3)])
    assert [(pool.queues, pool.slots) for pool in found] == [(("chunk",), 4), (("embed",), 2)]


def test_slots_that_a_worker_does_not_serve_yet_are_not_there(runtime: Runtime) -> None:
    staff(runtime, "one", "embed")
    starting = list_workers(runtime).workers[0]
    assert not starting.is_serving
    assert list_workers(runtime).pool("embed").actual == 0
    assert replace(list_workers(runtime).pool("embed"), desired=0).has_followed
