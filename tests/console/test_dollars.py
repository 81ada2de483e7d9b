"""Dollars for people: as many digits as a sum needs."""

import pytest

from embedmill.console.cli.simulating import price_bill
from embedmill.console.dollars import format_usd


@pytest.mark.parametrize(
    ("usd", "told"),
    [
        (0, "$0.00"),
        (12.3456, "$12.35"),
        (1, "$1.00"),
        (0.5, "$0.50"),
        (0.007792, "$0.00779"),
        (0.25, "$0.25"),
        (0.000002, "$0.000002"),
        (0.0010, "$0.001"),
        (0.123456, "$0.123"),
        (1234.5, "$1234.50"),
        (None, "unpriced"),
    ],
)
def test_small_sums_are_shown_with_the_digits_that_they_need(usd: float | None, told: str) -> None:
    assert format_usd(usd) == told


def test_a_bill_ends_with_dollars_by_the_price_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBEDMILL_PRICES", raising=False)
    embedded = {"model": "text-embedding-3-small", "operation": "embed", "requests": 2, "tokens_in": 1_000_000}
    assert price_bill("openai", [embedded]) == "$0.02"
    assert price_bill("openai", [embedded, {**embedded, "operation": "embed.batch"}]) == "$0.03"
    unknown = {"model": "unheard-of", "operation": "embed", "requests": 1, "tokens_in": 5}
    assert price_bill("openai", [embedded, unknown]) == "$0.02, without unheard-of, which has no price"
    generated = {"model": "claude-opus-4-7", "operation": "generate", "requests": 1, "tokens_in": 1000}
    written = {"cache_write_5m": 600, "cache_write_1h": 0, "cache_read": 0, "tokens_out": 100}
    assert price_bill("anthropic", [generated | written]) == "$0.0112"
    assert price_bill("pinecone", [{"model": "i", "operation": "upsert", "write_units": 1000}]) == "$0.004"
    assert price_bill("openai", []) == "$0.00"
