"""The embedding cache: vectors by content address, stored before anything else happens to them.

One interface for three homes: a file, which the processes of one host share (embedmill.shared.caches.file), a database
server (embedmill.shared.db.cache) and Redis (embedmill.shared.caches.redis), which hosts share.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.logs import get_logger

log = get_logger()

FLOAT_BYTES = 4
DOCUMENT, QUERY = "document", "query"
KINDS = (DOCUMENT, QUERY)
"""What vectors are of; each kind is kept for a time of its own."""

# Well under SQLite's limit of bound values in one statement.
LOOK_UP = 500
# A reservation that ends later than this was made by a clock that has since been put back.
LONGEST_SECONDS = 3600.0
TOUCH_SECONDS = 3600.0
"""By how much an entry's last use may look too old: it is not written down more often."""


CHECKSUM_BYTES = 5
"""A mark and a CRC-32 of address and vector; what an older release stored has neither, and a length of whole floats."""
_WHOLE, _HALF = b"\x01", b"\x02"
_WIDTHS: Mapping[bytes, type[np.floating[Any]]] = {_WHOLE: np.float32, _HALF: np.float16}
HALF_ERROR = 2**-10
"""A document's vector is kept in half the width if no number is further off than this share of the largest.

Of vectors of length 1 none is: their cosines change by a hundred-thousandth, at 256 dimensions by 0.0002 at most.
"""


KEPT_AT_ONCE = 128
"""Vectors that are looked at together, so that what that takes stays near."""

NOTE = b""
"""What is stored of a text whose vector nobody keeps."""


def seal_vector(address: bytes, vector: NDArray[np.float32], *, kind: str = DOCUMENT) -> bytes:
    """A vector as it is stored; a query's, which is compared, is the same from the model and from the cache."""
    whole = vector.astype(np.float32, copy=False)
    mark = _HALF if kind == DOCUMENT and _fit(_halved(whole[None]), whole[None])[0] else _WHOLE
    data = whole.astype(_WIDTHS[mark], copy=False).tobytes()
    return data + mark + _checksum(address, data, mark)


def as_kept(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Documents' vectors as a cache gives them back, for those that were in none; so stores keep them narrow too."""
    kept = np.empty_like(vectors)
    for begin in range(0, len(vectors), KEPT_AT_ONCE):
        some = vectors[begin : begin + KEPT_AT_ONCE]
        narrow = _halved(some)
        kept[begin : begin + KEPT_AT_ONCE] = np.where(_fit(narrow, some)[:, None], narrow, some)
    return kept


def _halved(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return vectors.astype(np.float16).astype(np.float32)


def _fit(narrow: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the vectors, given as rows, are near enough to what half the width leaves of them."""
    off, largest = (np.abs(rows).max(axis=1, initial=0) for rows in (vectors - narrow, vectors))
    fits: NDArray[np.bool_] = off <= HALF_ERROR * largest
    return fits


def open_vector(address: bytes, stored: bytes, dimensions: int | None = None) -> NDArray[np.float32] | None:
    """The vector that was stored, or None when that is damaged: cut off, changed, not finite, or, unsealed, zeros."""
    is_sealed = len(stored) % 2 == CHECKSUM_BYTES % 2
    end = len(stored) - CHECKSUM_BYTES if is_sealed else len(stored)
    data, mark = stored[:end], stored[end : end + 1] or _WHOLE
    if mark not in _WIDTHS or (is_sealed and stored[end + 1 :] != _checksum(address, data, mark)):
        return None
    size = np.dtype(_WIDTHS[mark]).itemsize
    if not data or len(data) % size or (dimensions is not None and len(data) != size * dimensions):
        return None
    vector = np.frombuffer(data, _WIDTHS[mark]).astype(np.float32, copy=False)
    fine = bool(np.isfinite(vector).all()) and (is_sealed or bool(vector.any()))
    return vector if fine else None


def _checksum(address: bytes, data: bytes, mark: bytes) -> bytes:
    """Of address and vector, and of the mark unless it is that of older releases, which left it out."""
    return zlib.crc32(data if mark == _WHOLE else data + mark, zlib.crc32(address)).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is, or how much went."""

    entries: int = 0
    bytes: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.entries + other.entries, self.bytes + other.bytes)


class EmbeddingCache(ABC):
    """Vectors by 32-byte address; safe with any number of processes that share it.

    Raises StorageFailed where the process should end, FlowControl where work should wait until the cache is back. An
    entry that is lost costs money and nothing else: whoever misses it has its text embedded again.
    """

    home: str
    """Where it is, in a word, for people."""

    def get_many(
        self, addresses: Sequence[bytes], *, dimensions: int | None = None
    ) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that are known; they count as used now. With `dimensions`, those of another length are none.

        What was damaged since it was stored is dropped and counted, as if it had never been there.
        """
        stored = self.fetch_many(addresses)
        opened = {address: open_vector(address, data, dimensions) for address, data in stored.items()}
        damaged = sorted(address for address, vector in opened.items() if vector is None)
        if damaged:
            log.warning("cache.damaged", entries=len(damaged), home=self.home)
            self.drop_damaged(damaged)
        return {address: vector for address, vector in opened.items() if vector is not None}

    def find_known(self, addresses: Sequence[bytes], *, dimensions: int) -> set[bytes]:
        """Those of the addresses that need not be embedded; where no vector is kept (0 dimensions), a note will do."""
        return set(self.get_many(addresses, dimensions=dimensions) if dimensions else self.fetch_many(addresses))

    @abstractmethod
    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is stored, as it is; it counts as used now."""

    def drop_damaged(self, addresses: Sequence[bytes]) -> None:
        """Remove entries that cannot be used, and count them."""
        self.forget_many(addresses)
        self.note_damage(len(addresses))

    @abstractmethod
    def forget_many(self, addresses: Sequence[bytes]) -> None:
        """Remove entries; those that are not there are no error."""

    @abstractmethod
    def note_damage(self, entries: int) -> None:
        """Count so many entries that were dropped because they were damaged."""

    def wipe(self) -> str:
        """See that nothing is left on the disk of what was removed; returns what may be left all the same, and where.

        Raises StorageFailed while others are in the way.
        """
        return ""

    @abstractmethod
    def count_damaged(self) -> int:
        """How many entries were dropped because they were damaged."""

    def put_many(self, vectors: Mapping[bytes, NDArray[np.float32]], *, kind: str = DOCUMENT) -> None:
        """Store vectors, all or none at a time; an address that is known already keeps its vector and its kind."""
        self.store_many({a: seal_vector(a, vector, kind=kind) for a, vector in vectors.items()}, kind=kind)

    @abstractmethod
    def store_many(self, stored: Mapping[bytes, bytes], *, kind: str) -> None:
        """Store what `fetch_many` is to give back, in the same way."""

    @abstractmethod
    def note_many(self, addresses: Sequence[bytes]) -> set[bytes]:
        """Note that texts were embedded whose vectors nobody keeps; returns those of which that was not known.

        So what such a model did is counted once, however often work is done again. To `fetch_many` they are empty.
        """

    @abstractmethod
    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        """Those of the addresses that `owner` is to embed now: nobody has stored them or is at work on them.

        Two workers that meet the same new text at the same moment would pay for it twice otherwise. A reservation
        ends with `put_many`, with `release`, or after `seconds`.
        """

    @abstractmethod
    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        """Who has reserved any of the addresses."""

    @abstractmethod
    def release(self, owner: str) -> None:
        """Give up what an owner has reserved and not stored."""

    @abstractmethod
    def count(self) -> int:
        """Vectors held."""

    @abstractmethod
    def measure(self) -> dict[str, Size]:
        """What is held, by kind."""

    @abstractmethod
    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        """Remove up to `limit` entries that were not used for so long, the longest unused first; returns what went.

        With `freeing`, no more than it takes to free so many bytes.
        """

    def require(self) -> None:
        """Raise FlowControl when the cache is away; a database says so by itself."""
        return

    def find_risks(self) -> list[str]:
        """What about the cache's home may cost money, in words for an operator."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Release connections."""


EntryId = TypeVar("EntryId", bytes, int)


@dataclass(frozen=True, slots=True)
class CacheEntry(Generic[EntryId]):
    """An entry that may be evicted, by its address or as its home numbers it."""

    address: EntryId
    kind: str
    bytes: int


def choose(oldest_first: Iterable[CacheEntry[EntryId]], freeing: int | None) -> list[CacheEntry[EntryId]]:
    """The first entries that together free as many bytes."""
    chosen: list[CacheEntry[EntryId]] = []
    for entry in oldest_first:
        if freeing is not None and freeing <= 0:
            break
        chosen.append(entry)
        freeing = None if freeing is None else freeing - entry.bytes
    return chosen


def add_up(entries: Iterable[CacheEntry[EntryId]]) -> dict[str, Size]:
    """Sizes by kind."""
    sizes: dict[str, Size] = {}
    for entry in entries:
        sizes[entry.kind] = sizes.get(entry.kind, Size()) + Size(1, entry.bytes)
    return sizes
