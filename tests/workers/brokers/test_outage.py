"""An outage is said once, reminded of once a minute, and tried ever less often."""

import pytest

from embedmill.shared.errors import BrokerUnavailable
from embedmill.workers.brokers.outage import LONGEST_SECONDS, Outage
from tests.logs import captured_logs

AWAY = BrokerUnavailable("away")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_broker_is_tried_ever_less_often_until_it_answers(clock: Clock) -> None:
    outage = Outage(monotonic=clock)
    waits = []
    for _ in range(8):
        outage.failed(AWAY)
        began = clock.now
        while not outage.is_due:
            clock.now += 0.25
        waits.append(clock.now - began)
    assert waits == sorted(waits)
    assert waits[0] <= 1 and waits[-1] == LONGEST_SECONDS
    outage.succeeded()
    assert outage.is_due


def test_a_long_outage_fills_no_log(clock: Clock) -> None:
    outage = Outage(monotonic=clock)
    with captured_logs() as logs:
        for _ in range(600):
            outage.failed(AWAY)
            clock.now += 0.25
        outage.succeeded()
        outage.succeeded()
    assert [entry["event"] for entry in logs] == ["broker.unavailable"] * 3 + ["broker.back"]
