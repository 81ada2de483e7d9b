"""A stream of requests: several threads' texts share them, a limit is waited for, and nobody fails for another."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from embedmill.shared.asking.packing import ItemSize, Room
from embedmill.shared.asking.question import Request
from embedmill.shared.asking.sending import Pacing
from embedmill.shared.asking.stream import HOLD_SECONDS, Stream, Surroundings
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    InputRefused,
    ProviderUnavailable,
    StorageFailed,
    UserError,
)
from embedmill.shared.ledger import Usage
from embedmill.shared.metering import FreeMeter, Headroom, Meter, Reservation
from tests.shared.asking.asked import Answers, Numbers, Said, say_all
from tests.waiting import wait_until

NumberStream = Stream[int, str, Said]


class Asked:
    """A stream of numbers of ten tokens each, at most four in a request, and what was kept of it."""

    def __init__(
        self,
        answers: Answers = say_all,
        *,
        meter: Meter | None = None,
        concurrency: int = 1,
        apart: bool | None = None,
        headroom: Callable[[], Headroom] = Headroom,
        expects_more: Callable[[], bool] = lambda: False,
        inputs: int = 4,
        tries_first: bool = False,
    ) -> None:
        self.question = Numbers(answers, falls_back=False)
        around = Surroundings(lambda: concurrency, headroom, expects_more, tries_first=tries_first)
        room, pace = Room(inputs, 1000), Pacing(1, apart=concurrency > 1 if apart is None else apart)
        self.stream: NumberStream = Stream(self.question, meter or FreeMeter(), pace, room=room, surroundings=around)
        self.kept: dict[int, str] = {}

    def ask(self, *numbers: int) -> dict[int, EmbedmillError]:
        return self.stream.obtain(dict.fromkeys(numbers, ItemSize(10)), self._keep)

    def _keep(self, found: Mapping[int, str]) -> None:
        assert not self.kept.keys() & found.keys(), "paid for twice"
        self.kept |= found

    @property
    def sizes(self) -> list[int]:
        return [len(asked) for asked in self.question.asked]


def ask_together(asked: Asked, parts: Sequence[Sequence[int]]) -> list[Future[dict[int, EmbedmillError]]]:
    """Each part by a thread of its own; returns when all of them have ended."""
    with ThreadPoolExecutor(len(parts)) as threads:
        return [threads.submit(asked.ask, *part) for part in parts]


def test_texts_of_one_thread_are_packed_and_kept() -> None:
    asked = Asked()
    assert asked.ask(*range(10)) == {}
    assert asked.kept.keys() == set(range(10))
    assert asked.sizes == [4, 4, 2]
    assert asked.stream.is_idle


def test_texts_of_several_threads_share_requests() -> None:
    arrived = threading.Barrier(5)
    come = threading.Event()

    def expects_more() -> bool:
        return not come.is_set()

    asked = Asked(expects_more=expects_more)

    def ask(number: int) -> dict[int, EmbedmillError]:
        arrived.wait()
        return asked.ask(number)

    with ThreadPoolExecutor(5) as threads:
        futures = [threads.submit(ask, number) for number in range(5)]
        wait_until(lambda: asked.sizes == [4], "four fill a request")
        come.set()
    assert [future.result() for future in futures] == [{}] * 5
    assert asked.sizes == [4, 1]


def test_several_requests_are_in_flight_for_one_thread() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def answer(request: Request[int]) -> Said:
        meeting.wait()
        return say_all(request)

    asked = Asked(answer, concurrency=3)
    assert asked.ask(*range(12)) == {}


def test_what_was_answered_is_kept_before_more_is_asked() -> None:
    happened: list[str] = []

    def answer(request: Request[int]) -> Said:
        happened.append(f"asked {request.items[0]}")
        return say_all(request)

    asked = Asked(answer, concurrency=3, apart=False)
    keep = asked._keep

    def keep_loudly(found: Mapping[int, str]) -> None:
        happened.append(f"kept {min(found)}")
        keep(found)

    assert asked.stream.obtain(dict.fromkeys(range(12), ItemSize(10)), keep_loudly) == {}
    assert happened == [f"{what} {first}" for first in (0, 4, 8) for what in ("asked", "kept")]


def test_whoever_is_answered_does_not_wait_for_the_others() -> None:
    goes_on = threading.Event()

    def answer(request: Request[int]) -> Said:
        if 9 in request.items:
            goes_on.wait(30)
        return say_all(request)

    asked = Asked(answer, concurrency=2)
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(asked.ask, 9)
        wait_until(lambda: asked.sizes == [1], "the first is in flight")
        assert threads.submit(asked.ask, 1, 2, 3, 4).result(30) == {}
        assert not slow.done()
        goes_on.set()
        assert slow.result(30) == {}


def test_what_is_refused_fails_alone() -> None:
    def answer(request: Request[int]) -> Said:
        if 3 in request.items:
            raise InputRefused("no")
        return say_all(request)

    asked = Asked(answer)
    first, second = (future.result() for future in ask_together(asked, [[1, 2, 3], [4, 5, 6, 7, 8]]))
    assert (set(first), second) == ({3}, {})
    assert asked.kept.keys() == {1, 2, 4, 5, 6, 7, 8}


def test_an_outage_ends_everybody_and_the_next_begins_anew() -> None:
    down = True

    def answer(request: Request[int]) -> Said:
        if down:
            raise ProviderUnavailable("down")
        return say_all(request)

    asked = Asked(answer)
    ends = [future.result() for future in ask_together(asked, [range(20), range(20, 40)])]
    assert [len(errors) for errors in ends] == [20, 20]
    down = False
    assert asked.ask(*range(8)) == {}


class Granting(FreeMeter):
    """Keeps back as often as it is told."""

    def __init__(self, *errors: EmbedmillError) -> None:
        self.errors = list(errors)
        self.asked: list[int] = []

    def reserve(self, usage: Usage) -> Reservation:
        self.asked.append(usage.inputs)
        if self.errors:
            raise self.errors.pop(0)
        return super().reserve(usage)


def _rate(seconds: float) -> FlowControl:
    return FlowControl("later", reason="rate", retry_after_seconds=seconds)


@pytest.mark.parametrize(("money", "sizes"), [(60, [32, 16, 8]), (3, [2])], ids=["most of it", "hardly any"])
def test_the_last_of_the_money_is_not_spent_in_ever_smaller_requests(money: int, sizes: list[int]) -> None:
    class Purse(FreeMeter):
        left = money

        def reserve(self, usage: Usage) -> Reservation:
            if usage.inputs > self.left:
                raise FlowControl("used up", reason="budget", retry_after_seconds=60)
            self.left -= usage.inputs
            return super().reserve(usage)

    asked = Asked(meter=Purse(), inputs=64)
    errors = asked.ask(*range(64))
    assert asked.sizes == sizes
    assert len(errors) == 64 - sum(sizes)


def test_one_request_is_alone_until_something_is_answered() -> None:
    meeting = threading.Barrier(2, timeout=30)
    alone: list[int] = []

    def answer(request: Request[int]) -> Said:
        if min(request.items) >= 8:
            meeting.wait()
            return say_all(request)
        alone.append(request.items[0])
        if 0 in request.items:
            raise ProviderUnavailable("cut off", may_be_billed=True)
        return say_all(request)

    asked = Asked(answer, concurrency=2, tries_first=True)
    assert asked.ask(*range(16)).keys() == set(range(4))
    assert alone == [0, 4]
    assert asked.question.asked[:2] == [(0, 1, 2, 3), (4, 5, 6, 7)]


def test_a_short_wait_for_a_limit_is_waited_and_nothing_is_parked() -> None:
    meter = Granting(_rate(0.01), _rate(0.01))
    asked = Asked(meter=meter)
    assert asked.ask(*range(4)) == {}
    assert meter.asked == [4, 4, 4]


def test_for_a_long_wait_everything_is_parked_until_its_time() -> None:
    asked = Asked(meter=Granting(_rate(HOLD_SECONDS + 1)))
    errors = asked.ask(*range(8))
    assert {str(error) for error in errors.values()} == {"later"}
    assert asked.question.asked == []
    assert asked.ask(*range(8)) == {}


def test_who_comes_when_there_is_enough_to_do_is_sent_away_until_that_is_nearly_done() -> None:
    goes_on = threading.Event()

    def answer(request: Request[int]) -> Said:
        goes_on.wait(30)
        return say_all(request)

    # A token a second; four are in flight, and eight wait.
    asked = Asked(answer, concurrency=1, apart=True, headroom=lambda: Headroom(40, 60))
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(asked.ask, *range(12))
        wait_until(lambda: asked.sizes == [4], "one is in flight")
        seconds = [next(iter(asked.ask(number).values())) for number in (20, 21)]
        goes_on.set()
        assert first.result(30) == {}
    assert [error.retry_after_seconds for error in seconds if isinstance(error, FlowControl)] == [
        pytest.approx(40 - HOLD_SECONDS / 2),
        pytest.approx(50 - HOLD_SECONDS / 2),
    ]


def test_a_request_is_as_large_as_there_is_room_for_now() -> None:
    rooms = iter([1000, 20, 40, 10, 1000, 1000])
    asked = Asked(headroom=lambda: Headroom(next(rooms), None))
    assert asked.ask(*range(8)) == {}
    assert asked.sizes == [2, 4, 1, 1]


def test_a_request_takes_what_the_provider_counts_as_much_as_it_takes() -> None:
    # Four fit one request by our count, and two where it counts fifty times as many tokens.
    asked = Asked(headroom=lambda: Headroom(None, None, counted=50.0))
    assert asked.ask(*range(4)) == {}
    assert asked.sizes == [2, 2]


def test_what_a_limit_grants_is_not_lost_by_waiting_for_more() -> None:
    asked = Asked(headroom=lambda: Headroom(30, 300), expects_more=lambda: True)
    assert asked.ask(1) == {}
    assert asked.sizes == [1]


def test_the_second_request_waits_for_what_the_first_answer_tells_of_limits() -> None:
    heard = threading.Event()
    in_flight = []

    def answer(request: Request[int]) -> Said:
        in_flight.append(request.items)
        assert heard.is_set() or len(in_flight) == 1
        heard.set()
        return say_all(request)

    asked = Asked(
        answer, concurrency=4, headroom=lambda: Headroom(None if heard.is_set() else 10, None, heard.is_set())
    )
    assert asked.ask(*range(9)) == {}
    assert asked.sizes == [1, 4, 4]


def test_a_setting_that_is_wrong_ends_it_for_all() -> None:
    asked = Asked(meter=Granting(UserError("wrong")))
    assert {type(error) for error in asked.ask(1, 2, 3, 4, 5).values()} == {UserError}


def test_a_store_that_fails_is_raised_to_everybody_whose_answers_it_did_not_take() -> None:
    asked = Asked()

    def fail(found: Mapping[int, str]) -> None:
        raise StorageFailed("full")

    with pytest.raises(StorageFailed):
        asked.stream.obtain({1: ItemSize(10)}, fail)
    assert asked.ask(1, 2) == {}


def test_whoever_leads_and_breaks_takes_the_others_along_and_leaves_what_is_in_flight() -> None:
    class Odd(Exception):
        pass

    def expects_more() -> bool:
        raise Odd

    asked = Asked(expects_more=expects_more)
    for future in ask_together(asked, [[1], [2]]):
        assert isinstance(future.exception(), Odd)
    assert asked.stream.is_idle
