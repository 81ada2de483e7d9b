"""A glob means the same on both engines, and its beginning is what an index is asked for."""

import re
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.errors import UsageError
from embedmill.shared.globs import Glob, successor

texts = st.text("ab*?[]!^-.\\/", max_size=8)


@given(pattern=texts, text=texts)
def test_both_engines_agree(pattern: str, text: str) -> None:
    try:
        glob = Glob(pattern)
    except UsageError:
        return
    with closing(sqlite3.connect(":memory:")) as database:
        (found,) = database.execute("SELECT ? GLOB ?", (text, glob.as_sqlite())).fetchone()
    assert bool(found) == bool(re.search(glob.as_regex(), text))


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("file:///a/*.pdf", ["file:///a/b.pdf", "file:///a/b/c.pdf"], ["file:///a/b.pdfx", "file:///A/b.pdf"]),
        ("row-?", ["row-1"], ["row-10", "row-"]),
        ("row-[1-3]", ["row-2"], ["row-4"]),
        ("row-[!1-3]", ["row-4"], ["row-2"]),
        ("a[b", ["a[b"], ["ab"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_what_a_glob_matches(pattern: str, matches: list[str], others: list[str]) -> None:
    expression = re.compile(Glob(pattern).as_regex())
    assert all(expression.search(text) for text in matches)
    assert not any(expression.search(text) for text in others)


@given(pattern=texts, text=texts)
def test_every_match_lies_between_the_prefix_and_its_successor(pattern: str, text: str) -> None:
    try:
        glob = Glob(pattern)
    except UsageError:
        return
    prefix = glob.prefix
    if prefix and re.search(glob.as_regex(), text):
        end = successor(prefix)
        assert prefix <= text and (end is None or text < end)


def test_the_successor_of_a_prefix_passes_over_what_no_text_holds() -> None:
    assert successor("file:///a") == "file:///b"
    assert successor("a\ud7ff") == "a\ue000"
    assert successor("a\U0010ffff") == "b"
    assert successor("\U0010ffff") is None
