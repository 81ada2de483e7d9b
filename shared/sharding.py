"""Owns the choice of a document's shard, the same in every process: rendezvous (highest random weight) hashing."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple


def shard_for(document: str, shards: Sequence[str]) -> str:
    """The shard that weighs most for this document; a new shard only takes documents, none move between old ones."""
    return max(shards, key=lambda shard: (_weight(document, shard), shard))


class ReadingOrder(NamedTuple):
    """The shards in the order in which readers ask them, and how often documents have moved between them.

    A reader that meets another one after its look than before may have missed what moved meanwhile.
    """

    shards: tuple[str, ...]
    moves: int = 0
    """Counted while a move is under way."""


def reading_order(leaving: Sequence[str], shards: Sequence[str]) -> tuple[str, ...]:
    """Every shard that may hold a document during a move, those that lose documents before those that gain them.

    A row is written at its new home before it is deleted at its old one. Whoever asks the old home first meets it
    there, or finds it gone and meets it at the new one; in the other order it could be missed at both.
    """
    losing_first = sorted(leaving, key=lambda shard: shard in shards)
    return tuple(dict.fromkeys((*losing_first, *shards)))


def _weight(document: str, shard: str) -> bytes:
    """The shard's name is the key and is framed by it, so that no two pairs share their input."""
    name = hashlib.blake2b(shard.encode(), digest_size=16).digest()
    return hashlib.blake2b(document.encode("utf-8", "surrogatepass"), key=name, digest_size=8).digest()
