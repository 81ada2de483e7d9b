"""The embedding cache as an encrypted collection has it: addresses of its own, and vectors sealed.

So no collection finds what another one paid for, which is the price of nobody telling that two hold the same text.
"""

from collections.abc import Mapping, Sequence

from embedmill.shared.caches.embeddings import EmbeddingCache, Size
from embedmill.shared.errors import SealBroken
from embedmill.shared.privacy.vault import Vault

BROKEN = b"?"
"""No vector: what could not be opened is dropped as what was damaged is."""
KIND = "vector"


class SealedCache(EmbeddingCache):
    """One collection's part of a cache."""

    def __init__(self, inner: EmbeddingCache, vault: Vault, collection_id: int, *, always_keyed: bool = False) -> None:
        self._address = vault.keyed if always_keyed else vault.address
        self._inner = inner
        self._vault = vault
        self._collection_id = collection_id
        self.home = inner.home

    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        own = self._own(addresses)
        found = self._inner.fetch_many(list(own))
        return {own[kept]: self._open(own[kept], data) for kept, data in found.items()}

    def _open(self, address: bytes, data: bytes) -> bytes:
        try:
            return self._vault.ring(self._collection_id).open(KIND, address.hex(), data)
        except SealBroken:
            return BROKEN

    def store_many(self, stored: Mapping[bytes, bytes], *, kind: str) -> None:
        ring = self._vault.ring(self._collection_id)
        own = self._own(list(stored))
        sealed = {kept: ring.seal(KIND, address.hex(), stored[address]) for kept, address in own.items()}
        self._inner.store_many(sealed, kind=kind)

    def note_many(self, addresses: Sequence[bytes]) -> set[bytes]:
        own = self._own(addresses)
        return {own[address] for address in self._inner.note_many(list(own))}

    def forget_many(self, addresses: Sequence[bytes]) -> None:
        self._inner.forget_many(list(self._own(addresses)))

    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        own = self._own(addresses)
        return {own[address] for address in self._inner.reserve(list(own), owner=owner, seconds=seconds)}

    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        return self._inner.find_holders(list(self._own(addresses)))

    def release(self, owner: str) -> None:
        self._inner.release(owner)

    def _own(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        """What the addresses are in the cache, and each of these as it is asked for."""
        return {self._address(self._collection_id, address): address for address in addresses}

    # The cache as a whole

    def note_damage(self, entries: int) -> None:
        self._inner.note_damage(entries)

    def wipe(self) -> str:
        return self._inner.wipe()

    def count_damaged(self) -> int:
        return self._inner.count_damaged()

    def count(self) -> int:
        return self._inner.count()

    def measure(self) -> dict[str, Size]:
        return self._inner.measure()

    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        return self._inner.evict(kinds=kinds, unused_seconds=unused_seconds, freeing=freeing, limit=limit)

    def require(self) -> None:
        self._inner.require()

    def find_risks(self) -> list[str]:
        return self._inner.find_risks()

    def close(self) -> None:
        self._inner.close()
