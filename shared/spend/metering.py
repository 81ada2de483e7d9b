"""The meters of a job or a collection over the spender, and embedders whose every request is in the books."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError, may_be_billed
from embedmill.shared.ledger import FREE_PROVIDERS, NO_TOKENS, Tokens, Usage
from embedmill.shared.metering import Hold, Meter, Reservation, Tally
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.spend.call import PaidCall
from embedmill.shared.spend.money import Money
from embedmill.shared.spend.spender import Spender


class LedgerMeter(Meter):
    """Books calls on a job and a collection, and tells a tally of them; raises FlowControl, UnknownPrice."""

    cannot_be_left_out = False
    """Whether nothing would be left of a query without these calls: they count against its bound and pass it."""

    def __init__(
        self,
        spender: Spender,
        *,
        job_id: int | None = None,
        collection_id: int | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._spender = spender
        self._job_id = job_id
        self._collection_id = collection_id
        self._tally = tally

    def reserve(self, usage: Usage) -> Reservation:
        booked = self._booked(usage)
        if self._tally is None:
            return self._begin(booked)
        cost = self._most_cost(booked)
        held = self._tally.hold(cost, booked.tokens, whatever_it_costs=self.cannot_be_left_out)
        try:
            return _TalliedCall(self._begin(booked), held)
        except BaseException:
            held.release()
            raise

    def _begin(self, booked: Usage) -> PaidCall | Money:
        return self._spender.begin(booked)

    def _most_cost(self, booked: Usage) -> int | None:
        """The most that it may cost, in micro-dollars; None where no price is known."""
        return self._spender.prices.price_of(booked).cost(booked.tokens, milliunits=booked.milliunits)

    def record_free(
        self, usage: Usage, *, cached: int = 0, cached_tokens: int = 0, saved_microusd: int | None = None
    ) -> None:
        """Write down what costs nothing: `usage` of a model on this machine, and what did not have to be asked.

        `saved_microusd` is what that had cost; None takes the price of its tokens as input.
        """
        if not (usage.inputs or cached):
            return
        saved = self._spender.record_free(
            self._booked(usage), cached=cached, cached_tokens=cached_tokens, saved_microusd=saved_microusd
        )
        if self._tally is not None:
            self._tally.save(cached, microusd=saved, tokens=cached_tokens)

    def _booked(self, usage: Usage) -> Usage:
        """For whom it is; who wants to tell what a query came to waits for it."""
        urgent = self._tally is not None
        return replace(usage, job_id=self._job_id, collection_id=self._collection_id, is_urgent=urgent)


class _TalliedCall:
    """A call that counts as it was reserved, and from its end on as it ended."""

    def __init__(self, call: PaidCall | Money, held: Hold) -> None:
        self._call = call
        self._held = held

    def settle(self, tokens: Tokens | None = NO_TOKENS, **told: Any) -> None:
        self._call.settle(tokens, **told)
        self._held.settle(self._call.microusd, tokens)

    def fail(self, error: EmbedmillError) -> EmbedmillError:
        if not may_be_billed(error):
            self._held.release()
        return self._call.fail(error)

    def release(self) -> None:
        self._held.release()
        self._call.release()

    def leave(self, **told: Any) -> None:
        self._call.leave(**told)
        self._held.settle(self._call.microusd)


class StoreMeter(LedgerMeter):
    """Of a vector store: held against budgets and nothing more, for each shard has a lane and a circuit of its own."""

    cannot_be_left_out = True

    def _begin(self, booked: Usage) -> PaidCall | Money:
        return self._spender.reserve(booked)


def is_free(embedder: Embedder) -> bool:
    """Whether the model computes on this machine."""
    return embedder.provider in FREE_PROVIDERS


class MeteredEmbedder(Embedder):
    """An embedder whose every request is in the books; for those who embed without a stage, as queries are.

    `seconds` is how long an answer is waited for, where that is shorter than what the embedder waits for.
    """

    def __init__(self, embedder: Embedder, meter: Meter, *, seconds: float | None = None) -> None:
        self._embedder = embedder
        self._meter = meter
        self._seconds = seconds
        self.stand_for(embedder)

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        result = self._embedder.embed_many(texts, input_type=input_type, meter=self._meter, seconds=self._seconds)
        if result.errors:
            raise result.errors[min(result.errors)]
        return result.vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)


def metered(embedder: Embedder, meter: Meter, *, seconds: float | None = None) -> Embedder:
    """The embedder, with books where it costs money."""
    return embedder if is_free(embedder) else MeteredEmbedder(embedder, meter, seconds=seconds)
