"""Sampling: the first always, then a share that rises when more is wrong; never by chance."""

import pytest

from embedmill.shared.db.samples import VERDICT, Counts, Sampled
from embedmill.workers.validation.sampling import chunk_share, is_chunk_sampled, is_document_sampled, share_of


def chunk(number: int) -> Sampled:
    return Sampled(1, "document", 1, VERDICT, f"{number:024x}", number, "ref")


def sampled(counts: Counts, of: int = 4000) -> int:
    return sum(is_chunk_sampled(chunk(n), counts) for n in range(of))


def test_the_first_hundred_are_always_sampled() -> None:
    assert sampled(Counts(sampled=99)) == 4000
    assert sampled(Counts(sampled=100)) < 1000


def test_a_tenth_is_sampled_while_little_is_wrong() -> None:
    assert sampled(Counts(100, judged=100, errors=5)) == pytest.approx(400, rel=0.15)


def test_half_is_sampled_when_more_than_a_twentieth_is_wrong() -> None:
    assert sampled(Counts(100, judged=100, errors=6)) == pytest.approx(2000, rel=0.05)
    assert chunk_share(Counts(100, judged=200, errors=6)) == 0.10


def test_the_same_chunk_always_gets_the_same_answer() -> None:
    assert share_of("a") == share_of("a") != share_of("b")
    counts = Counts(500, 500, 0)
    assert [is_chunk_sampled(chunk(n), counts) for n in range(50)] == [
        is_chunk_sampled(chunk(n), counts) for n in range(50)
    ]


def test_what_a_tenth_samples_half_samples_too() -> None:
    few, many = Counts(100, 100, 0), Counts(100, 100, 50)
    assert all(is_chunk_sampled(chunk(n), many) for n in range(1000) if is_chunk_sampled(chunk(n), few))


def test_a_share_of_zero_collects_no_terms_at_all() -> None:
    assert not is_document_sampled(chunk(1), Counts(), share=0)
    assert is_document_sampled(chunk(1), Counts(), share=0.0001)
