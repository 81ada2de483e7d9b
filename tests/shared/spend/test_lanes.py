"""Which calls can go by the batch lane."""

from pathlib import Path

import pytest

from embedmill.shared.spend.lanes import find_obstacle
from embedmill.shared.spend.prices import Prices

PRICED_LIVE = """
as_of = 2026-11-25

[[price]]
provider = "openai"
model = "gpt-of-tomorrow"
operation = "message"
in = 1
valid_from = 2026-01-01
source = "a test"
"""


@pytest.mark.parametrize(
    ("provider", "model", "operation", "obstacle"),
    [
        ("openai", "text-embedding-3-small", "embed", None),
        ("anthropic", "claude-opus-4-7", "message", None),
        ("bedrock", "anthropic.claude-opus-4-7", "message", "bedrock has no batch API"),
        ("cohere", "embed-v4.0", "embed", "cohere has no batch API"),
        ("hash", "hash", "embed", "it computes on this machine, for nothing"),
        ("openai", "gpt-of-tomorrow", "message", "openai/gpt-of-tomorrow has no price in the batch lane"),
    ],
)
def test_a_model_goes_by_it_if_its_vendor_has_batches_and_they_have_a_price(
    provider: str, model: str, operation: str, obstacle: str | None
) -> None:
    assert find_obstacle(Prices.load(), provider, model, operation) == obstacle


def test_what_may_be_unpriced_goes_live_rather_than_unpriced(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(PRICED_LIVE)
    prices = Prices.load(path, allow_unpriced=True)
    assert find_obstacle(prices, "openai", "gpt-of-tomorrow", "message") is not None
