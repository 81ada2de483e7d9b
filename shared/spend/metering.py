"""The meters of a job or a collection over the spender, and embedders whose every request is in the books."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.ledger import FREE_PROVIDERS, Usage
from embedmill.shared.metering import Meter, Reservation
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.spend.spender import Spender


class LedgerMeter(Meter):
    """Books calls on a job and a collection; raises FlowControl, UnknownPrice."""

    def __init__(self, spender: Spender, *, job_id: int | None = None, collection_id: int | None = None) -> None:
        self._spender = spender
        self._job_id = job_id
        self._collection_id = collection_id

    def reserve(self, usage: Usage) -> Reservation:
        return self._spender.begin(self._booked(usage))

    def record_free(self, usage: Usage, *, cached: int = 0, cached_tokens: int = 0) -> None:
        """Write down what costs nothing: `usage` of a model on this machine, and what did not have to be asked."""
        if usage.inputs or cached:
            self._spender.record_free(self._booked(usage), cached=cached, cached_tokens=cached_tokens)

    def _booked(self, usage: Usage) -> Usage:
        return replace(usage, job_id=self._job_id, collection_id=self._collection_id)


class StoreMeter(LedgerMeter):
    """Of a vector store: held against budgets and nothing more, for each shard has a lane and a circuit of its own."""

    def reserve(self, usage: Usage) -> Reservation:
        return self._spender.reserve(self._booked(usage))


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
    """An embedder whose every request is in the books; for those who embed without a stage, as queries are."""

    def __init__(self, embedder: Embedder, meter: Meter) -> None:
        self._embedder = embedder
        self._meter = meter
        self.provider, self.name = embedder.provider, embedder.name
        self.model, self.dimensions = embedder.model, embedder.dimensions
        self.symmetric = embedder.symmetric

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        result = self._embedder.embed_many(texts, input_type=input_type, meter=self._meter)
        if result.errors:
            raise result.errors[min(result.errors)]
        return result.vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)


def metered(embedder: Embedder, meter: Meter) -> Embedder:
    """The embedder, with books where it costs money."""
    return embedder if is_free(embedder) else MeteredEmbedder(embedder, meter)
