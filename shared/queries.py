"""Embeds queries: a paid model is asked for each of them once, and every request is in the books."""

import time
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.caches.embeddings import QUERY, EmbeddingCache
from embedmill.shared.errors import FlowControl, StorageFailed
from embedmill.shared.ledger import EMBED, Usage
from embedmill.shared.logs import get_logger
from embedmill.shared.privacy.derivation import framed
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.spend.metering import LedgerMeter, metered

log = get_logger()

AWAY_SECONDS = 30.0
"""A cache that did not answer is not asked for so long: who searches would wait for it each time."""


class RememberedQueries(Embedder):
    """An embedder before a cache. Searching does not depend on the cache: while it is away, the model is asked."""

    def __init__(
        self,
        embedder: Embedder,
        cache: EmbeddingCache,
        meter: LedgerMeter,
        *,
        seconds: float | None = None,
        scope: Sequence[str] = (),
    ) -> None:
        self._plain = embedder
        self._metered = metered(embedder, meter, seconds=seconds)
        self._cache = cache
        self._scope = scope
        self._meter = meter
        self._away_until = 0.0
        self.stand_for(embedder)

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "query") -> NDArray[np.float32]:
        addresses = {text: self._place(self._plain.address(text, input_type=input_type)) for text in texts}
        known = self._look_up(list(addresses.values()))
        found = {text: known[address] for text, address in addresses.items() if address in known}
        missing = [text for text in addresses if text not in found]
        if found:
            self._record(list(found))
        if missing:
            made = dict(zip(missing, self._metered.embed_batch(missing, input_type=input_type), strict=True))
            self._remember({addresses[text]: vector for text, vector in made.items()})
            found |= made
        return np.stack([found[text] for text in texts])

    def _place(self, address: bytes) -> bytes:
        """Where a vector is kept for those who may read the same: what another has asked is told by no cache."""
        if not self._scope:
            return address
        return blake2b(framed(address, *self._scope), digest_size=len(address)).digest()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._plain.count_tokens(texts)

    def _look_up(self, addresses: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        if time.monotonic() < self._away_until:
            return {}
        try:
            return self._cache.get_many(addresses, dimensions=self.dimensions)
        except (FlowControl, StorageFailed) as error:
            self._note_away(error)
            return {}

    def _remember(self, vectors: dict[bytes, NDArray[np.float32]]) -> None:
        if time.monotonic() < self._away_until:
            return
        try:
            self._cache.put_many(vectors, kind=QUERY)
        except (FlowControl, StorageFailed) as error:
            self._note_away(error)

    def _note_away(self, error: Exception) -> None:
        self._away_until = time.monotonic() + AWAY_SECONDS
        log.warning("cache.unavailable", error=str(error))

    def _record(self, texts: Sequence[str]) -> None:
        usage = Usage(self.provider, self.model, EMBED, inputs=0)
        self._meter.record_free(usage, cached=len(texts), cached_tokens=sum(self.count_tokens(texts)))
