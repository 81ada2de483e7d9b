"""What a filter means for one row, told by filters as users write them."""

from typing import Any

import pytest

from embedmill.shared.filtering.conditions import Compare, holds
from embedmill.shared.filtering.dates import read_date
from embedmill.shared.filtering.fields import fields_of
from embedmill.shared.filtering.grammar import OPERATORS, parse_filter

METADATA: dict[str, Any] = {
    "year": 2021,
    "ratio": 0.5,
    "big": 2**53 + 1,
    "draft": False,
    "lang": ["en", "de"],
    "gone": None,
    "empty": [],
    "price": "19.90",
    "code": "007",
    "told": "True",
    "day": "2026-11-29",
    "at": "2026-11-29T23:30:00-02:00",
    "month": "2020-05",
    "name with spaces": "x",
    "author": {"name": "Ann", "tags": [{"key": "k1"}, {"key": "k2"}]},
    "a.b": 1,
    "cafe\u0301": "cre\u0300me",
    "nan": float("nan"),
    "zero": -0.0,
    "section": "legal",
}
FIELDS = fields_of({"document": "d1", "uri": "file:///a/b.pdf", "title": "", "section": "A > B", "page": 3}, METADATA)


def meets(text: str) -> bool:
    return holds(parse_filter(text), FIELDS)


@pytest.mark.parametrize(
    "text",
    [
        *("year = 2021", "year = 2021.0", "year != 2020", "year > 2020 and year < 2022", "year in (1, 2021)"),
        *("ratio >= 0.5", "ratio <= 5e-1", "zero = 0", "zero >= 0", "big > 9007199254740992"),
        *("draft = false", "draft != true", "told = true", "not draft = true"),
        *("lang = en", "lang = de", "lang in (fr, de)", "lang != fr", "lang > dd", "lang not in (fr, it)"),
        *("price > 19", "price = 19.9", 'price = "19.90"', "code = 007"),
        *("day = 2026-11-29", "day = 2026-11", "day = 2026", "day > 2025", "day <= 2026-11-29", 'day >= "2026-11-01"'),
        *("at = 2026-11-30", "at > 2026-11-29", "at = 2026-11-30T01:30Z", 'at = "2026-11-30 02:30+01:00"'),
        *("month >= 2020-05", "month = 2020-05-01", "month < 2021"),
        *('"name with spaces" = x', "author.name = Ann", "author.tags.key = k2", "a.b = 1", "exists(author)"),
        *("exists(author.tags)", "exists(year)", "not exists(gone)", "not exists(empty)", "not exists(nan)"),
        *("not exists(title)", "nothing != 1", "not nothing = 1", "nothing not in (1, 2)"),
        *("document = d1", "page = 3", 'section = "A > B"', "section = legal", "uri = file:///a/b.pdf"),
        *("uri ~ *.pdf", "uri ~ 'file:///a/*'", "lang ~ d?", "not uri ~ *.PDF", "caf\u00e9 = cr\u00e8me"),
        *("YEAR = 1 OR year = 2021", "NOT (year = 1)", "year = 1 and year = 2 or year = 2021"),
    ],
)
def test_a_row_meets_what_is_true_of_it(text: str) -> None:
    assert meets(text)


@pytest.mark.parametrize(
    "text",
    [
        *("year = '2021'", "year != 2021", "year > 2021", "year = 1 or year = 2", "year = true", "year >= '2020'"),
        *("big = 9007199254740992", "big <= 9007199254740992", "draft = 0", "draft = 'false'", "told = 1"),
        *("lang != en", "lang not in (en, fr)", "not lang = de", "lang = EN", "code = 7", "code > 1"),
        *("day = 2026-11-28", "day > 2026-11-29", "day < 2026-11", "day = x", "at = 2026-11-29", "at > 2026"),
        *("nothing = 1", "nothing > 1", "nothing in (1)", "exists(nothing)", "nothing ~ '*'", "exists(gone)"),
        *("author = Ann", "author.tags = k1", "title = ''", "uri ~ a", "page = '3'", "nan = 0", "nan < 1"),
        *("year = 2021 and (lang = fr or draft = true)", "not (year = 2021 or year = 1)"),
    ],
)
def test_a_row_does_not_meet_what_is_not(text: str) -> None:
    assert not meets(text)


@pytest.mark.parametrize(
    ("text", "first", "length"),
    [
        ("1970-01-01", 0, 86_400_000_000),
        ("1970-01-01T00:00Z", 0, 60_000_000),
        ("1970-01-01 01:00:00+0100", 0, 1_000_000),
        ("1970-01-01T00:00:00.5", 500_000, 100_000),
        ("1970-01-01t00:00:00,123456789z", 123_456, 1),
        ("1969-12-31T22:00:00-02", 0, 1_000_000),
        ("1970-02", 31 * 86_400_000_000, 28 * 86_400_000_000),
        ("0001-01-01T00:00+23:59", -62_135_683_140_000_000, 60_000_000),
    ],
)
def test_a_date_is_the_time_that_it_leaves_open(text: str, first: int, length: int) -> None:
    period = read_date(text)
    assert period is not None
    assert (period.first, period.last - period.first + 1) == (first, length)


@pytest.mark.parametrize(
    "text",
    [
        *("2026", "2026-1-1", "2026-13", "2026-02-29", "0000-01-01", "2026-11-29T24:00", "2026-11-29T1:00", "9" * 100),
        *(
            "2026-11-29T10:60",
            "2026-11-29T10:00+99:00",
            "2026-11-29 ",
            "\uff12026-11-29",
            "2026-11-29T10",
            "29.11.2026",
        ),
    ],
)
def test_what_is_no_date_is_a_text(text: str) -> None:
    assert read_date(text) is None


def test_a_number_that_is_none_is_nowhere() -> None:
    for value in (float("nan"), float("inf")):
        assert not any(
            holds(Compare("year", operator, value), FIELDS) for operator in OPERATORS.values() if operator != "!="
        )


def test_a_glob_takes_no_longer_for_more_stars() -> None:
    fields = fields_of({}, {"x": "a" * 20_000})
    assert not holds(parse_filter(f"x ~ '{'*a' * 50}*b'"), fields)
