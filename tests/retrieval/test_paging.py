"""Cursors are read as they were written, and nothing else is."""

import pytest

from embedmill.retrieval.paging import Cursor, read_cursor, stands_for, write_cursor
from embedmill.shared.errors import UsageError

CURSOR = Cursor(10, "asked", "shown", ("s1", "ü"), by_words=True)


def test_a_cursor_comes_back_as_it_was_written() -> None:
    written = write_cursor(CURSOR)
    assert read_cursor(written) == CURSOR
    assert written.isascii()
    assert not set(written) & set("=+/ ")


@pytest.mark.parametrize(
    "text", ["", "10", "ü", "!!", write_cursor(CURSOR)[:-8], write_cursor(Cursor(0, "a", "b")), "W" * 99]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no cursor"):
        read_cursor(text)


def test_a_hash_stands_for_values_in_their_order() -> None:
    assert stands_for(["a", 1]) == stands_for(["a", 1])
    assert len({stands_for(parts) for parts in (["a", "b"], ["b", "a"], ["ab"], ["a b"], [])}) == 5
