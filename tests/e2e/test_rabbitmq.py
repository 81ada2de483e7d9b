"""Workers on RabbitMQ: a stopped broker and dropped connections, idle or with a document in the worker's hands."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import cast

import pytest

from tests.command import Command
from tests.e2e.workshop import Workshop
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


def restart(server: OwnServer) -> None:
    server.control("stop_app")
    server.control("start_app")
    server.wait_until_it_answers()


def drop_connections(server: OwnServer) -> None:
    server.control("close_all_connections", "a test")


FAULTS: dict[str, Callable[[OwnServer], None]] = {"connections dropped": drop_connections, "restarted": restart}


def test_the_worker_outlives_what_happens_to_rabbitmq(on_rabbitmq: Command, server: Server) -> None:
    with closing(Workshop(on_rabbitmq)) as workshop:
        outlive(workshop, server)


def outlive(workshop: Workshop, server: Server) -> None:
    workshop.wait_for(workshop.submit())
    for strike in FAULTS.values() if server.can_die else ():
        strike(cast(OwnServer, server))
        workshop.wait_for(workshop.submit())
        held = workshop.hold()
        waiting = workshop.submit()
        strike(cast(OwnServer, server))
        workshop.release()
        workshop.wait_for(held, waiting)
