"""Metered requests: one reservation for many requests, more when that does not suffice, and what becomes of each."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from embedmill.shared.errors import FlowControl, InternalError, ProviderUnavailable, SettingsError
from embedmill.shared.providers.vectorstores.metering import MOST_AT_ONCE, MeteredRequests, Offer
from tests.shared.providers.books import Books, Ended

OFFER = Offer("somebody", "something", ("list",))


def metered(books: Books, *, milliunits: int = 0, number: int = 1) -> MeteredRequests:
    return MeteredRequests(books, OFFER, "list", milliunits=milliunits, number=number, documents=("d1",))


def failing(error: BaseException) -> Callable[[], int]:
    def send() -> int:
        raise error

    return send


def test_many_requests_are_reserved_once_and_settled_as_one() -> None:
    books = Books()
    with metered(books, milliunits=3000, number=3) as requests:
        for cost in (1000, 250, 1000):
            assert requests.send(1000, lambda cost=cost: cost, lambda answer: answer) == cost  # type: ignore[misc]
        assert not books.ended, "settled after the last"
    (reserved,) = books.reserved
    assert (reserved.operation, reserved.milliunits, reserved.inputs) == ("list", 3000, 3)
    assert reserved.documents == ("d1",)
    assert books.ended == {0: Ended(3, 2250)}


def test_requests_that_are_not_made_leave_nothing_in_the_books() -> None:
    books = Books()
    with metered(books, milliunits=3000, number=3):
        pass
    assert books.reserved == []


def test_more_requests_than_were_reserved_for_are_reserved_for_in_growing_numbers() -> None:
    books = Books()
    with metered(books) as requests:
        for _ in range(1000):
            requests.send(1000, lambda: None, lambda _: 1000)
    numbers = [usage.inputs for usage in books.reserved]
    assert numbers[:7] == [1, 2, 4, 8, 16, 32, 64]
    assert max(numbers) == MOST_AT_ONCE
    assert [usage.milliunits for usage in books.reserved] == [1000 * number for number in numbers]
    assert books.answered() == 1_000_000
    assert books.ended[0] == Ended(1, 1000)


def test_an_answer_that_cost_more_than_was_thought_is_settled_in_full() -> None:
    books = Books()
    with metered(books) as requests:
        requests.send(1000, lambda: None, lambda _: 70_000)
    assert books.answered() == 70_000


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        (FlowControl("429", reason="rate", retry_after_seconds=1), 0),
        (FlowControl("not asked", reason="circuit", retry_after_seconds=1), 0),
        (FlowControl("no answer", reason="circuit", retry_after_seconds=1, may_be_billed=True), 1000),
        (ProviderUnavailable("500", may_be_billed=False), 0),
        (ProviderUnavailable("cut off"), 1000),
        (SettingsError("the key"), 0),
        (InternalError("what is this"), 1000),
        (KeyboardInterrupt(), 1000),
    ],
)
def test_only_what_was_certainly_not_billed_is_given_back(error: BaseException, doubtful: int) -> None:
    books = Books()
    with metered(books, milliunits=5000, number=5) as requests:
        requests.send(1000, lambda: None, lambda _: 300)
        with pytest.raises(type(error)):
            requests.send(1000, failing(error), lambda _: 300)
    assert books.ended == {0: Ended(2, 0, 300 + doubtful) if doubtful else Ended(1, 300)}


def test_what_is_refused_beforehand_is_not_sent() -> None:
    books = Books(room=1000)
    sent: list[int] = []
    with metered(books) as requests:
        requests.send(1000, lambda: sent.append(1), lambda _: 1000)
        with pytest.raises(FlowControl, match="no money"):
            requests.send(1000, lambda: sent.append(2), lambda _: 1000)
    assert sent == [1]
    assert books.ended == {0: Ended(1, 1000)}


def test_what_is_on_its_way_when_the_method_ends_may_be_billed() -> None:
    books, gate, asked = Books(), threading.Event(), threading.Event()

    def send() -> None:
        asked.set()
        gate.wait(60)

    requests = metered(books, milliunits=2000, number=2)
    with ThreadPoolExecutor(1) as threads:
        with requests:
            threads.submit(requests.send, 1000, send, lambda _: 1000)
            assert asked.wait(60)
        gate.set()
    assert books.doubtful() == 1000


def test_threads_share_a_reservation() -> None:
    books = Books()
    with metered(books) as requests, ThreadPoolExecutor(8) as threads:
        for _ in range(300):
            threads.submit(requests.send, 1000, lambda: None, lambda _: 500)
    assert books.answered() == 150_000
    assert sum(end.inputs or 0 for end in books.ended.values()) == 300
