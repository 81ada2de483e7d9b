"""What is kept says nothing without its question."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.retrieval.sealing import seal, unseal


@given(st.binary(max_size=300), st.text(max_size=50))
def test_who_asks_the_same_question_reads_what_was_kept(content: bytes, question: str) -> None:
    assert unseal(seal(content, question), question) == content


def test_who_asks_another_question_reads_nothing() -> None:
    sealed = seal(b"the warranty of the pump", "how long is the warranty?")
    assert not re.search(rb"warranty|pump", sealed)
    for question in ("", "how long is the warranty? ", "pump"):
        with pytest.raises(ValueError, match=r"\w"):
            unseal(sealed, question)


@pytest.mark.parametrize("damaged", [b"", b"x", b"\0" * 40])
def test_what_was_damaged_is_told(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        unseal(damaged, "pump")


def test_half_of_a_pair_is_no_reason_to_fail() -> None:
    assert unseal(seal(b"x", "\ud83d"), "\ud83d") == b"x"
