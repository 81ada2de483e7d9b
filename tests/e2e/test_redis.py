"""Workers on Redis: whatever happens to Redis, the same worker goes on, idle or with a document in its hands."""

from collections.abc import Iterator
from contextlib import closing
from typing import cast

import pytest

from tests.command import Command
from tests.e2e.workshop import Workshop
from tests.services import redis
from tests.services.needed import require
from tests.services.redis import OwnServer, Server
from tests.waiting import wait_until


@pytest.fixture
def server() -> Iterator[Server]:
    require(redis.why_not())
    with redis.running_server() as server:
        yield server


@pytest.fixture
def on_redis(cli: Command, server: Server) -> Command:
    return cli.with_settings(broker_url=server.url, workers="1")


def restart_killed(server: Server) -> None:
    own = cast(OwnServer, server)
    own.kill()
    own.start()


def restart_stopped(server: Server) -> None:
    own = cast(OwnServer, server)
    own.stop()
    own.start()


FAULTS = {
    "wiped": lambda server: server.wipe(),
    "connections dropped": lambda server: server.drop_connections(),
    "stopped and started empty": restart_stopped,
    "killed and started empty": restart_killed,
}


def test_the_worker_outlives_what_happens_to_redis(on_redis: Command, server: Server) -> None:
    with closing(Workshop(on_redis)) as workshop:
        outlive(workshop, server)


def outlive(workshop: Workshop, server: Server) -> None:
    workshop.wait_for(workshop.submit())
    for name, strike in FAULTS.items():
        if not server.can_die and "started" in name:
            continue
        strike(server)
        workshop.wait_for(workshop.submit())
        held = workshop.hold()
        waiting = workshop.submit()
        strike(server)
        workshop.release()
        workshop.wait_for(held, waiting)


def test_without_the_patch_a_lost_redis_still_ends_the_worker_that_holds_a_document(
    on_redis: Command, server: Server
) -> None:
    """When this fails, upstream has mended it: take `close_once` out of workers/celery_compat.py."""
    if not server.can_die:
        pytest.skip("a Redis that the tests did not start is not killed")
    with closing(Workshop(on_redis.with_environment(UNPATCHED="1"))) as workshop:
        first = workshop.worker()
        workshop.hold()
        restart_killed(server)
        workshop.release()
        wait_until(lambda: workshop.worker() not in (None, first), "another worker takes its place", seconds=45)
