"""Which calls can go by the batch lane, and why the others cannot."""

from shared.errors import UnknownPrice
from shared.providers.batches.table import has_batches
from shared.spend.prices import Prices
from shared.spend.terms import FREE_PROVIDERS, Lane


def find_obstacle(prices: Prices, provider: str, model: str, operation: str) -> str | None:
    """Why calls of a model go at once whatever the lane of their job is; None when they can go in batches."""
    if provider in FREE_PROVIDERS:
        return "it computes on this machine, for nothing"
    if not has_batches(provider):
        return f"{provider} has no batch API"
    try:
        prices.find(provider, model, operation, lane=Lane.BULK)
    except UnknownPrice:
        return f"{provider}/{model} has no price in the batch lane"
    return None
