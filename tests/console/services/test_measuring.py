"""The estimate kept with a job: the one that `estimate` gives, from a sample, whatever the documents look like."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedmill.console.cli.estimates import describe_cost
from embedmill.console.cli.session import opened
from embedmill.console.rendering import to_json
from embedmill.console.services import measures, measuring
from embedmill.console.services.estimates import estimate
from embedmill.console.services.jobs import describe_job
from embedmill.console.services.spending import sum_spend
from embedmill.console.services.submitting import submit
from embedmill.producers.sources.base import Source
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared.db.ledger import record
from embedmill.shared.db.spending import measure_due
from embedmill.shared.ledger import Entry, Tokens, Usage
from embedmill.shared.settings import Settings
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker

PAID = {"embedding": "openai/text-embedding-3-small", "terms_sample": "0"}
MODEL = "anthropic/claude-opus-4-7"


def choose(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"EMBEDMILL_{name.upper()}", value)


def compare(source: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `estimate` says before a submission, and what the job says of itself after it."""
    before = estimated(source)
    with opened() as runtime:
        submitted = submit(runtime, sources(source), collection="default")
        return before, dict(describe_job(runtime, submitted.job).estimate or {})


def estimated(source: Path) -> dict[str, Any]:
    """What `estimate` says, as its JSON."""
    with opened() as runtime:
        found: dict[str, Any] = to_json(estimate(runtime, sources(source), collection="default"))
        return found


def sources(path: Path) -> list[Source]:
    return open_sources([str(path)], options=SourceOptions(), stdin=io.BytesIO())


def write_rows(path: Path, count: int, *, paragraphs: int = 1) -> Path:
    rows = ({"id": str(n), "text": text_of(n, paragraphs=paragraphs)} for n in range(count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def anywhere(settings: Settings) -> None:
    """A home and a folder of one's own."""


def test_a_few_documents_are_all_read_and_both_estimates_are_equal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose(monkeypatch, PAID)
    before, kept = compare(write_rows(tmp_path / "rows.jsonl", 12, paragraphs=4))
    assert before["basis"] == kept["basis"] == "exact"
    assert kept["tokens"] == before["stages"]["embed"]["tokens"] > 0
    assert kept["usd"] == before["total"]["live"]["usd"]
    with opened() as runtime:
        assert sum_spend(runtime, "job").rows == []


@pytest.mark.parametrize("policy", ["gate", "audit"])
def test_many_documents_of_several_kinds_are_estimated_from_some_of_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, policy: str
) -> None:
    choose(monkeypatch, PAID | {"validator": MODEL, "validation_policy": policy})
    folder = tmp_path / "documents"
    folder.mkdir()
    navigation = "<nav>" + "<a href='/somewhere/else'></a>" * 300 + "</nav>"
    for n in range(90):
        body = "".join(f"<p>{line}</p>" for line in text_of(n, paragraphs=1 + n % 7).split("\n\n"))
        (folder / f"{n}.html").write_text(f"<html><body>{navigation}<main>{body}</main></body></html>")
        (folder / f"{n}.txt").write_text(text_of(1000 + n, paragraphs=1 + n % 5))
    before, kept = compare(folder)
    assert before["basis"] == kept["basis"] == "rough"
    assert kept["tokens"] == pytest.approx(before["stages"]["embed"]["tokens"], rel=0.15)
    assert kept["usd"] == pytest.approx(before["total"]["live"]["usd"], rel=0.2)
    assert kept["usd_at_most"] > kept["usd"]
    assert kept["read"] < 180


def test_what_a_cache_has_and_what_comes_twice_is_in_no_estimate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose(monkeypatch, PAID)
    rows = write_rows(tmp_path / "rows.jsonl", 20)
    whole = estimated(rows)["stages"]["embed"]
    rows.write_text(rows.read_text() + rows.read_text().replace('"id": "', '"id": "again-'))
    assert estimated(rows)["stages"]["embed"]["tokens"] == whole["tokens"]
    with opened() as runtime:
        embedder = runtime.embedder(PAID["embedding"])
        vector = np.ones(embedder.dimensions, dtype=np.float32)
        runtime.cache.put_many({embedder.address(text_of(n, paragraphs=1)): vector for n in range(10)})
    before, kept = compare(rows)
    assert before["stages"]["embed"]["chunks"] == kept["chunks"] - 30 == 10
    assert kept["tokens"] == before["stages"]["embed"]["tokens"] < whole["tokens"]


def test_what_is_indexed_as_it_is_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", 5)
    compare(rows)
    with opened() as runtime:
        statement = "UPDATE document SET active_version = (SELECT version FROM work WHERE document_id = document.id)"
        runtime.database.transact(lambda connection: connection.exec_driver_sql(statement))
    again = estimated(rows)
    assert (again["documents"], again["unchanged"], again["stages"]["embed"]["chunks"]) == (5, 5, 0)


def test_what_a_job_has_embedded_itself_was_in_no_cache_before_it(settings: Settings) -> None:
    with opened() as runtime:
        tracker = Tracker(runtime.database)
        used = Usage("openai", "m", "embed", Tokens(into=10), inputs=30, job_id=tracker.job)
        entry = Entry(used, "a price", 1, cached=10)
        with runtime.database.write() as connection:
            assert measure_due(connection, tracker.job) == {}
            record(connection, [entry])
            assert measure_due(connection, tracker.job) == {"embed": 0.75}


def test_whoever_has_no_time_reads_a_few_and_then_not_even_those(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose(monkeypatch, PAID)
    monkeypatch.setattr(measuring, "READ_SECONDS", -1.0)
    before, kept = compare(write_rows(tmp_path / "rows.jsonl", 100))
    assert kept["read"] == measuring.LEAST_READ
    assert kept["tokens"] == pytest.approx(before["stages"]["embed"]["tokens"], rel=0.15)
    monkeypatch.setattr(measuring, "LATEST_SECONDS", 0.0)
    assert compare(write_rows(tmp_path / "others.jsonl", 100))[1]["read"] == 1


def test_whoever_stops_early_has_read_small_and_large_ones_alike() -> None:
    some = measures.spread(range(1000), 50)
    assert len(set(some)) == 50
    for count in (5, 10, 25, 50):
        assert sum(some[:count]) / count == pytest.approx(500, rel=0.1)


def test_an_estimate_says_whether_it_was_counted() -> None:
    assert describe_cost(0.5, 0.5, "exact") == "$0.50, counted"
    assert describe_cost(0.5, 2.0, "rough") == "about $0.50, at most $2.00"
    assert describe_cost(None, None, "rough") == "unpriced"
    assert describe_cost(0.5, None, "size") == "about $0.50", "of an older release"
