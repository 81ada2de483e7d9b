"""What a run will cost and how long its limits make it take, per stage and lane, before anything is spent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from embedmill.shared.errors import UnknownPrice
from embedmill.shared.flow.limits import find_limits
from embedmill.shared.ledger import FREE_PROVIDERS, MESSAGE, NO_TOKENS, Lane, Tokens, Usage
from embedmill.shared.providers.models.table import MODELS
from embedmill.shared.providers.names import ModelName
from embedmill.shared.settings import Settings
from embedmill.shared.spend.prices import Prices

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Answers:
    """Tokens of a model's answers: for each chunk that it judges, for each document whose terms it collects."""

    per_chunk: float
    per_document: float


@dataclass(frozen=True, slots=True)
class Habits:
    """What a provider makes of what it is asked: tokens of its tokenizer for one of ours, and its answers."""

    growth: float
    answers: Answers


EXPECTED = Habits(1.1, Answers(per_chunk=50, per_document=60))
"""Before a home's own ledger tells: short answers, as the rubric asks for."""
AT_MOST = Habits(1.35, Answers(per_chunk=120, per_document=600))
"""Anthropic's newest tokenizers make 1.0 to 1.35 tokens of one of ours (facts), and models may be wordy."""


@dataclass(frozen=True, slots=True)
class ValidationLoad:
    """What a validating model is asked: calls, chunks to judge, documents for terms, and tokens of the prompts.

    Of what documents share, each has its part: there are half calls.
    """

    calls: float = 0
    chunks: float = 0
    documents: float = 0
    tokens: Tokens = NO_TOKENS

    def __add__(self, other: "ValidationLoad") -> "ValidationLoad":
        return ValidationLoad(
            self.calls + other.calls,
            self.chunks + other.chunks,
            self.documents + other.documents,
            self.tokens + other.tokens,
        )

    def scaled(self, factor: float) -> "ValidationLoad":
        """The same for so many times as much."""
        return ValidationLoad(
            factor * self.calls, factor * self.chunks, factor * self.documents, _times(self.tokens, factor)
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a stage is expected to ask of a provider, and what it asks at most."""

    expected: Usage
    at_most: Usage


def foresee_verdicts(validator: str, asked: ValidationLoad, *, tokens_per_answer: float | None) -> Outlook:
    """What a validator will take; `tokens_per_answer` is what it is known to answer for a chunk, if it is known."""
    name = ModelName.parse(validator)
    if not name.model:
        nothing = Usage("rules", validator, MESSAGE, inputs=0, calls=0)
        return Outlook(nothing, nothing)
    known = EXPECTED if tokens_per_answer is None else replace(EXPECTED, answers=Answers(*2 * (tokens_per_answer,)))

    def foresee(habits: Habits) -> Usage:
        sent = _times(asked.tokens, 1.0 if MODELS[name.provider].counts_as_here else habits.growth)
        out = habits.answers.per_chunk * asked.chunks + habits.answers.per_document * asked.documents
        tokens = replace(sent, out=math.ceil(out))
        inputs = math.ceil(asked.chunks + asked.documents)
        return Usage(name.provider, name.model, MESSAGE, tokens, inputs=inputs, calls=math.ceil(asked.calls))

    return Outlook(foresee(known), foresee(AT_MOST))


def _times(tokens: Tokens, factor: float) -> Tokens:
    kinds = (tokens.into, tokens.out, tokens.cache_read, tokens.cache_write)
    return Tokens(*(math.ceil(factor * count) for count in kinds))


def price_lanes(outlook: Outlook, prices: Prices, settings: Settings) -> dict[str, dict[str, Any]]:
    """Dollars, expected and at most, and seconds of a stage by lane; a lane without a price is left out.

    Raises UnknownPrice for `live`. Dollars are None when the model may be unpriced and is; seconds are None when no
    limit is known that takes time, and in the batch lane, whose answers come within a day.
    """
    usage = outlook.expected

    def priced(lane: Lane) -> dict[str, Any]:
        return _priced(usage, lane, prices) | {"usd_at_most": _priced(outlook.at_most, lane, prices)["usd"]}

    lanes = {str(Lane.LIVE): priced(Lane.LIVE) | {"seconds": seconds_at_limits(usage, settings)}}
    if usage.provider not in FREE_PROVIDERS:
        try:
            lanes[str(Lane.BULK)] = priced(Lane.BULK) | {"seconds": None}
        except UnknownPrice:
            return lanes
    return lanes


def _priced(usage: Usage, lane: Lane, prices: Prices) -> dict[str, Any]:
    price = prices.price_of(replace(usage, lane=lane))
    cost = price.cost(usage.tokens, milliunits=usage.milliunits)
    return {"usd": None if cost is None else cost / MICRO, "price": price.name}


def seconds_at_limits(usage: Usage, settings: Settings) -> float | None:
    """How long the provider's limits make a stage take, as far as they were set or published."""
    limits = find_limits(usage.provider, usage.model, settings.limits).with_learned({})
    seconds = [60.0 * usage.amounts[dimension] / limit for dimension, limit in limits.items()]
    return round(max(seconds), 1) if seconds else None


def total_lanes(stages: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The sums over stages; the batch lane, if any stage has it, takes a stage's live price where it has no other."""
    totals = {}
    for lane in Lane:
        if not any(lane in stage["lanes"] for stage in stages.values()):
            continue
        chosen = [lanes.get(lane, lanes[Lane.LIVE]) for lanes in (stage["lanes"] for stage in stages.values())]
        seconds = [c["seconds"] for c in chosen if c["seconds"] is not None]
        totals[str(lane)] = {
            **{name: _sum_known([c[name] for c in chosen]) for name in ("usd", "usd_at_most")},
            "seconds": max(seconds) if seconds and lane is Lane.LIVE else None,
        }
    return totals


def _sum_known(dollars: list[float | None]) -> float | None:
    known = [amount for amount in dollars if amount is not None]
    return sum(known) if len(known) == len(dollars) else None
