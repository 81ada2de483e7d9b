"""Owns what makes records a chain: each has a keyed hash over itself and the one before, and the chain has a head.

What is hashed are the bytes that are kept, and not what they say: a database that writes JSON anew breaks nothing. The
head names the last record, so that a tail that was cut off is missed. Whoever can write the table and knows of an older
head can still put both back together; anchors (`anchors.py`), which are kept elsewhere, tell of that.
"""

import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from embedmill.shared.db.audit import GENESIS, ChainHead, ChainLink
from embedmill.shared.sealing.derivation import framed

FORM = 1
"""Of a record's body; to be raised when what is in it begins to mean something else."""


class RecordFaultKind(StrEnum):
    """What is wrong with a chain."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    ADDED = "added"
    HEAD = "head"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class RecordFault:
    """Something that is not as it was written: in which chain, which record, and what about it."""

    chain: str
    seq: int
    fault: RecordFaultKind
    detail: str


def write_body(fields: dict[str, Any]) -> str:
    """The text of a record: canonical JSON without floats, so that it is written in one way only."""
    try:
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a number of more than 64 bits, which somebody asked for and will not get
        return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def mac_of(key: bytes, before: str, body: str) -> str:
    """The hash of a record, over the hash of the one before."""
    return hmac.digest(key, bytes.fromhex(before) + body.encode("utf-8", "surrogatepass"), "sha256").hex()


def seal_of(key: bytes, chain: str, floor: int, floor_mac: str) -> str:
    """What says that a chain begins behind a record because that one was let go."""
    return hmac.digest(key, framed("floor", chain, str(floor), floor_mac), "sha256").hex()


@dataclass(frozen=True, slots=True)
class ChainKey:
    """What a chain's hashes are made with."""

    material: bytes
    id: str

    def write(self, before: str, fields: dict[str, Any]) -> tuple[str, str]:
        """The text of a record and its hash, which is over the hash of the one before, too."""
        body = write_body({**fields, "v": FORM})
        return body, mac_of(self.material, before, body)

    def seal(self, chain: str, floor: int, floor_mac: str) -> str:
        """What says that it was us who let go what was before."""
        return seal_of(self.material, chain, floor, floor_mac)


def check_chain(chain: str, links: Iterable[ChainLink], head: ChainHead | None, key: bytes) -> Iterator[RecordFault]:
    """Everything that is wrong with a chain, whose records come by their place."""
    yield from _check_head(chain, head, key)
    check = _Check(chain, key, expected=head.floor + 1 if head else 1, before={head.floor_mac if head else GENESIS})
    for link in links:
        yield from check.take(link)
    if head is not None:
        yield from check.end(head)


def _check_head(chain: str, head: ChainHead | None, key: bytes) -> Iterator[RecordFault]:
    if head is None:
        yield RecordFault(chain, 0, RecordFaultKind.HEAD, "the chain has records and no head")
    elif head.seal != seal_of(key, chain, head.floor, head.floor_mac):
        yield RecordFault(
            chain, head.floor, RecordFaultKind.HEAD, "the chain's beginning is not the one that was written"
        )


@dataclass(slots=True)
class _Check:
    """The checking of one chain: which record comes next, and hashes that may be before it; none where one is missing.

    Of a record that is wrong, the hash that it should have and the one that it has may be the one that was followed.
    """

    chain: str
    key: bytes
    expected: int
    before: set[str]

    def take(self, link: ChainLink) -> Iterator[RecordFault]:
        """What is wrong with the next record."""
        if link.seq < self.expected:
            yield self._fault(link.seq, RecordFaultKind.ADDED, "a record stands where records were let go")
            return
        if link.seq > self.expected:
            yield self._missing(self.expected, link.seq - 1)
            self.before = set()
        yield from self._judge(link)
        self.expected = link.seq + 1

    def _judge(self, link: ChainLink) -> Iterator[RecordFault]:
        place = _place_of(link)
        if place is not None and place[:2] != (self.chain, link.seq):
            yield self._fault(link.seq, RecordFaultKind.REORDERED, f"it holds record {place[1]} of {place[0] or 'all'}")
            self.before = set()
            return
        made = {mac_of(self.key, before, link.body) for before in self.before if _is_mac(before)}
        if place is None or place[2] != link.at or (self.before and link.mac not in made):
            yield self._fault(link.seq, RecordFaultKind.CHANGED, "it is not as it was written")
        self.before = {link.mac, *made}

    def end(self, head: ChainHead) -> Iterator[RecordFault]:
        """What is wrong with the end."""
        last = self.expected - 1
        if last < head.seq:
            yield self._missing(last + 1, head.seq, RecordFaultKind.TRUNCATED)
        elif last > head.seq:
            yield self._fault(head.seq + 1, RecordFaultKind.ADDED, f"the chain ends with record {head.seq}")
        elif self.before and head.mac not in self.before:
            yield self._fault(head.seq, RecordFaultKind.HEAD, "the head names another record than the last")

    def _missing(self, first: int, last: int, kind: RecordFaultKind = RecordFaultKind.REMOVED) -> RecordFault:
        which = f"record {first}" if first == last else f"records {first} to {last}"
        return self._fault(first, kind, f"{which} are missing" if first != last else f"{which} is missing")

    def _fault(self, seq: int, kind: RecordFaultKind, detail: str) -> RecordFault:
        return RecordFault(self.chain, seq, kind, detail)


def _place_of(link: ChainLink) -> tuple[Any, Any, Any] | None:
    """Chain, place and time as the record itself says them; None for what is no record."""
    try:
        body = orjson.loads(link.body)
        return body["chain"], body["seq"], body["at"]
    except (orjson.JSONDecodeError, KeyError, TypeError, UnicodeError):
        return None


def _is_mac(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == 32
    except ValueError:
        return False
