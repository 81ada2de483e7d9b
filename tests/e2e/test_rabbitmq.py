"""Workers on RabbitMQ: a stopped broker and dropped connections, idle or with a document in the worker's hands."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest

from tests.command import Command
from tests.e2e.workshop import Workshop, outlive
from tests.services import rabbitmq
from tests.services.needed import require
from tests.services.rabbitmq import OwnServer, Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(rabbitmq.why_not())
    with rabbitmq.running_server() as server:
        yield server


@pytest.fixture
def on_rabbitmq(cli: Command, server: Server) -> Command:
    server.wipe()
    return cli.with_settings(broker_url=server.url, workers="1")


def nothing(server: OwnServer) -> None:
    pass


def stop(server: OwnServer) -> None:
    server.control("stop_app")


def start(server: OwnServer) -> None:
    server.control("start_app")
    server.wait_until_it_answers()


def drop_connections(server: OwnServer) -> None:
    server.control("close_all_connections", "a test")


Strike = Callable[[OwnServer], None]
FAULTS: dict[str, tuple[Strike, Strike]] = {
    "connections dropped": (drop_connections, nothing),
    "stopped and started": (stop, start),
}


def test_the_worker_outlives_what_happens_to_rabbitmq(on_rabbitmq: Command, server: Server) -> None:
    with closing(Workshop(on_rabbitmq)) as workshop:
        workshop.wait_for(workshop.submit())
        if isinstance(server, OwnServer):
            for down, up in FAULTS.values():
                outlive(workshop, partial(down, server), partial(up, server))
