"""What is spent: since when it is summed, and by what."""

import time
from datetime import UTC, datetime

import pytest

from embedmill.console.rendering import to_json
from embedmill.console.services.spending import sum_spend
from embedmill.shared.db.ledger import record
from embedmill.shared.durations import parse_since
from embedmill.shared.errors import UserError
from embedmill.shared.ledger import Entry, Tokens, Usage
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker


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


def test_units_are_summed_where_a_vector_store_billed_any(runtime: Runtime) -> None:
    asked = Entry(Usage("openai", "m", "embed", Tokens(into=10)), "a price", 1)
    listed = Entry(Usage("pinecone", "serverless", "list", inputs=3, milliunits=2250), "a price", 36)
    runtime.database.transact(lambda connection: record(connection, [asked]))
    assert sum_spend(runtime, "provider").total.units == 0
    runtime.database.transact(lambda connection: record(connection, [listed]))
    report = sum_spend(runtime, "provider")
    assert [(row.key, row.units, row.tokens_in) for row in report.rows] == [("openai", 0.0, 10), ("pinecone", 2.25, 0)]
    assert (report.total.units, report.total.microusd) == (2.25, 37)


def test_what_belongs_to_no_job_is_told_beside_those_that_do(runtime: Runtime, tracker: Tracker) -> None:
    of_job = Entry(Usage("openai", "m", "embed", Tokens(into=10), job_id=tracker.job), "a price", 5)
    alone = Entry(Usage("openai", "m", "embed", Tokens(into=10, cache_read=7)), "a price", 3)
    runtime.database.transact(lambda connection: record(connection, [of_job, alone]))
    rows = {row["key"]: row for row in to_json(sum_spend(runtime, "job"))["rows"]}
    assert rows.keys() == {None, tracker.job}
    assert rows[None]["estimate"] is rows[tracker.job]["estimate"] is None
    assert (rows[None]["tokens_in"], rows[None]["tokens_fresh"]) == (17, 10)
    assert "key" not in to_json(sum_spend(runtime, "model"))["total"]
