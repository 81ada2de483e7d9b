"""Embeds queries: a paid model is asked for each of them once, and every request is in the books."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.asking.single_flight import SingleFlight
from embedmill.shared.caches.embeddings import QUERY, EmbeddingCache
from embedmill.shared.errors import EmbedmillError, FlowControl, ProviderUnavailable, StorageFailed
from embedmill.shared.ledger import EMBED, Usage
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import thread_name
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.sealing.derivation import framed
from embedmill.shared.spend.metering import LedgerMeter, metered

log = get_logger()

AWAY_SECONDS = 30.0
"""A cache that did not answer is not asked for so long: who searches would wait for it each time."""
LEAST_SHARE = 0.1
"""Of the time that a query has for its vector: with less, nothing is asked, as it would be paid for in vain."""

T = TypeVar("T")
Vector = NDArray[np.float32]


class RememberedQueries(Embedder):
    """An embedder before a cache. Searching does not depend on the cache: while it is away, the model is asked.

    What others ask at this moment is waited for, within the `seconds` that a vector may take in all. `process_id` is
    whose locks are in `run_folder`.
    """

    def __init__(
        self,
        embedder: Embedder,
        cache: EmbeddingCache,
        meter: LedgerMeter,
        *,
        seconds: float,
        process_id: str,
        run_folder: Path,
        scope: Sequence[str] = (),
    ) -> None:
        self._plain = embedder
        self._cache = _CacheWhileThere(cache)
        self._scope = scope
        self._meter = meter
        self._seconds = seconds
        self._process_id = process_id
        self._run_folder = run_folder
        self.stand_for(embedder)

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "query") -> Vector:
        places = [self._place(self._plain.address(text, input_type=input_type)) for text in texts]
        asked = dict(zip(places, texts, strict=True))
        found = self._look_up(asked)
        missing = {place: text for place, text in asked.items() if place not in found}
        if missing:
            found |= self._obtain(missing, input_type)
        return np.stack([found[place] for place in places])

    def _obtain(self, missing: Mapping[bytes, str], input_type: InputType) -> dict[bytes, Vector]:
        """The vectors of what the cache does not have, made here or by others who lack the same now."""
        obtained: dict[bytes, Vector] = {}
        ends = time.monotonic() + self._seconds

        def ask(share: dict[bytes, str]) -> dict[bytes, EmbedmillError]:
            if (left := ends - time.monotonic()) < LEAST_SHARE * self._seconds:
                raise self._late()
            vectors = metered(self._plain, self._meter, seconds=left).embed_batch(
                list(share.values()), input_type=input_type
            )
            made = dict(zip(share, vectors, strict=True))
            obtained.update(made)
            self._cache.put_many(made)
            return {}

        def find_known(places: Sequence[bytes]) -> dict[bytes, Vector]:
            known = self._look_up({place: missing[place] for place in places})
            obtained.update(known)
            return known

        owner = thread_name(self._process_id, secrets.randbits(32))
        flight = SingleFlight(self._cache, owner, self._run_folder, self._seconds)
        flight.obtain(missing, find_known=find_known, ask=ask, until=ends)
        if missing.keys() - obtained.keys():
            raise self._late()
        return obtained

    def _late(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self.provider} did not answer within {self._seconds:g} s")

    def _place(self, address: bytes) -> bytes:
        """Where a vector is kept for those who may read the same: what another has asked is told by no cache."""
        if not self._scope:
            return address
        return blake2b(framed(address, *self._scope), digest_size=len(address)).digest()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._plain.count_tokens(texts)

    def _look_up(self, asked: Mapping[bytes, str]) -> dict[bytes, Vector]:
        """What the cache has; it counts as saved."""
        known = self._cache.get_many(list(asked), dimensions=self.dimensions)
        if known:
            usage = Usage(self.provider, self.model, EMBED, inputs=0)
            tokens = sum(self.count_tokens([asked[place] for place in known]))
            self._meter.record_free(usage, cached=len(known), cached_tokens=tokens)
        return known


class _CacheWhileThere:
    """A cache that knows nothing while it is away, and in which nobody holds anything then."""

    def __init__(self, cache: EmbeddingCache) -> None:
        self._cache = cache
        self._away_until = 0.0

    def get_many(self, places: Sequence[bytes], *, dimensions: int) -> dict[bytes, Vector]:
        return self._use(lambda: self._cache.get_many(places, dimensions=dimensions), {})

    def put_many(self, vectors: Mapping[bytes, Vector]) -> None:
        self._use(lambda: self._cache.put_many(vectors, kind=QUERY), None)

    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        return self._use(lambda: self._cache.reserve(addresses, owner=owner, seconds=seconds), set(addresses))

    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        return self._use(lambda: self._cache.find_holders(addresses), set())

    def release(self, owner: str) -> None:
        self._use(lambda: self._cache.release(owner), None)

    def _use(self, use: Callable[[], T], otherwise: T) -> T:
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            return use()
        except (FlowControl, StorageFailed) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("cache.unavailable", error=str(error))
            return otherwise
