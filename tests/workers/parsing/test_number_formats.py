"""A value is shown as its cell shows it, or not at all where the format is beyond what is known."""

from datetime import date, datetime, time, timedelta

import pytest

from embedmill.workers.parsing.sheets.number_formats import shown

NUMBERS = [
    (0.25, "0%", "25%"), (0.12345, "0.00%", "12.35%"), (1234.5, "$#,##0.00", "$1,234.50"),
    (1234.5, "#,##0.00 €", "1,234.50 €"), (1234.5, "#,##0.00\\ [$€-407]", "1,234.50 €"), (-5, "#,##0;(#,##0)", "(5)"),
    (7, "000", "007"), (5, '"No. "0', "No. 5"), (1234567, "#,##0", "1,234,567"), (2.71828, "0.00", "2.72"),
    (12345, "0.00E+00", "1.23E+04"), (1234567, "#,##0,", "1,235"), (0, '0;-0;"none"', "none"),
    (12.5, '0.0" kg"', "12.5 kg"), (-1.5, "0.0", "-1.5"), (-0.001, "0.0", "0.0"), (0.5, "#.##", ".5"), (3, "0.##", "3"),
    (2.5, "0", "3"), (1234.5, "_-* #,##0.00_-;-* #,##0.00_-", "1,234.50"), (5, "[Red]0", "5"), (0, "#", "0"),
    (12345, '0.0,"k"', "12.3k"), (12345678, '0.0,,"M"', "12.3M"), (12345678, "#,##0.0,,", "12.3"),
    (-12345, '$0.0,"k"', "-$12.3k"), (12345678, "0,.0", "12345.7"), (12345678, '.0,,"M"', "12.3M"),
    (5, "0,000", "0,005"), (5, "0#", "05"), (1234, "00000,000", "00,001,234"),
    (3, "0\\:00", "0:03"), (1234, "0\\:00", "12:34"), (-3, "0\\:00", "-0:03"), (1234.5, "00\\:00.0", "12:34.5"),
    (5551234567, "(000) 000-0000", "(555) 123-4567"), (15551234567, "(000) 000-0000", "(1555) 123-4567"),
    (123456789, "000-00-0000", "123-45-6789"), (1234567, "000-00-0000", "001-23-4567"), (5, "000-000", "000-005"),
    (5551234, "(###) ###-####", "() 555-1234"),
    (12, "(###) ###-####", "() -12"), (123456, '00"/"00"/"00', "12/34/56"),
]  # fmt: skip
MOMENTS = [
    (date(2026, 2, 1), "yyyy-mm-dd", "2026-02-01"), (date(2026, 2, 1), "dd.mm.yyyy", "01.02.2026"),
    (date(2026, 2, 1), "mmm yyyy", "Feb 2026"), (date(2026, 2, 1), "dddd, d mmmm yyyy", "Sunday, 1 February 2026"),

    (datetime.fromisoformat("2026-02-01T14:05"), "yyyy-mm-dd hh:mm", "2026-02-01 14:05"),
    (time(14, 5, 9), "hh:mm:ss", "14:05:09"),
    (time(14, 5), "h:mm AM/PM", "2:05 PM"), (time(0, 5), "h:mm AM/PM", "12:05 AM"),
    (timedelta(hours=30, minutes=5), "[h]:mm", "30:05"), (timedelta(minutes=75, seconds=3), "mm:ss", "15:03"),
    (datetime.fromisoformat("2026-02-01T01:02:03.450"), "ss.00", "03.45"),
    (date(2026, 2, 1), "[$-407]d. mmm yy;@", "1. Feb 26"),
]  # fmt: skip
UNKNOWN = [
    (0.5, "# ?/?"), (5, "General"), (5, "[<100]0;0.0"), (5, "@"), (5, "yyyy"), (date(2026, 1, 1), "0"),
    (time(1), "yyyy"), (5, "0.0 0"), (5, "0 .0"), (5, "#,##0 000"), (5, "?? 00"), (5, '0"k",'), (5, "00:00E+00"),
    (5, "0% 00"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "code", "expected"), [*NUMBERS, *MOMENTS])
def test_a_value_is_shown_as_its_cell_shows_it(value: float, code: str, expected: str) -> None:
    assert shown(value, code) == expected


@pytest.mark.parametrize(("value", "code"), UNKNOWN)
def test_what_is_beyond_is_left_to_the_caller(value: float, code: str) -> None:
    assert shown(value, code) is None
