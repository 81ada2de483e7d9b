"""The rules of asking, with nobody to ask: second chances, culprits, outages, and a store that fails."""

from collections.abc import Mapping
from math import inf

import pytest

from embedmill.shared.asking.question import Request
from embedmill.shared.asking.sending import FAILED_REQUESTS, Pacing, ask_all
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    InputRefused,
    InputTooLong,
    ProviderRefused,
    ProviderUnavailable,
    StorageFailed,
    UnknownPrice,
)
from embedmill.shared.ledger import Usage
from embedmill.shared.metering import FreeMeter, Meter, Reservation
from tests.shared.asking.asked import Numbers, Said, say_all


def ask(
    question: Numbers, count: int, *, size: int = 8, meter: Meter | None = None, concurrency: int = 1
) -> dict[int, EmbedmillError]:
    requests = [Request(tuple(range(start, min(start + size, count)))) for start in range(0, count, size)]
    pacing = Pacing(concurrency, apart=concurrency > 1)
    errors = ask_all(question, requests, meter=meter or FreeMeter(), pace=pacing)
    assert errors.keys() | question.kept.keys() == set(range(count)), "every item has an end"
    assert not errors.keys() & question.kept.keys()
    return errors


@pytest.mark.parametrize("concurrency", [1, 4])
def test_everything_that_is_answered_is_kept(concurrency: int) -> None:
    question = Numbers()
    assert ask(question, 50, concurrency=concurrency) == {}
    assert len(question.asked) == 7


def test_what_an_answer_leaves_out_is_asked_for_once_more_and_then_falls_back() -> None:
    question = Numbers(lambda request: Said({n: "even" for n in request.items if n % 2 == 0}))
    assert ask(question, 4) == {}
    assert (question.asked, question.complaints) == ([(0, 1, 2, 3), (1, 3)], ["", "something was left out"])
    assert question.kept[1] == "unknown: something was left out"


def test_where_nothing_stands_for_an_answer_it_is_an_error() -> None:
    question = Numbers(lambda request: Said({}), falls_back=False)
    errors = ask(question, 2)
    assert {type(error) for error in errors.values()} == {ProviderUnavailable}
    assert len(question.asked) == 2


def refusing(*culprits: int, error: type[InputRefused] = InputRefused) -> Numbers:
    def answer(request: Request[int]) -> Said:
        if set(culprits) & set(request.items):
            raise error("no")
        return say_all(request)

    return Numbers(answer, falls_back=False)


def test_what_is_refused_is_found_and_its_neighbours_are_answered() -> None:
    question = refusing(3, 21)
    assert {n: type(error) for n, error in ask(question, 32).items()} == {3: InputRefused, 21: InputRefused}


def test_a_refusal_of_the_model_is_narrowed_down_too() -> None:
    question = Numbers(lambda request: Said({}, is_refusal=True) if 3 in request.items else say_all(request))
    assert ask(question, 8) == {}
    assert {n for n, said in question.kept.items() if said == "unknown: the model refused"} == {3}


def test_a_provider_that_refuses_everything_is_to_blame_and_is_not_asked_about_each() -> None:
    question = refusing(*range(64))
    assert {type(error) for error in ask(question, 64).values()} == {ProviderRefused}
    assert len(question.asked) < 16


def test_what_is_too_long_blames_nobody() -> None:
    question = refusing(*range(16), error=InputTooLong)
    assert {type(error) for error in ask(question, 16).values()} == {InputTooLong}


def test_an_item_at_which_the_provider_fails_each_time_is_alone_in_the_end() -> None:
    def answer(request: Request[int]) -> Said:
        if 5 in request.items:
            raise ProviderUnavailable("down", may_be_billed=False)
        return say_all(request)

    question = Numbers(answer)
    assert ask(question, 16).keys() == {5}
    assert question.asked.count((5,)) == 2


def test_a_provider_that_fails_for_everybody_is_left_alone() -> None:
    def fail(request: Request[int]) -> Said:
        raise ProviderUnavailable("down", may_be_billed=False)

    question = Numbers(fail)
    errors = ask(question, 100)
    assert len(question.asked) == FAILED_REQUESTS
    assert {type(error) for error in errors.values()} == {ProviderUnavailable, FlowControl}


def test_what_may_be_billed_is_not_asked_for_again() -> None:
    def cut(request: Request[int]) -> Said:
        raise ProviderUnavailable("cut off")

    question = Numbers(cut)
    ask(question, 8)
    assert len(question.asked) == 1


class Purse(FreeMeter):
    """A meter with money for so many items, and another error in the place of the budget's."""

    def __init__(self, items: int, error: EmbedmillError | None = None) -> None:
        self.left = items
        self._error = error or FlowControl("used up", reason="budget", retry_after_seconds=60)

    def reserve(self, usage: Usage) -> Reservation:
        if usage.inputs > self.left:
            raise self._error
        self.left -= usage.inputs
        return super().reserve(usage)


def test_a_request_is_cut_to_what_is_left_of_the_money() -> None:
    question, purse = Numbers(), Purse(11)
    errors = ask(question, 16, meter=purse)
    assert (purse.left, len(question.kept), {type(e) for e in errors.values()}) == (0, 11, {FlowControl})


class Returning(FreeMeter):
    """A meter with money for so many items at a time: a call that has ended gives back what it held."""

    def __init__(self, items: int) -> None:
        self.left = items

    def reserve(self, usage: Usage) -> Reservation:
        if usage.inputs > self.left:
            raise FlowControl("used up", reason="budget", retry_after_seconds=60)
        self.left -= usage.inputs
        call, meter = super().reserve(usage), self

        class Returned:
            fail, release, leave = call.fail, call.release, call.leave

            def settle(self, *_: object, **__: object) -> None:
                meter.left += usage.inputs

        return Returned()


@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_what_calls_in_flight_may_give_back_is_waited_for(concurrency: int) -> None:
    question = Numbers()
    assert ask(question, 40, meter=Returning(12), concurrency=concurrency) == {}
    assert sorted(map(len, question.asked)) == [8] * 5, "no request was cut"


def test_a_meter_is_told_for_how_long_a_call_is_worth_waiting_for() -> None:
    told: list[float] = []

    class Listening(FreeMeter):
        def reserve(self, usage: Usage) -> Reservation:
            told.append(usage.seconds_left)
            return super().reserve(usage)

    for most in (None, 3600.0):
        pace = Pacing(all_seconds=most)
        ask_all(Numbers(), [Request((1,)), Request((2,))], meter=Listening(), pace=pace)
    assert told[:2] == [inf, inf]
    assert 3600 >= told[2] >= told[3] > 0


def test_a_call_without_a_price_is_an_error_and_ends_the_asking() -> None:
    question = Numbers()
    errors = ask(question, 16, meter=Purse(0, UnknownPrice("no price")))
    assert ({type(error) for error in errors.values()}, question.asked) == ({UnknownPrice}, [])


class Full(Numbers):
    """Its store takes nothing the first time."""

    refusals = 1

    def keep(self, found: Mapping[int, str]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StorageFailed("the disk is full")
        super().keep(found)


def test_what_was_paid_is_stored_at_the_end_when_the_store_failed_once() -> None:
    question = Full()
    with pytest.raises(StorageFailed):
        ask(question, 64)
    assert question.kept.keys() == set(range(8)), "nothing more was asked, and what was answered is there"


def test_what_stands_for_answers_that_are_not_to_be_had_is_not_lost_either() -> None:
    def refuse(request: Request[int]) -> Said:
        raise InputRefused("no")

    question = Full(refuse)
    with pytest.raises(StorageFailed):
        ask(question, 2, size=1)
    assert question.kept.keys() == {0, 1}
