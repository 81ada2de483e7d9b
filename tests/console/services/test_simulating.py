"""A simulator's bill in dollars, by the price file."""

import pytest

from embedmill.console.cli.simulate import print_bill
from embedmill.console.services.simulating import SimulatedBill, price_bill
from embedmill.shared.configuration import load_settings
from embedmill.shared.spend.prices import Prices

EMBEDDED = {"model": "text-embedding-3-small", "operation": "embed", "requests": 2, "tokens_in": 1_000_000}
GENERATED = {"model": "claude-opus-4-7", "operation": "generate", "requests": 1, "tokens_in": 1000}
WRITTEN = {"cache_write_5m": 600, "cache_write_1h": 0, "cache_read": 0, "tokens_out": 100}
UNKNOWN = {"model": "unheard-of", "operation": "embed", "requests": 1, "tokens_in": 5}


@pytest.mark.parametrize(
    ("provider", "lines", "usd", "unpriced"),
    [
        ("openai", [EMBEDDED], 0.02, []),
        ("openai", [EMBEDDED, {**EMBEDDED, "operation": "embed.batch"}], 0.03, []),
        ("openai", [EMBEDDED, UNKNOWN], 0.02, ["unheard-of"]),
        ("anthropic", [GENERATED | WRITTEN], 0.01125, []),
        ("pinecone", [{"model": "i", "operation": "upsert", "write_units": 1000}], 0.004, []),
        ("openai", [], 0.0, []),
    ],
)
def test_a_bill_ends_with_dollars_by_the_price_file(
    provider: str, lines: list[dict[str, object]], usd: float, unpriced: list[str], clean_environment: None
) -> None:
    prices = Prices.load(load_settings().prices_path)
    found = price_bill(prices, provider, {"lines": lines, "totals": {}})
    assert found.usd == pytest.approx(usd)
    assert found.unpriced == unpriced


def test_what_has_no_price_is_named_beside_the_dollars(capsys: pytest.CaptureFixture[str]) -> None:
    print_bill(SimulatedBill({"inputs": 3}, 0.02, ["unheard-of"]))
    assert capsys.readouterr().out == "billed: inputs 3; $0.02, without unheard-of, which has no price\n"
