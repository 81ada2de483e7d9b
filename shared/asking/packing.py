"""Packs texts into requests within a provider's limits, in hardly more requests than there must be."""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SLACK = 1.02
"""A plan this near to the lower bound is good enough to look for no better one."""

OPEN_REQUESTS = 64
"""So many requests are looked into for room, so that packing a million texts takes no time worth speaking of."""

Plan = list[list[int]]


@dataclass(frozen=True, slots=True)
class ItemSize:
    """What a text takes of a request."""

    tokens: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """What one request holds at most; None is no limit."""

    inputs: int
    tokens: int | None = None
    bytes: int | None = None

    def part(self, count: int) -> "Room":
        """One of so many requests in the place of one."""
        tokens, bytes_ = (most and max(1, most // count) for most in (self.tokens, self.bytes))
        return Room(max(1, self.inputs // count), tokens, bytes_)

    def holds(self, sizes: Sequence[ItemSize]) -> bool:
        """Whether one request holds all of them."""
        return lower_bound(sizes, self) <= 1


def pack(sizes: Sequence[ItemSize], room: Room) -> Plan:
    """Positions of `sizes`, each in one request and rising within it; one that exceeds the room alone is alone.

    Neighbours stay together as long as that costs no request: the chunks of a document then fail together. Otherwise
    each text goes into the first request with room, or, where texts of very different length have to be mixed so that
    neither inputs nor tokens run out first, texts are dealt out from the longest on.
    """
    good = max(lower_bound(sizes, room), int(SLACK * lower_bound(sizes, room)))
    best = pack_in_order(sizes, room)
    if len(best) > good:
        best = min(best, _first_fit(sizes, room), key=len)
    if len(best) > good:
        best = _dealt(sizes, room, fewer_than=len(best)) or best
    return sorted((sorted(request) for request in best), key=lambda request: request[0])


def lower_bound(sizes: Sequence[ItemSize], room: Room) -> int:
    """Fewer requests than this cannot hold the sizes."""
    tokens = math.ceil(sum(size.tokens for size in sizes) / room.tokens) if room.tokens else 0
    bytes_ = math.ceil(sum(size.bytes for size in sizes) / room.bytes) if room.bytes else 0
    return max(math.ceil(len(sizes) / room.inputs), tokens, bytes_)


class Filling:
    """A request being filled."""

    __slots__ = ("bytes", "positions", "room", "tokens")

    def __init__(self, room: Room) -> None:
        self.room = room
        self.positions: list[int] = []
        self.tokens = self.bytes = 0

    def takes(self, size: ItemSize) -> bool:
        """Whether there is room; the first has it always."""
        room = self.room
        if not self.positions:
            return True
        return (
            len(self.positions) < room.inputs
            and (room.tokens is None or self.tokens + size.tokens <= room.tokens)
            and (room.bytes is None or self.bytes + size.bytes <= room.bytes)
        )

    def put(self, position: int, size: ItemSize) -> None:
        """Take it in."""
        self.positions.append(position)
        self.tokens += size.tokens
        self.bytes += size.bytes

    @property
    def full(self) -> bool:
        """Whether not even an empty text would fit."""
        return not self.takes(ItemSize(1, 1))


def pack_in_order(sizes: Sequence[ItemSize], room: Room) -> Plan:
    """Positions in requests that keep the order; one that exceeds the room alone is alone."""
    requests: list[Filling] = []
    for position, size in enumerate(sizes):
        if not requests or not requests[-1].takes(size):
            requests.append(Filling(room))
        requests[-1].put(position, size)
    return [request.positions for request in requests]


def _first_fit(sizes: Sequence[ItemSize], room: Room) -> Plan:
    requests: list[Filling] = []
    open_: list[Filling] = []
    for position, size in enumerate(sizes):
        request = next((request for request in open_ if request.takes(size)), None)
        if request is None:
            request = Filling(room)
            requests.append(request)
            open_.append(request)
        request.put(position, size)
        if request.full:
            open_.remove(request)
        elif len(open_) > OPEN_REQUESTS:
            open_.pop(0)
    return [request.positions for request in requests]


def _dealt(sizes: Sequence[ItemSize], room: Room, *, fewer_than: int) -> Plan | None:
    """As few requests as texts can be dealt out to, or None when that is no gain."""
    count = lower_bound(sizes, room)
    while count < fewer_than:
        if (plan := _deal(sizes, room, count)) is not None:
            return plan
        count += max(1, count // 100)
    return None


def _deal(sizes: Sequence[ItemSize], room: Room, count: int) -> Plan | None:
    """Each text, from the longest on, to the emptiest request; None when one of them has no room for it."""
    weigh = _weight(room)
    requests = [Filling(room) for _ in range(count)]
    queue = [(0.0, number) for number in range(count)]
    for position in sorted(range(len(sizes)), key=lambda position: -weigh(sizes[position])):
        number = _emptiest(queue, requests, sizes[position])
        if number is None:
            return None
        requests[number].put(position, sizes[position])
        filled = weigh(ItemSize(requests[number].tokens, requests[number].bytes))
        heapq.heappush(queue, (filled, number))
    return [request.positions for request in requests if request.positions]


def _emptiest(queue: list[tuple[float, int]], requests: Sequence[Filling], size: ItemSize) -> int | None:
    """Take the emptiest request that has room; one that is full leaves the queue for good."""
    while queue:
        _, number = heapq.heappop(queue)
        if requests[number].takes(size):
            return number
        if not requests[number].full:
            return None
    return None


def _weight(room: Room) -> Callable[[ItemSize], float]:
    """How much of a request a size fills, by the scarcer of tokens and bytes."""

    def weigh(size: ItemSize) -> float:
        return max(size.tokens / room.tokens if room.tokens else 0.0, size.bytes / room.bytes if room.bytes else 0.0)

    return weigh
