"""Tabs: one reservation for many requests, more when they do not suffice, and what is told of each in the end."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from embedmill.shared.errors import FlowControl, InternalError, ProviderUnavailable, SettingsError
from embedmill.shared.providers.vectorstores.metering import MOST_AT_ONCE, Made, Offer, Tab
from tests.shared.providers.vectorstores.books import Books

OFFER = Offer("somebody", "something", ("list",))


def tab(books: Books, *, milliunits: int = 0, number: int = 1) -> Tab:
    return Tab(books, OFFER, "list", milliunits=milliunits, number=number, documents=("d1",))


def failing(error: BaseException) -> Callable[[], int]:
    def send() -> int:
        raise error

    return send


def test_many_requests_are_reserved_once_and_told_as_one() -> None:
    books = Books()
    with tab(books, milliunits=3000, number=3) as open_tab:
        for cost in (1000, 250, 1000):
            assert open_tab.ask(1000, lambda cost=cost: cost, lambda answer: answer) == cost  # type: ignore[misc]
        assert not books.ended, "settled after the last"
    (reserved,) = books.reserved
    assert (reserved.operation, reserved.milliunits, reserved.number) == ("list", 3000, 3)
    assert reserved.documents == ("d1",)
    assert books.ended == {0: Made(3, 2250)}


def test_a_tab_that_is_not_used_leaves_nothing_in_the_books() -> None:
    books = Books()
    with tab(books, milliunits=3000, number=3):
        pass
    assert books.reserved == []


def test_more_requests_than_were_reserved_for_are_reserved_for_in_growing_numbers() -> None:
    books = Books()
    with tab(books) as open_tab:
        for _ in range(1000):
            open_tab.ask(1000, lambda: None, lambda _: 1000)
    numbers = [requests.number for requests in books.reserved]
    assert numbers[:7] == [1, 2, 4, 8, 16, 32, 64]
    assert max(numbers) == MOST_AT_ONCE
    assert [requests.milliunits for requests in books.reserved] == [1000 * number for number in numbers]
    assert books.told() == 1_000_000
    assert books.ended[0] == Made(1, 1000)


def test_an_answer_that_cost_more_than_was_thought_is_told_in_full() -> None:
    books = Books()
    with tab(books) as open_tab:
        open_tab.ask(1000, lambda: None, lambda _: 70_000)
    assert books.told() == 70_000


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
    with tab(books, milliunits=5000, number=5) as open_tab:
        open_tab.ask(1000, lambda: None, lambda _: 300)
        with pytest.raises(type(error)):
            open_tab.ask(1000, failing(error), lambda _: 300)
    assert books.ended == {0: Made(1 + (doubtful > 0), 300, doubtful)}


def test_what_is_refused_beforehand_is_not_sent() -> None:
    books = Books(room=1000)
    sent: list[int] = []
    with tab(books) as open_tab:
        open_tab.ask(1000, lambda: sent.append(1), lambda _: 1000)
        with pytest.raises(FlowControl, match="no money"):
            open_tab.ask(1000, lambda: sent.append(2), lambda _: 1000)
    assert sent == [1]
    assert books.ended == {0: Made(1, 1000)}


def test_what_is_on_its_way_when_a_tab_is_closed_may_be_billed() -> None:
    books, gate, asked = Books(), threading.Event(), threading.Event()

    def send() -> None:
        asked.set()
        gate.wait(10)

    open_tab = tab(books, milliunits=2000, number=2)
    with ThreadPoolExecutor(1) as threads:
        with open_tab:
            threads.submit(open_tab.ask, 1000, send, lambda _: 1000)
            assert asked.wait(10)
        gate.set()
    assert books.doubtful() == 1000


def test_threads_share_a_tab() -> None:
    books = Books()
    with tab(books) as open_tab, ThreadPoolExecutor(8) as threads:
        for _ in range(300):
            threads.submit(open_tab.ask, 1000, lambda: None, lambda _: 500)
    assert books.told() == 150_000
    assert sum(made.number for made in books.ended.values()) == 300
