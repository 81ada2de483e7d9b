"""The meters of a job or a collection over the spender, and embedders whose every request is in the books."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import FREE_PROVIDERS, NO_TOKENS, Tokens, Usage
from embedmill.shared.metering import Meter, Reservation, Tally
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.spend.call import PaidCall
from embedmill.shared.spend.money import Money
from embedmill.shared.spend.spender import Spender


class LedgerMeter(Meter):
    """Books calls on a job and a collection, and tells a tally of them; raises FlowControl, UnknownPrice."""

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
        return self._tallied(self._spender.begin(self._booked(usage)))

    def _tallied(self, call: PaidCall | Money) -> Reservation:
        return call if self._tally is None else _TalliedCall(call, self._tally)

    def record_free(self, usage: Usage, *, cached: int = 0, cached_tokens: int = 0) -> None:
        """Write down what costs nothing: `usage` of a model on this machine, and what did not have to be asked."""
        if usage.inputs or cached:
            self._spender.record_free(self._booked(usage), cached=cached, cached_tokens=cached_tokens)

    def _booked(self, usage: Usage) -> Usage:
        return replace(usage, job_id=self._job_id, collection_id=self._collection_id)


class _TalliedCall:
    """A call that counts from its reservation, and its cost from its end."""

    def __init__(self, call: PaidCall | Money, tally: Tally) -> None:
        self._call = call
        self._tally = tally
        tally.calls += 1

    def settle(self, tokens: Tokens | None = NO_TOKENS, **told: Any) -> None:
        self._call.settle(tokens, **told)
        self._tally.microusd += self._call.microusd

    def fail(self, error: EmbedmillError) -> EmbedmillError:
        return self._call.fail(error)

    def release(self) -> None:
        self._tally.calls -= 1
        self._call.release()

    def leave(self, **told: Any) -> None:
        self._call.leave(**told)


class StoreMeter(LedgerMeter):
    """Of a vector store: held against budgets and nothing more, for each shard has a lane and a circuit of its own."""

    def reserve(self, usage: Usage) -> Reservation:
        return self._tallied(self._spender.reserve(self._booked(usage)))


def is_free(embedder: Embedder) -> bool:
    """Whether the model computes on this machine."""
    return embedder.provider in FREE_PROVIDERS


def adapt(embedder: Embedder, spender: Spender) -> None:
    """Fit an embedder's requests to what its provider takes at this time: how many at once, and how large."""
    embedder.concurrency = spender.concurrency(embedder.provider, embedder.model).allowed
    most = spender.most_tokens(embedder.provider, embedder.model)
    if most is not None:
        embedder.max_tokens_per_request = min(type(embedder).max_tokens_per_request, most)


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
