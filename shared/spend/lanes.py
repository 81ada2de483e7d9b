"""Which calls can go by the batch lane, and why the others cannot."""

from typing import TYPE_CHECKING

from embedmill.shared.errors import UnknownPrice
from embedmill.shared.ledger import FREE_PROVIDERS, UNPRICED, Lane
from embedmill.shared.providers.batches.table import has_batches

if TYPE_CHECKING:
    from embedmill.shared.spend.prices import Prices


def find_obstacle(prices: "Prices", provider: str, model: str, operation: str) -> str | None:
    """Why calls of a model go at once whatever the lane of their job is; None when they can go in batches."""
    if provider in FREE_PROVIDERS:
        return "it computes on this machine, for nothing"
    if not has_batches(provider):
        return f"{provider} has no batch API"
    try:
        is_priced = prices.find(provider, model, operation, lane=Lane.BULK).name != UNPRICED
    except UnknownPrice:
        is_priced = False
    return None if is_priced else f"{provider}/{model} has no price in the batch lane"
