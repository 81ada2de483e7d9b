"""Documents whose provider failed before: gathered again once one is well, and a culprit is found by halves."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from embedmill.shared.db.settlement import RetryPolicy
from embedmill.shared.errors import FlowControl, ProviderUnavailable
from embedmill.shared.outcomes import Advance, Fail, Outcome, Park
from embedmill.workers.executor import outcome_of
from embedmill.workers.retrials import AGAIN, Company, apart, company_of, try_again, went_well
from tests.shared.db.tracker import Tracker

DOWN = ProviderUnavailable("cut off")
COUNT = 256


def try_all(members: Sequence[int], culprits: set[int]) -> tuple[list[int], list[int]]:
    """The sizes of what was tried together, and who is left."""
    sizes: list[int] = []
    left: list[int] = []

    def call(some: Sequence[int]) -> bool:
        sizes.append(len(some))
        is_well = not culprits & set(some)
        left.extend([] if is_well else some)
        return is_well

    try_again(members, call)
    assert sum(sizes) == len(members)
    return sizes, left


def test_all_share_requests_again_once_one_is_well() -> None:
    assert try_all(range(COUNT), set()) == ([1, 128, 127], [])


@pytest.mark.parametrize("culprit", [0, 1, 100, 128, 200, COUNT - 1])
def test_who_shares_with_a_culprit_is_rid_of_it_by_halves(culprit: int) -> None:
    left: Sequence[int] = range(COUNT)
    rounds = tried = 0
    while left != [culprit]:
        before = len(left)
        _, left = try_all(left, {culprit})
        assert len(left) <= before / 2
        rounds, tried = rounds + 1, tried + len(left)
    assert rounds <= 8 and tried <= COUNT, "each half is tried anew, and all halves are less than the whole"


def test_what_only_waits_says_nothing_of_its_provider() -> None:
    sizes: list[int] = []
    try_again(range(4), lambda some: sizes.append(len(some)))
    assert sizes == [1] * 4


ENDS: list[tuple[list[Outcome], bool | None]] = [
    ([Advance("index"), Advance("index")], True),
    ([Advance("index"), Fail(DOWN)], False),
    ([Park("circuit", 2.0, failure=DOWN), Advance("index")], False),
    ([outcome_of(FlowControl("429", reason="rate", retry_after_seconds=1.0))], None),
    ([Park("budget", 60.0), Advance("index")], True),
]


@pytest.mark.parametrize(("ends", "expected"), ENDS)
def test_how_it_went(ends: Sequence[Outcome], *, expected: bool | None) -> None:
    assert went_well(ends) is expected


def test_nobody_is_in_company_when_its_failure_may_be_its_last(tracker: Tracker) -> None:
    retry = RetryPolicy(base=2.0, longest=300.0, outage=1800.0)
    (item,) = tracker.take(["file:///a"]).items
    since = [None, item.claimed_at, item.claimed_at - 800, item.claimed_at - 901]
    assert [apart(replace(item, failing_since=at), retry) for at in since] == [0, AGAIN, AGAIN, item.id]


def test_company_is_halved_for_each_failure_and_the_last_try_is_alone(tracker: Tracker) -> None:
    retry = RetryPolicy(base=2.0, longest=300.0, outage=1800.0)
    (item,) = tracker.take(["file:///a"]).items
    failing = replace(item, failing_since=item.claimed_at)
    companies = [company_of(failing, retry, {item.id: failures}) for failures in (1, 2, 5)]
    assert [company.parts for company in companies] == [2, 4, 32]
    assert company_of(failing, retry, {}) == companies[0], "its attempt may not be on record yet"
    assert company_of(item, retry, {}) == Company()
    last = replace(failing, attempt=failing.max_attempts)
    assert company_of(last, retry, {item.id: 1}) == Company(alone=item.id)
