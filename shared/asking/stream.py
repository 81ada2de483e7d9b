"""A stream of requests that several threads fill: what each has to ask shares requests with what the others have.

Whoever has something to ask adds it and waits until all of it has an end. One of those who wait leads: it forms the
requests, keeps the books of all, and hands on the lead when its own part is done. A request is formed when it can be
sent, as large as the provider takes it at that moment. One that is not full waits as long as more may come. What was
answered is kept before more is asked: what is neither is paid for twice when the process dies.

A limit that is used up is waited for here, if that is short, so that what waits still shares requests. Who comes while
there is enough to do for longer is sent away with a time of his own.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic

from embedmill.shared.asking.following import Rules
from embedmill.shared.asking.packing import Filling, ItemSize, Room
from embedmill.shared.asking.question import AnswerT, FoundT, ItemT, LiveQuestion, Request
from embedmill.shared.asking.sending import AnswerPiece, Flight, Pacing, Sending
from embedmill.shared.errors import EmbedmillError, FlowControl, StorageFailed
from embedmill.shared.metering import Headroom, Meter

GATHER_SECONDS = 10.0
"""So long the first text of a request waits for others at most."""
LOOK_SECONDS = 0.1
"""How often it is looked whether more may come."""
HOLD_SECONDS = 20.0
"""So long a limit is waited for here; for longer than that, work is parked."""
QUANTUM_SECONDS = 2.0
"""Where a limit is smaller than a request, what it grants in this time is sent without waiting for more."""
MINUTE_SECONDS = 60.0
LEAST_PARTS = 8
"""So small a part of a full request is not cut any smaller for want of money."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a stream asks about while it goes on."""

    concurrency: Callable[[], int] = lambda: 1
    """Requests that may be in flight at once."""
    headroom: Callable[[], Headroom] = Headroom
    expects_more: Callable[[], bool] = lambda: False
    """Whether more may come soon."""
    hold_seconds: float = HOLD_SECONDS
    """So long a limit is waited for here."""
    tries_first: bool = False
    """Whether one request is alone until something is answered."""


@dataclass(slots=True)
class Ticket(Generic[ItemT]):
    """What one thread waits for, and how it ended."""

    left: set[ItemT]
    errors: dict[ItemT, EmbedmillError] = field(default_factory=dict)
    broken: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is waited for any more."""
        return not self.left or self.broken is not None


class Stream(Sending[ItemT, FoundT, AnswerT]):
    """Requests of one question, without an end; `room` is what the provider takes in one."""

    def __init__(
        self,
        question: LiveQuestion[ItemT, FoundT, AnswerT],
        meter: Meter,
        pace: Pacing,
        *,
        room: Room,
        surroundings: Surroundings,
    ) -> None:
        super().__init__(question, (), meter, pace)
        self._room = room
        self._around = surroundings
        self._changed = threading.Condition()
        self._is_led = False
        self._joined: deque[tuple[Ticket[ItemT], Mapping[ItemT, ItemSize]]] = deque()
        self._open: dict[ItemT, float] = {}
        self._sizes: dict[ItemT, ItemSize] = {}
        self._tickets: dict[ItemT, list[Ticket[ItemT]]] = {}
        self._formed: set[int] = set()
        self._sent_away: list[tuple[float, int]] = []
        self._head = Headroom()
        self._resume = self._looked = 0.0
        self._sent_before = 0
        self._may_come = False
        self._keeper: Callable[[Mapping[ItemT, FoundT]], None] = question.keep

    def obtain(
        self,
        sizes: Mapping[ItemT, ItemSize],
        keep: Callable[[Mapping[ItemT, FoundT]], None],
        *,
        joined: Callable[[], None] = lambda: None,
    ) -> dict[ItemT, EmbedmillError]:
        """Have all items answered and kept, by whoever leads; returns the errors. `keep` is for this thread only.

        `joined` is called once they are among those of the others.
        Raises StorageFailed when what was found could not be kept, or the meter could not write.
        """
        ticket: Ticket[ItemT] = Ticket(set(sizes))
        self._join(ticket, sizes)
        joined()
        while not self._await_lead(ticket):
            self._lead(ticket, keep)
        if ticket.broken is not None:
            raise ticket.broken
        return ticket.errors

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        with self._changed:
            return not self._joined and not self._tickets

    def _join(self, ticket: Ticket[ItemT], sizes: Mapping[ItemT, ItemSize]) -> None:
        head = self._around.headroom()
        with self._changed:
            away = self._find_time_away(sum(size.tokens for size in sizes.values()), head)
            if away is None:
                self._joined.append((ticket, sizes))
                self._landed.put((0, AnswerPiece("")))
                return
        error = FlowControl(f"the limit of {self._question.name} is used up", reason="rate", retry_after_seconds=away)
        ticket.errors = dict.fromkeys(sizes, error)
        ticket.left.clear()

    def _find_time_away(self, tokens: int, head: Headroom) -> float | None:
        """For how long somebody is better parked: until what was here before him is nearly done."""
        rate, now = (head.per_minute or math.inf) / MINUTE_SECONDS, time.monotonic()
        here = -(head.tokens or 0)
        unsent = [*self._open, *(item for request in list(self._waiting) for item in request.items)]
        here += sum(size.tokens for size in map(self._sizes.get, unsent) if size is not None)
        here += sum(size.tokens for _, sizes in self._joined for size in sizes.values())
        if here / rate <= self._around.hold_seconds:
            return None
        self._sent_away = [(due, count) for due, count in self._sent_away if due > now]
        seconds = (here + sum(count for _, count in self._sent_away)) / rate - self._around.hold_seconds / 2
        self._sent_away.append((now + seconds, tokens))
        return seconds

    def _await_lead(self, ticket: Ticket[ItemT]) -> bool:
        """Wait until the ticket is done, which is True, or somebody has to lead."""
        with self._changed:
            self._changed.wait_for(lambda: ticket.is_done or not self._is_led)
            self._is_led = self._is_led or not ticket.is_done
            return ticket.is_done

    def _lead(self, ticket: Ticket[ItemT], keep: Callable[[Mapping[ItemT, FoundT]], None]) -> None:
        self._keeper = keep
        try:
            while not ticket.is_done:
                self._turn()
        except BaseException as error:
            self._break(error)
            raise
        finally:
            with self._changed:
                self._is_led = False
                self._changed.notify_all()

    def _turn(self) -> None:
        self._take_in()
        self._start_what_can()
        if self._flights or self._waiting or self._open:
            self._receive()
        self._tell_errors()
        if not (self._flights or self._waiting or self._open):
            self._end_run()

    def _take_in(self) -> None:
        now = time.monotonic()
        with self._changed:
            joined, self._joined = list(self._joined), deque()
            for ticket, sizes in joined:
                for item, size in sizes.items():
                    if item not in self._tickets:
                        self._open[item] = now
                        self._sizes[item] = size
                    self._tickets.setdefault(item, []).append(ticket)

    def _next(self) -> Request[ItemT] | None:
        return self._waiting.popleft() if self._waiting else self._form()

    def _form(self) -> Request[ItemT] | None:
        """A request of what is there, if it is full or nothing is to be waited for."""
        if not self._open:
            return None
        self._head = self._around.headroom()
        filling, items, is_full = Filling(self._room_now()), [], False
        for item in self._open:
            if is_full := not filling.takes(self._sizes[item]):
                break
            filling.put(0, self._sizes[item])
            items.append(item)
        if not (is_full or filling.full or self._has_enough(filling)) and self._waits_for_more():
            return None
        for item in items:
            del self._open[item]
        request = Request(tuple(items))
        self._formed.add(id(request))
        return request

    def _room_now(self) -> Room:
        most = min(self._head.tokens or math.inf, self._full)
        return Room(self._room.inputs, None if most == math.inf else int(most), self._room.bytes)

    def _has_enough(self, filling: Filling) -> bool:
        """Whether a limit lets no full request through anyway, and what it grants would be lost by waiting."""
        least = (self._head.per_minute or math.inf) * QUANTUM_SECONDS / MINUTE_SECONDS
        return self._is_bound and filling.tokens >= least

    @property
    def _is_bound(self) -> bool:
        """Whether a limit lets no full request through."""
        return (self._head.tokens or math.inf) < self._full

    @property
    def _full(self) -> float:
        """Tokens of a full request, by our count: the provider's decides."""
        return (self._room.tokens or math.inf) / self._head.counted

    def _waits_for_more(self) -> bool:
        now = time.monotonic()
        if now - next(iter(self._open.values())) > GATHER_SECONDS:
            return False
        if now >= self._looked + LOOK_SECONDS:
            self._may_come = self._around.expects_more()
            self._looked = time.monotonic()
        return self._may_come or bool(self._joined)

    @property
    def _width(self) -> int:
        if time.monotonic() < self._resume or not self._landed.empty():
            return 0
        # What the first answer tells of limits is to be known before the second request; and where a limit is smaller
        # than a request, what each answer tells of it: the next is as large as was granted meanwhile.
        waits = self._rules.is_doubted or not self._head.is_heard or self._is_bound
        waits = waits or (self._around.tries_first and not self._rules.answers)
        return 1 if waits else self._around.concurrency()

    def _seconds_left(self) -> float | None:
        due = super()._seconds_left() if self._flights else None
        waits = [] if due is None else [due]
        waits += [LOOK_SECONDS] if self._open else []
        waits += [max(self._resume - time.monotonic(), 0.001)] if self._waiting else []
        return min(waits, default=None)

    def _hold_back(self, request: Request[ItemT], error: EmbedmillError) -> None:
        is_new, is_rate = id(request) in self._formed, isinstance(error, FlowControl) and error.reason == "rate"
        self._formed.discard(id(request))
        if not isinstance(error, FlowControl) or not is_rate or error.retry_after_seconds > self._around.hold_seconds:
            self._fail(request.items, error)
            return
        self._resume = max(self._resume, time.monotonic() + error.retry_after_seconds)
        if is_new:
            # It is formed anew, as large as there is room by then.
            now = time.monotonic()
            self._open = dict.fromkeys(request.items, now) | self._open
        else:
            self._waiting.appendleft(request)

    def _is_worth_halving(self, request: Request[ItemT]) -> bool:
        """The last of the money is not spent in ever smaller requests, as long as any could be sent."""
        tokens = sum(self._sizes[item].tokens for item in request.items)
        is_small = LEAST_PARTS * len(request.items) <= self._room.inputs and LEAST_PARTS * tokens <= self._full
        return super()._is_worth_halving(request) and not (is_small and self._sent > self._sent_before)

    def _conclude(self, flight: Flight[ItemT], outcome: AnswerT | EmbedmillError) -> None:
        super()._conclude(flight, outcome)
        self._formed.discard(id(flight.request))

    def _leave_the_rest(self, error: EmbedmillError) -> None:
        super()._leave_the_rest(error)
        self._fail(list(self._open), error)
        self._open.clear()

    def _store(self, found: dict[ItemT, FoundT]) -> None:
        self._keeper(found)
        self._end(dict.fromkeys(found))

    def _tell_errors(self) -> None:
        errors = {item: self._meaning(error) for item, error in self._errors.items()}
        self._errors.clear()
        self._end(errors)

    def _end(self, ends: Mapping[ItemT, EmbedmillError | None]) -> None:
        """Tell those who wait for items how these ended: with an error, or with none."""
        with self._changed:
            for item, error in ends.items():
                self._forget(item)
                for ticket in self._tickets.pop(item, ()):
                    ticket.left.discard(item)
                    if isinstance(error, StorageFailed):
                        ticket.broken = error
                    elif error is not None:
                        ticket.errors[item] = error
            if ends:
                self._changed.notify_all()

    def _forget(self, item: ItemT) -> None:
        self._sizes.pop(item, None)
        self._failing.pop(item, None)
        self._again.discard(item)

    def _end_run(self) -> None:
        """Everything has an end for now: judge who is to blame for what was refused, and begin afresh."""
        if self._broken is None:
            self._keep(self._rules.finish(self._rules.blame()))
        self._tell_errors()
        broken, unkept = self._broken, self._unkept
        self._rules = Rules(self._question)
        self._errors = self._rules.errors
        self._failed, self._circuit, self._stopped, self._broken, self._unkept = 0, None, None, None, {}
        self._sent_before = self._sent
        if broken is not None:
            self._keeper(unkept)
            self._end(dict.fromkeys(unkept, broken))

    def _break(self, error: BaseException) -> None:
        """Nobody knows how things stand: whoever waits hears of it, and what was in flight may have been billed."""
        for flight in self._flights.values():
            flight.reservation.leave()
        with self._changed:
            waiting = {id(t): t for tickets in self._tickets.values() for t in tickets}
            waiting |= {id(ticket): ticket for ticket, _ in self._joined}
            for ticket in waiting.values():
                ticket.broken = ticket.broken or error
            self._clear()

    def _clear(self) -> None:
        for held in (self._flights, self._waiting, self._open, self._sizes, self._tickets, self._joined, self._formed):
            held.clear()
