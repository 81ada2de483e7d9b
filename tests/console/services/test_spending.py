"""What is spent, for people: the columns that matter, and since when it is summed."""

import io
import time
from collections.abc import Mapping
from contextlib import closing, redirect_stdout
from datetime import UTC, datetime
from typing import Any

import pytest

from embedmill.console.durations import parse_since
from embedmill.console.services.spending import print_spend, spend
from embedmill.shared.db.ledger import Entry, record
from embedmill.shared.errors import UserError
from embedmill.shared.ledger import NO_TOKENS, NOBODY, Lane, Tokens
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings


@pytest.mark.parametrize(
    ("span", "seconds"), [("90m", 5400), ("12h", 43_200), ("7d", 604_800), ("1.5h", 5400), ("90s", 90)]
)
def test_a_span_is_before_now(span: str, seconds: int) -> None:
    assert parse_since(span) == pytest.approx(time.time() - seconds, abs=60)


@pytest.mark.parametrize("date", ["2026-11-25", "20261125", "2026-11-25T00:00:00Z", "2026-11-25T01:00:00+01:00"])
def test_a_date_begins_at_midnight_in_utc_unless_it_says_otherwise(date: str) -> None:
    assert parse_since(date) == datetime(2026, 11, 25, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["", "2026", "90", "yesterday", "12x"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--since"):
        parse_since(text)


def printed(report: Mapping[str, Any]) -> str:
    """What people see; not by capsys, whose files end with the test while a process logs to what it began with."""
    with redirect_stdout(io.StringIO()) as shown:
        print_spend(report)
    return shown.getvalue()


def test_units_are_shown_where_there_are_any(settings: Settings) -> None:
    asked = Entry("openai", "m", "embed", Lane.LIVE, NOBODY, 1, Tokens(into=10), "a price", 1)
    listed = Entry("pinecone", "serverless", "list", Lane.LIVE, NOBODY, 3, NO_TOKENS, "a price", 36, milliunits=2250)
    with closing(Runtime(settings, process_id="test")) as runtime:
        runtime.database.transact(lambda connection: record(connection, [asked]))
        assert "units" not in printed(spend("provider", since=None))
        runtime.database.transact(lambda connection: record(connection, [listed]))
    report = spend("provider", since=None)
    assert "units" in printed(report)
    assert [(row["key"], row["units"], row["tokens_in"]) for row in report["rows"]] == [
        ("openai", 0.0, 10), ("pinecone", 2.25, 0),
    ]  # fmt: skip
    assert report["total"]["units"] == 2.25
