"""The blob store interface: objects addressed by their content, and references to slices of them.

One object holds what a whole batch of documents produced, so a batch costs one write whatever the store charges per
object; a reference names the object, an offset and a length.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embedmill.shared.errors import BlobMissing


@dataclass(frozen=True, slots=True)
class Slice:
    """Where some bytes are: object id (SHA-256 hex), offset and length in bytes."""

    object: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.object}:{self.offset}:{self.length}"


def parse_reference(reference: str) -> Slice:
    """The slice that a stored reference names; raises BlobMissing for anything else."""
    match reference.split(":"):
        case [object_, offset, length] if offset.isdigit() and length.isdigit():
            return Slice(object_, int(offset), int(length))
    raise BlobMissing("a stored reference is malformed")


class BlobStore(ABC):
    """Objects that never change once written."""

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Store an object durably and return its id; storing the same bytes again is free."""

    @abstractmethod
    def get(self, object_: str) -> bytes:
        """The whole object; raises BlobMissing when it is gone or its bytes do not hash to its id."""

    @abstractmethod
    def list_objects(self) -> Iterator[tuple[str, float]]:
        """(object id, age in seconds) of everything stored."""

    @abstractmethod
    def delete(self, object_: str) -> None:
        """Remove an object; no error when absent."""

    def wipe(self, *, older_than_seconds: float) -> int:
        """Remove what is no object and may hold bytes of one: what was half written, versions that were deleted.

        Returns how many there were. The rest is the store's own affair.
        """
        del older_than_seconds
        return 0

    def put_pack(self, parts: Sequence[bytes]) -> list[str]:
        """Store many parts as one object and return a reference to each."""
        if not parts:
            return []
        object_ = self.put(b"".join(parts))
        references, offset = [], 0
        for part in parts:
            references.append(str(Slice(object_, offset, len(part))))
            offset += len(part)
        return references

    def get_pack(self, references: Sequence[str]) -> dict[str, bytes | BlobMissing]:
        """What each reference names, every object read once; an entry that cannot be had is its BlobMissing."""
        found: dict[str, bytes | BlobMissing] = {}
        by_object: dict[str, list[tuple[str, Slice]]] = {}
        for reference in references:
            try:
                slice_ = parse_reference(reference)
                by_object.setdefault(slice_.object, []).append((reference, slice_))
            except BlobMissing as error:
                found[reference] = error
        for object_, wanted in by_object.items():
            found.update(self._read_slices(object_, wanted))
        return found

    def get_stored(self, references: Sequence[str]) -> dict[str, bytes | BlobMissing]:
        """The same as it is stored, sealed or not: for whoever stores it once more elsewhere."""
        return self.get_pack(references)

    def _read_slices(self, object_: str, wanted: Sequence[tuple[str, Slice]]) -> dict[str, bytes | BlobMissing]:
        try:
            data = self.get(object_)
        except BlobMissing as error:
            return {reference: error for reference, _ in wanted}
        return {reference: data[s.offset : s.offset + s.length] for reference, s in wanted}
