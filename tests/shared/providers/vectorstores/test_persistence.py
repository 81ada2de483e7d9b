"""Persistence: a request that failed is made again, soon and not for long."""

import pytest

from embedmill.shared.errors import FlowControl, KeyRefused, ProviderUnavailable
from embedmill.shared.providers.vectorstores.persistence import Persistence


class Service:
    """Fails as told, then answers; time passes only in its pauses."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = iter(failures)
        self.now = 0.0
        self.asked = 0
        self.pauses: list[float] = []
        self.persistence = Persistence(sleep=self._sleep, draw=lambda: 0.5, clock=lambda: self.now)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.now += seconds

    def request(self) -> str:
        self.asked += 1
        if failure := next(self._failures, None):
            raise failure
        return "answer"

    def ask(self) -> str:
        return self.persistence.ask(self.request)


def away() -> ProviderUnavailable:
    return ProviderUnavailable("503", may_be_billed=False)


def limited(seconds: float, *, is_told: bool = True) -> FlowControl:
    return FlowControl("429", reason="rate", retry_after_seconds=seconds, is_told=is_told)


def test_a_stumble_is_tried_again_after_pauses_that_grow() -> None:
    service = Service(*(away() for _ in range(6)))
    assert service.ask() == "answer"
    assert service.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 0.8]


def test_what_fails_each_time_is_given_up_within_seconds() -> None:
    service = Service(*(away() for _ in range(99)))
    with pytest.raises(ProviderUnavailable):
        service.ask()
    assert service.asked == 8 and service.now < 4


def test_a_refusal_is_waited_for_as_told_and_shortly_when_nothing_was_told() -> None:
    service = Service(limited(1.5), limited(1.0, is_told=False))
    assert service.ask() == "answer"
    assert service.pauses == [1.5, 0.1]


TOLD_TO_WAIT = [
    limited(2.5),
    FlowControl("left alone", reason="circuit", retry_after_seconds=0.1),
    FlowControl("no money", reason="budget", retry_after_seconds=0.1),
    KeyRefused("401"),
]


@pytest.mark.parametrize("error", TOLD_TO_WAIT, ids=str)
def test_a_longer_wait_is_for_the_work_and_not_for_the_worker(error: FlowControl) -> None:
    service = Service(error)
    with pytest.raises(type(error)):
        service.ask()
    assert (service.asked, service.pauses) == (1, [])


def test_short_waits_do_not_add_up_to_a_long_one() -> None:
    service = Service(*(limited(2.0) for _ in range(99)))
    with pytest.raises(FlowControl):
        service.ask()
    assert service.now <= 6


def test_another_error_is_nothing_to_persist_in() -> None:
    service = Service(ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        service.ask()
    assert service.asked == 1
