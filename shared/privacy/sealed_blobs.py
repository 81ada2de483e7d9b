"""A blob store out of which what is sealed comes opened."""

from collections.abc import Iterator, Sequence

from embedmill.shared.errors import BlobMissing, SealBroken
from embedmill.shared.privacy.vault import Vault
from embedmill.shared.providers.blobs.base import BlobStore


class SealedBlobStore(BlobStore):
    """Parts of packs are sealed by whoever stores them, who knows their collection, and opened here."""

    def __init__(self, inner: BlobStore, vault: Vault) -> None:
        self.inner = inner
        self._vault = vault

    def put(self, data: bytes) -> str:
        return self.inner.put(data)

    def get(self, object_: str) -> bytes:
        return self.inner.get(object_)

    def list_objects(self) -> Iterator[tuple[str, float]]:
        return self.inner.list_objects()

    def delete(self, object_: str) -> None:
        self.inner.delete(object_)

    def wipe(self, *, older_than_seconds: float) -> int:
        return self.inner.wipe(older_than_seconds=older_than_seconds)

    def get_stored(self, references: Sequence[str]) -> dict[str, bytes | BlobMissing]:
        return self.inner.get_stored(references)

    def get_pack(self, references: Sequence[str]) -> dict[str, bytes | BlobMissing]:
        """Every part opened; raises KeyUnavailable where the key of one is not here."""
        return {reference: self._opened(part) for reference, part in self.inner.get_pack(references).items()}

    def _opened(self, part: bytes | BlobMissing) -> bytes | BlobMissing:
        if isinstance(part, BlobMissing):
            return part
        try:
            return self._vault.open_blob(part)
        except SealBroken as error:
            return BlobMissing(str(error))
