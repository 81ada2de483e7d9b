"""Cursors are read as they were written, and nothing else is."""

from typing import Any

import pytest

from embedmill.retrieval.paging import Cursor, read_cursor, stands_for, write_cursor
from embedmill.retrieval.view import MOST_OFFSET, View
from embedmill.shared.errors import UsageError

CURSOR = Cursor(10, "asked", "shown", ("s1", "ü"), by_words=True)

FORGED = write_cursor(Cursor(10**30, "asked", "shown"))


def test_a_cursor_comes_back_as_it_was_written() -> None:
    written = write_cursor(CURSOR)
    assert read_cursor(written) == CURSOR
    assert written.isascii()
    assert not set(written) & set("=+/ ")


@pytest.mark.parametrize(
    "text", ["", "10", "ü", "!!", write_cursor(CURSOR)[:-8], write_cursor(Cursor(0, "a", "b")), "W" * 99, FORGED]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no cursor"):
        read_cursor(text)


def test_a_hash_stands_for_values_in_their_order() -> None:
    assert stands_for(["a", 1]) == stands_for(["a", 1])
    assert len({stands_for(parts) for parts in (["a", "b"], ["b", "a"], ["ab"], ["a b"], [])}) == 5


@pytest.mark.parametrize("offset", [-1, MOST_OFFSET + 1, 9_223_372_036_854_775_800, 10**30, True, 1.0])
def test_an_offset_that_no_order_has_is_refused_with_the_most(offset: Any) -> None:
    with pytest.raises(UsageError, match=r"from 0 to 1000000"):
        View(offset=offset)
