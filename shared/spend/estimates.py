"""What a run will cost and how long its limits make it take, per stage and lane, before anything is spent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import UnknownPrice
from shared.flow.limits import find_limits
from shared.providers.vectorstores import pinecone_units
from shared.settings import Settings
from shared.spend.prices import Prices
from shared.spend.terms import FREE_PROVIDERS, NO_TOKENS, Lane, Tokens

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class VerdictShape:
    """What a call of a validating model takes, as a rule of thumb; the ledger tells what it really took."""

    chunks_per_call: int = 16
    chunk_tokens_per_call: int = 10_000
    prompt_tokens: int = 4500
    """Of the instructions, which a provider's prompt cache reads again for every call after the first."""
    frame_tokens_per_chunk: int = 60
    answer_tokens_per_chunk: int = 120


VERDICTS = VerdictShape()
TOKEN_GROWTH = 1.35
"""Tokens of the tokenizer of Anthropic's newest models for one of ours, at most (facts: 1.0 to 1.35)."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a stage asks of a provider."""

    provider: str
    model: str
    operation: str
    tokens: Tokens = NO_TOKENS
    calls: int = 0
    inputs: int = 0
    milliunits: int = 0
    """Of a vector store, in thousandths of its units."""


def demand_of_verdicts(validator: str, *, chunks: int, tokens: int, shape: VerdictShape = VERDICTS) -> Demand:
    """What a validator will ask for, from counts alone; nothing when it is not a model."""
    provider, _, model = validator.partition("/")
    if not model:
        return Demand("rules", validator, "message")
    calls = max(math.ceil(chunks / shape.chunks_per_call), math.ceil(tokens / shape.chunk_tokens_per_call))
    if not calls:
        return Demand(provider, model, "message")
    counted = Tokens(
        into=tokens + chunks * shape.frame_tokens_per_chunk,
        out=chunks * shape.answer_tokens_per_chunk,
        cache_read=(calls - 1) * shape.prompt_tokens,
        cache_write=shape.prompt_tokens,
    )
    return Demand(provider, model, "message", grown(counted, provider), calls=calls, inputs=chunks)


def grown(tokens: Tokens, provider: str) -> Tokens:
    """Tokens as the provider's own tokenizer may count them."""
    growth = 1.0 if provider == "openai" else TOKEN_GROWTH
    kinds = (tokens.into, tokens.out, tokens.cache_read, tokens.cache_write)
    return Tokens(*(math.ceil(growth * count) for count in kinds))


RECORD_BYTES = 600
"""Of a record in a vector store beside its vector and text: id, title, place."""


def demands_of_indexing(*, documents: int, chunks: int, text_bytes: int, dimensions: int) -> tuple[Demand, ...]:
    """What Pinecone bills for writing so many vectors for the first time: the write, and the reads around it.

    A record is looked for before it is written and its document listed after. How often a store is asked whether it has
    caught up depends on its lag, and is a quarter of a unit each time while a shard is small.
    """
    each = RECORD_BYTES + pinecone_units.FLOAT_BYTES * dimensions + math.ceil(text_bytes / max(chunks, 1))
    written = pinecone_units.milliunits_of_upsert([each] * chunks) if chunks else 0
    looked_for = pinecone_units.UNIT * math.ceil(chunks / pinecone_units.IDS_PER_FETCH)
    listed = pinecone_units.UNIT * max(documents, math.ceil(chunks / pinecone_units.IDS_PER_LIST)) if chunks else 0
    provider, model = pinecone_units.OFFER.provider, pinecone_units.OFFER.model
    return (
        Demand(provider, model, pinecone_units.UPSERT, inputs=chunks, milliunits=written),
        Demand(provider, model, pinecone_units.FETCH, milliunits=looked_for),
        Demand(provider, model, pinecone_units.LIST, milliunits=listed),
    )


def price_lanes(demand: Demand, prices: Prices, settings: Settings) -> dict[str, dict[str, Any]]:
    """Dollars and seconds of a stage by lane; a lane without a price is left out, raises UnknownPrice for `live`.

    Dollars are None when the model may be unpriced and is; seconds are None when no limit is known that takes time,
    and in the batch lane, whose answers come within a day.
    """
    lanes = {str(Lane.LIVE): _priced(demand, Lane.LIVE, prices) | {"seconds": seconds_at_limits(demand, settings)}}
    if demand.provider not in FREE_PROVIDERS:
        try:
            lanes[str(Lane.BULK)] = _priced(demand, Lane.BULK, prices) | {"seconds": None}
        except UnknownPrice:
            return lanes
    return lanes


def _priced(demand: Demand, lane: Lane, prices: Prices) -> dict[str, Any]:
    # The band of a price goes by the size of one prompt, not of all of them.
    each = math.ceil(demand.tokens.prompt / demand.calls) if demand.calls else 0
    price = prices.find(demand.provider, demand.model, demand.operation, lane=lane, prompt_tokens=each)
    cost = price.cost(demand.tokens, milliunits=demand.milliunits)
    return {"usd": None if cost is None else cost / MICRO, "price": price.name}


def seconds_at_limits(demand: Demand, settings: Settings) -> float | None:
    """How long the provider's limits make a stage take, as far as they were set or published."""
    limits = find_limits(demand.provider, demand.model, settings.limits).with_learned({})
    amounts = {
        "requests": demand.calls,
        "tokens": demand.tokens.into + demand.tokens.cache_write,
        "output": demand.tokens.out,
        "inputs": demand.inputs,
    }
    seconds = [60.0 * amounts[dimension] / limit for dimension, limit in limits.items()]
    return round(max(seconds), 1) if seconds else None


def total_lanes(stages: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The sums over stages; the batch lane, if any stage has it, takes a stage's live price where it has no other."""
    totals = {}
    for lane in Lane:
        if not any(lane in stage["lanes"] for stage in stages.values()):
            continue
        chosen = [lanes.get(lane, lanes[Lane.LIVE]) for lanes in (stage["lanes"] for stage in stages.values())]
        dollars, seconds = [c["usd"] for c in chosen], [c["seconds"] for c in chosen if c["seconds"] is not None]
        totals[str(lane)] = {
            "usd": None if None in dollars else sum(dollars),
            "seconds": max(seconds) if seconds and lane is Lane.LIVE else None,
        }
    return totals
