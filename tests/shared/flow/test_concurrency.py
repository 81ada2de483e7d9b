"""As many requests at once as a provider bears: what was borne when one was refused, and one more now and then."""

import math

from embedmill.shared.flow.concurrency import LONGEST_PATIENCE, Concurrency

MOST = 8


def send(concurrency: Concurrency, *, borne: int) -> int:
    """As many as are allowed, of which a provider bears so many; returns how many it refused."""
    out = concurrency.allowed
    refused = max(0, out - borne)
    for _ in range(out):
        concurrency.began()
    for number in range(out):
        if number < refused:
            concurrency.refused()
        concurrency.ended()
    for _ in range(out - refused):
        concurrency.answered()
    return refused


def test_as_many_are_sent_as_were_borne_and_more_is_tried_ever_more_rarely() -> None:
    concurrency, borne = Concurrency(MOST), 2
    assert send(concurrency, borne=borne) == MOST - borne
    refused = [send(concurrency, borne=borne) for _ in range(1000)]
    assert sum(refused) <= 1000 / LONGEST_PATIENCE + math.log2(LONGEST_PATIENCE)
    assert sum(refused[:10]) >= 1, "a provider may bear more by now"


def test_once_more_is_borne_all_are_sent_again_soon() -> None:
    concurrency = Concurrency(MOST)
    for _ in range(100):
        send(concurrency, borne=2)
    rounds = 0
    while concurrency.allowed < MOST:
        assert send(concurrency, borne=MOST) == 0
        rounds += 1
    assert rounds <= 3 * LONGEST_PATIENCE


def test_one_that_was_refused_alone_says_nothing_of_how_many_are_borne() -> None:
    concurrency = Concurrency(MOST)
    concurrency.began()
    assert concurrency.refused()
    assert concurrency.allowed == MOST


def test_one_request_is_always_allowed() -> None:
    concurrency = Concurrency(MOST)
    assert send(concurrency, borne=0) == MOST
    assert concurrency.allowed == 1
