"""Workers on SQS: receives that fail once, an endpoint that is away for a while, and a right that is missing."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest

from tests.command import Command
from tests.e2e.workshop import Workshop, outlive
from tests.services import moto
from tests.services.fault_proxy import Proxy, running_proxy
from tests.services.needed import require
from tests.waiting import wait_until

OUTAGE_SECONDS = 1.0


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    require(moto.why_not())
    with moto.running_server() as server, running_proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def on_sqs(cli: Command, proxy: Proxy) -> Command:
    environment = {"AWS_ENDPOINT_URL_SQS": proxy.url, **moto.CREDENTIALS}
    return cli.with_environment(**environment).with_settings(broker_url="sqs://", workers="1")


def nothing(proxy: Proxy) -> None:
    pass


def come_back(seconds: float, proxy: Proxy) -> None:
    back_at = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= back_at, "the outage is over")
    proxy.start()


Strike = Callable[[Proxy], None]
FAULTS: dict[str, tuple[Strike, Strike]] = {
    "503": (lambda proxy: proxy.fail_next(503), nothing),
    "400": (lambda proxy: proxy.fail_next(400), nothing),
    "away": (Proxy.stop, partial(come_back, OUTAGE_SECONDS)),
}


def test_the_worker_outlives_what_happens_to_sqs(on_sqs: Command, proxy: Proxy) -> None:
    with closing(Workshop(on_sqs)) as workshop:
        workshop.wait_for(workshop.submit())
        for down, up in FAULTS.values():
            outlive(workshop, partial(down, proxy), partial(up, proxy))
        wait_until(lambda: not proxy.due, "the worker met every error")
        workshop.wait_for(workshop.submit())


def test_a_right_that_is_missing_is_counted_and_shown_by_doctor(on_sqs: Command, proxy: Proxy) -> None:
    with closing(Workshop(on_sqs)) as workshop:
        proxy.fail_next(403, times=100_000)
        wait_until(
            lambda: workshop.query("SELECT broker_refusals FROM worker WHERE broker_refusals > 0"), "it is counted"
        )
        ran = on_sqs.run("doctor", "--json")
    (workers,) = [check for check in ran.json["checks"] if check["name"] == "workers"]
    assert (ran.status, workers["ok"]) == (1, False)
    assert "AccessDenied" in workers["detail"]
