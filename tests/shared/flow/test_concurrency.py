"""AIMD: half after a refusal, one more after as many answers as requests are allowed at once."""

from embedmill.shared.flow.concurrency import Concurrency


def test_a_refusal_halves_and_answers_bring_it_back_one_by_one() -> None:
    concurrency = Concurrency(8)
    assert concurrency.allowed == 8
    concurrency.refused()
    assert concurrency.allowed == 4
    for _ in range(5):
        concurrency.answered()
    assert concurrency.allowed == 5
    for _ in range(100):
        concurrency.answered()
    assert concurrency.allowed == 8


def test_one_request_is_always_allowed() -> None:
    concurrency = Concurrency(4)
    for _ in range(10):
        concurrency.refused()
    assert concurrency.allowed == 1
