"""Estimates: what a collection's policy asks about, which lanes there are, and what a vector store will bill."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embedmill.console.cli.estimates import print_estimate
from embedmill.console.dollars import format_usd
from embedmill.console.rendering import to_json
from embedmill.console.services.estimates import Estimate, estimate
from embedmill.console.services.opening import open_runtime
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.producers.sources.options import FieldMap
from embedmill.shared.configuration import load_settings
from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.vectorstores.pinecone.units import OFFER
from embedmill.shared.spend.estimates import ValidationLoad, foresee_verdicts, total_lanes
from tests.corpus import text_of

MODEL = "anthropic/claude-opus-4-7"
Estimated = Callable[..., Estimate]
Rendered = Callable[..., dict[str, Any]]


@pytest.fixture
def found(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estimated:
    """The estimate of 300 short documents under some settings."""
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "rows.jsonl"
    rows = ({"id": str(n), "text": text_of(n, paragraphs=1)} for n in range(300))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(**settings: str) -> Estimate:
        for name, value in settings.items():
            monkeypatch.setenv(f"EMBEDMILL_{name.upper()}", value)
        with open_runtime(load_settings()) as runtime:
            return estimate(runtime, [JsonlSource(bytes(source), FieldMap())], collection="default")

    return run


@pytest.fixture
def estimated(found: Estimated) -> Rendered:
    """The same as `--json` shows it."""
    return lambda **settings: to_json(found(**settings))


def test_a_model_on_this_machine_has_no_batch_lane(estimated: Rendered) -> None:
    report = estimated()
    assert list(report["total"]) == ["live"]
    assert report["total"]["live"]["usd"] == 0
    assert report["stages"]["embed"]["tokens"] == report["stages"]["chunk"]["tokens"], "as an ingest counts them"
    assert all(list(report["stages"][stage]["lanes"]) == ["live"] for stage in ("validate", "embed"))


def test_a_gate_is_asked_about_everything_and_an_audit_about_a_sample(estimated: Rendered) -> None:
    paid = {"embedding": "openai/text-embedding-3-small", "validator": MODEL, "terms_sample": "0"}
    gate = estimated(**paid, validation_policy="gate")
    audit = estimated(**paid, validation_policy="audit")
    chunks = gate["stages"]["embed"]["chunks"]
    assert gate["stages"]["validate"]["chunks"] == chunks == 300
    assert audit["stages"]["validate"]["chunks"] == pytest.approx(100 + 0.1 * 200, rel=0.15)
    assert gate["stages"]["validate"]["calls"] == -(-chunks // 16)
    assert 0.3 < audit["total"]["live"]["usd"] / gate["total"]["live"]["usd"] < 0.6
    assert list(gate["total"]) == ["live", "bulk"]
    assert gate["total"]["bulk"]["usd"] == pytest.approx(gate["total"]["live"]["usd"] / 2, abs=1e-6)


def test_a_store_that_bills_writes_is_part_of_the_estimate(estimated: Rendered) -> None:
    plain = estimated(embedding="openai/text-embedding-3-small")
    billed = estimated(embedding="openai/text-embedding-3-small", vector_url="pinecone://mill")
    assert "write_units" not in plain["stages"]["index"]
    # 1,536 floats, the text of a paragraph, its words, and what identifies a record: eight and a half kilobytes.
    written, read = billed["stages"]["index"]["write_units"], billed["stages"]["index"]["read_units"]
    assert written == pytest.approx(300 * 8.5, rel=0.05)
    assert read == 300 + 3, "each document is listed, and a hundred rows are looked for at once"
    difference = billed["total"]["live"]["usd"] - plain["total"]["live"]["usd"]
    assert difference == pytest.approx((written * 4 + read * 16) / 1e6)


def test_people_see_what_each_stage_costs_in_each_lane(found: Estimated, capsys: pytest.CaptureFixture[str]) -> None:
    report = found(embedding="openai/text-embedding-3-small", validator=MODEL, vector_url="pinecone://mill")
    print_estimate(report)
    paid = to_json(report)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["stage", "validate", "embed", "index"]
    assert lines[1].split()[-2:] == ["live", "bulk"]
    for line in lines[2:4]:
        stage = paid["stages"][line.split()[0]]
        assert line.split()[1:4] == [str(stage[count]) for count in ("calls", "tokens_in", "tokens_out")]
        assert line.split()[-2:] == [format_usd(stage["lanes"][lane]["usd"]) for lane in ("live", "bulk")]


def test_where_nothing_costs_money_people_see_one_line_of_it(
    found: Estimated, capsys: pytest.CaptureFixture[str]
) -> None:
    report = found()
    print_estimate(report)
    assert sum("lane" in line for line in capsys.readouterr().out.splitlines()) == 1
    print_estimate(replace(report, documents=6, unchanged=2, unreadable=1, skipped=3))
    assert capsys.readouterr().out.startswith("6 documents (2 unchanged, 1 unreadable) and 3 skipped: ")


def test_a_store_without_rows_bills_nothing() -> None:
    nothing = OFFER.usage_of_indexing(documents=0, chunks=0, text_bytes=0, dimensions=1536)
    assert [usage.milliunits for usage in nothing] == [0, 0, 0]


def test_what_is_expected_is_less_than_the_most_until_a_home_knows_better() -> None:
    asked = ValidationLoad(calls=10, chunks=160, documents=2, tokens=Tokens(into=16_000, cache_read=40_000))
    guessed = foresee_verdicts(MODEL, asked, tokens_per_answer=None)
    known = foresee_verdicts(MODEL, asked, tokens_per_answer=200.0)
    assert guessed.expected.tokens.prompt < guessed.at_most.tokens.prompt
    assert guessed.expected.tokens.out < guessed.at_most.tokens.out < known.expected.tokens.out == 162 * 200
    assert guessed.expected.calls == guessed.at_most.calls == 10
    assert foresee_verdicts("rules", asked, tokens_per_answer=None).expected.calls == 0


def test_the_batch_lane_takes_the_live_price_where_a_stage_has_no_other() -> None:
    live = {"usd": 2.0, "usd_at_most": 5.0, "seconds": 3.0, "price": "p"}
    stages = {
        "a": {"lanes": {"live": live, "bulk": live | {"usd": 1.0, "usd_at_most": 2.5, "seconds": None}}},
        "b": {"lanes": {"live": live}},
    }
    assert total_lanes(stages) == {
        "live": {"usd": 4.0, "usd_at_most": 10.0, "seconds": 3.0},
        "bulk": {"usd": 3.0, "usd_at_most": 7.5, "seconds": None},
    }
