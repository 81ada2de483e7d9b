"""What users write as a filter, and what they are told about mistakes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.errors import UsageError
from embedmill.shared.filtering.conditions import All, AnyOf, Compare, Condition, Exists, IsOneOf, Not, Resembles
from embedmill.shared.filtering.grammar import DEEPEST, parse_filter
from embedmill.shared.filtering.tokens import LONGEST
from embedmill.shared.globs import Glob


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'year >= 2020 and (team in ("a", "b") or not exists(draft)) and lang = en',
            All(
                (
                    Compare("year", ">=", 2020),
                    AnyOf((IsOneOf("team", ("a", "b")), Not(Exists("draft")))),
                    Compare("lang", "=", "en"),
                )
            ),
        ),
        ("a=1 or b=2 and c=3", AnyOf((Compare("a", "=", 1), All((Compare("b", "=", 2), Compare("c", "=", 3)))))),
        ("not a=1 and b=2", All((Not(Compare("a", "=", 1)), Compare("b", "=", 2)))),
        ("x NOT IN (1,-2.5, 'a')", Not(IsOneOf("x", (1, -2.5, "a")))),
        (r"""'a "b"' = "it's \"so\" \\ C:\new" """, Compare('a "b"', "=", r"""it's "so" \ C:\new""")),
        ("x != TRUE", Compare("x", "!=", value=True)),
        ("x = 'true'", Compare("x", "=", "true")),
        ("x = '1'", Compare("x", "=", "1")),
        ("x=007", Compare("x", "=", "007")),
        ("uri = https://example.org/a?b#c", None),
        ("uri ~ */reports/*", Resembles("uri", Glob("*/reports/*"))),
        ("at >= 2026-11-29T10:00:00+02:00", Compare("at", ">=", "2026-11-29T10:00:00+02:00")),
        ("\u3000größe > 1e3\n", Compare("größe", ">", 1000.0)),
        ("'and' = \"or\"", Compare("and", "=", "or")),
    ],
)
def test_a_filter_is_read_as_it_is_written(text: str, expected: Condition | None) -> None:
    if expected is None:  # a value with = in it is no word
        with pytest.raises(UsageError):
            parse_filter("uri = https://example.org/?a=b")
        expected = Compare("uri", "=", "https://example.org/a?b#c")
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", 1, "empty"),
        ("  ", 1, "empty"),
        ("year", 5, "expected = != < <= > >= ~ in or not in, found the end"),
        ("year >=", 8, "expected a value, found the end"),
        ("year >= and x = 1", 9, "expected a value, found 'and'"),
        ("a = 1 b = 2", 7, "expected and, or or the end, found 'b'"),
        ("title = Annual report", 16, "found 'report'"),
        ("(a = 1", 7, "expected ), found the end"),
        ("a = 1)", 6, "found ')'"),
        ("a in 1", 6, "expected ("),
        ("a in ()", 7, "expected a value"),
        ("a in (1 2)", 9, "expected )"),
        ("exists a", 8, "expected ("),
        ("a == 1", 3, "'==' has no meaning"),
        ("a <> 1", 3, "'<>' has no meaning"),
        ("a = “x”", 5, "has no meaning"),
        ("a = 'x", 5, "does not end"),
        ("a ! 1", 3, "'!' has no meaning"),
        ("a > true", 5, "true and false"),
        ("a = \ud800", 5, "no character"),
        ("or", 1, "expected the name of a field"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: int, said: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_filter(text)
    assert f"at character {place}:" in str(told.value)
    assert said in str(told.value)
    assert told.value.hint


def test_depth_and_length_have_bounds() -> None:
    parse_filter("(" * DEEPEST + "a = 1" + ")" * DEEPEST)
    for text in ("(" * (DEEPEST + 1) + "a = 1" + ")" * (DEEPEST + 1), "not " * 1000 + "a = 1", "a" * (LONGEST + 1)):
        with pytest.raises(UsageError):
            parse_filter(text)


PIECES = st.sampled_from(
    [*"()=<>~,!\"'\\ \n*[]-", "and", "or", "not", "in", "exists", "a", "1", "é", "\0", "\U0001f600"]
)


@given(st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.lists(PIECES).map("".join)))
def test_whatever_is_written_is_a_filter_or_told(text: str) -> None:
    with suppress(UsageError):
        parse_filter(text)
