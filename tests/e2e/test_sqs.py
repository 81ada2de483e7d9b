"""Workers on SQS: receives that fail once, an endpoint that is away for a while, and a right that is missing."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.command import Command
from tests.e2e.workshop import Workshop
from tests.services import moto
from tests.services.fault_proxy import Proxy, running_proxy
from tests.services.needed import require
from tests.waiting import wait_until


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    require(moto.why_not())
    with moto.running_server() as server, running_proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def on_sqs(cli: Command, proxy: Proxy) -> Command:
    environment = {"AWS_ENDPOINT_URL_SQS": proxy.url, **moto.CREDENTIALS}
    return cli.with_environment(**environment).with_settings(broker_url="sqs://", workers="1")


def wait_for_errors(proxy: Proxy, number: int) -> None:
    wait_until(lambda: proxy.counts["errors"] >= number, "the worker met the error", seconds=40)


def refuse_for(proxy: Proxy, seconds: float) -> None:
    proxy.stop()
    back_at = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= back_at, "the outage is over")
    proxy.start()


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "503": lambda proxy: proxy.fail_next(503),
    "400": lambda proxy: proxy.fail_next(400),
    "refused": lambda proxy: refuse_for(proxy, 0.5),
    "away": lambda proxy: refuse_for(proxy, 6.0),
}


def test_the_worker_outlives_what_happens_to_sqs(on_sqs: Command, proxy: Proxy) -> None:
    with closing(Workshop(on_sqs)) as workshop:
        outlive(workshop, proxy)


def outlive(workshop: Workshop, proxy: Proxy) -> None:
    workshop.wait_for(workshop.submit())
    errors = 0
    for name, strike in FAULTS.items():
        strike(proxy)
        workshop.wait_for(workshop.submit())
        held = workshop.hold()
        waiting = workshop.submit()
        strike(proxy)
        workshop.release()
        workshop.wait_for(held, waiting)
        if name.isdigit():
            errors += 2
            wait_for_errors(proxy, errors)
