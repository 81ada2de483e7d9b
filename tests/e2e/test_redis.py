"""Workers on Redis: whatever happens to Redis, the same worker goes on, idle or with a document in its hands."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import cast

import pytest

from tests.command import Command
from tests.e2e.workshop import Workshop, outlive
from tests.services import redis
from tests.services.needed import require
from tests.services.redis import OwnServer, Server


@pytest.fixture
def server() -> Iterator[Server]:
    require(redis.why_not())
    with redis.running_server() as server:
        yield server


@pytest.fixture
def on_redis(cli: Command, server: Server) -> Command:
    return cli.with_settings(broker_url=server.url, workers="1")


def nothing(server: Server) -> None:
    pass


def wipe(server: Server) -> None:
    server.wipe()


def drop(server: Server) -> None:
    server.drop_connections()


def kill(server: Server) -> None:
    cast(OwnServer, server).kill()


def stop(server: Server) -> None:
    cast(OwnServer, server).stop()


def start(server: Server) -> None:
    cast(OwnServer, server).start()


Strike = Callable[[Server], None]
FAULTS: dict[str, tuple[Strike, Strike]] = {
    "wiped": (wipe, nothing),
    "connections dropped": (drop, nothing),
    "stopped and started empty": (stop, start),
    "killed and started empty": (kill, start),
}


def test_the_worker_outlives_what_happens_to_redis(on_redis: Command, server: Server) -> None:
    with closing(Workshop(on_redis)) as workshop:
        workshop.wait_for(workshop.submit())
        for down, up in FAULTS.values():
            if server.can_die or up is nothing:
                outlive(workshop, partial(down, server), partial(up, server))


def test_doctor_says_that_redis_is_away(on_redis: Command, server: Server) -> None:
    assert on_redis.json("doctor")["ok"]
    away = on_redis.with_settings(broker_url="redis://:secret@127.0.0.1:1/0")
    ran = away.run("doctor", "--json")
    (broker,) = [check for check in ran.json["checks"] if check["name"] == "broker"]
    assert (ran.status, broker["ok"]) == (1, False)
    assert "cannot be reached" in broker["detail"] and broker["hint"]
    assert "secret" not in ran.stdout + ran.stderr
