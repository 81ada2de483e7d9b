"""Sends requests at once: several in flight, one end for each item, the meter asked before and told after each.

Until the first answer, requests go one at a time once one was refused, because it may be the provider that refuses
everything, and eight that are divided at once would find that out eight times. A request at which the provider fails
without billing it is divided too: its halves are sent after all others, an item alone once more. What an answer says is
kept before the meter is told of it: a process that dies in between has it, and a reservation that counts as spent.

What concerns the account or the provider as a whole (flow control, settings) ends the sending: requests not sent yet
get the same error, those in flight are awaited. So does a store that fails; it is tried once more in the end, with all
that it has not taken. Everything but the sending itself is done in the caller's thread.
"""

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic

from embedmill.shared.asking.following import Following, Rules
from embedmill.shared.asking.question import AnswerT, FoundT, ItemT, LiveQuestion, Request
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    InputRefused,
    ProviderUnavailable,
    StorageFailed,
    UserError,
)
from embedmill.shared.metering import Meter, Reservation

FAILED_REQUESTS = 5
"""So many failures of the provider without an answer in between, and the rest is left for a later attempt."""
LEFT_SECONDS = 5.0
"""When that is, unless a circuit knows better."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How requests are sent."""

    concurrency: int = 1
    """Requests in flight at once."""
    apart: bool = False
    """Whether a request has a thread of its own; otherwise it is made in the caller's and cannot be given up."""
    seconds: float | None = None
    """Longest wait for one answer; a request that takes longer is given up, though its thread may live on."""
    all_seconds: float | None = None
    """Longest wait for all answers; what has none by then is given up."""
    first_alone: bool = False
    """Whether the first goes alone, because the others can be cheaper once it is answered."""


def ask_all(
    question: LiveQuestion[ItemT, FoundT, AnswerT], requests: Iterable[Request[ItemT]], *, meter: Meter, pace: Pacing
) -> dict[ItemT, EmbedmillError]:
    """Ask until every item has an answer that was kept, or an error; returns the errors.

    Raises StorageFailed when what was found could not be kept, or the meter could not write; by then all answers are in
    and accounted for.
    """
    return Sending(question, requests, meter, pace).run()


@dataclass(frozen=True, slots=True)
class Flight(Generic[ItemT]):
    """A request on its way."""

    request: Request[ItemT]
    reservation: Reservation
    started: float


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """A piece of an answer that goes on."""

    text: str


class Sending(Generic[ItemT, FoundT, AnswerT]):
    """Requests with an end, one turn after another."""

    def __init__(
        self,
        question: LiveQuestion[ItemT, FoundT, AnswerT],
        requests: Iterable[Request[ItemT]],
        meter: Meter,
        pace: Pacing,
    ) -> None:
        self._question = question
        self._meter = meter
        self._pace = pace
        self._rules = Rules(question)
        self._errors = self._rules.errors
        self._waiting = deque(requests)
        self._flights: dict[int, Flight[ItemT]] = {}
        self._landed: queue.SimpleQueue[tuple[int, AnswerT | EmbedmillError | AnswerPiece]] = queue.SimpleQueue()
        self._sent = self._ended = self._failed = 0
        self._failing: dict[ItemT, ProviderUnavailable] = {}
        self._again: set[ItemT] = set()
        self._unkept: dict[ItemT, FoundT] = {}
        self._broken: EmbedmillError | None = None
        self._stopped: EmbedmillError | None = None
        self._circuit: FlowControl | None = None
        self._is_short = False
        self._ends = math.inf if pace.all_seconds is None else time.monotonic() + pace.all_seconds

    def run(self) -> dict[ItemT, EmbedmillError]:
        """The errors, when everything has an end."""
        try:
            return self._run()
        except BaseException:
            # Whoever hears an answer may have had enough of it: what it took by then nobody knows.
            for flight in self._flights.values():
                flight.reservation.leave()
            raise

    def _run(self) -> dict[ItemT, EmbedmillError]:
        while self._waiting or self._flights:
            if time.monotonic() >= self._ends:
                self._stopped = self._stopped or self._late(self._pace.all_seconds)
            self._start_what_can()
            if self._flights:
                self._receive()
        if self._broken is None:
            self._keep(self._rules.finish(self._rules.blame()))
        if self._broken is not None:
            self._question.keep(self._unkept)
            raise self._broken
        return {item: self._meaning(error) for item, error in self._errors.items()}

    def _start_what_can(self) -> None:
        """Send as many as may be in flight; with a reason to stop, none."""
        while not (self._stopped or self._is_short) and len(self._flights) < self._width:
            request = self._next()
            if request is None:
                break
            self._start(request)
        if self._stopped is not None:
            self._leave_the_rest(self._stopped)

    def _next(self) -> Request[ItemT] | None:
        """The next request to be sent, if there is one."""
        return self._waiting.popleft() if self._waiting else None

    @property
    def _width(self) -> int:
        """Requests in flight at once."""
        waits = self._rules.is_doubted or (self._pace.first_alone and not self._ended)
        return 1 if waits else self._pace.concurrency

    def _start(self, request: Request[ItemT]) -> None:
        try:
            left = max(self._ends - time.monotonic(), 0.0)
            reservation = self._meter.reserve(replace(self._question.usage(request), seconds_left=left))
        except StorageFailed as error:
            self._stopped = self._broken = error
            return
        except EmbedmillError as error:
            self._keep_back(request, error)
            return
        self._sent += 1
        self._flights[self._sent] = Flight(request, reservation, time.monotonic())
        if self._pace.apart:
            # A daemon, because an SDK cannot be made to give up on an answer that drips in.
            threading.Thread(target=self._fly_apart, args=(self._sent, request), name="asking", daemon=True).start()
        else:
            self._fly(self._sent, request)

    def _keep_back(self, request: Request[ItemT], error: EmbedmillError) -> None:
        lacks_money = isinstance(error, FlowControl) and error.reason == "budget"
        if lacks_money and self._flights:
            # Those in flight hold the most that they may cost, and give back what they did not take.
            self._is_short = True
            self._waiting.appendleft(request)
        elif lacks_money and self._is_worth_halving(request):
            # What is left of the money may do for a part.
            self._go_on(request.halves())
        else:
            self._hold_back(request, error)

    def _is_worth_halving(self, request: Request[ItemT]) -> bool:
        return len(request.items) > 1

    def _hold_back(self, request: Request[ItemT], error: EmbedmillError) -> None:
        """A request is not to be sent now, or was sent and refused for now."""
        self._fail(request.items, error)

    def _fly(self, number: int, request: Request[ItemT]) -> None:
        try:
            self._landed.put((number, self._question.send_aloud(request, partial(self._pass_on, number))))
        except EmbedmillError as error:
            self._landed.put((number, error))

    def _pass_on(self, number: int, piece: str) -> None:
        """Have a piece of an answer heard by the thread that waits."""
        self._landed.put((number, AnswerPiece(piece)))

    def _fly_apart(self, number: int, request: Request[ItemT]) -> None:
        try:
            self._fly(number, request)
        except Exception as error:  # noqa: BLE001 - whatever else the SDK throws must reach the thread that waits
            self._landed.put((number, ProviderUnavailable(f"{self._question.name}: {type(error).__name__}")))

    def _receive(self) -> None:
        try:
            number, outcome = self._landed.get(timeout=self._seconds_left())
        except queue.Empty:
            self._give_up_overdue()
            return
        if isinstance(outcome, AnswerPiece):
            self._hear(number, outcome.text)
        elif (flight := self._flights.pop(number, None)) is not None:
            self._conclude(flight, outcome)

    def _hear(self, number: int, piece: str) -> None:
        """Of what was given up nothing is heard any more; what drips in goes on no longer for it."""
        if (flight := self._flights.get(number)) is not None:
            self._question.hear(flight.request, piece)
            self._give_up_overdue()

    def _seconds_left(self) -> float | None:
        seconds = math.inf if self._pace.seconds is None else self._pace.seconds
        due = min(self._ends, *(flight.started + seconds for flight in self._flights.values()))
        return None if due == math.inf else max(due - time.monotonic(), 0.001)

    def _give_up_overdue(self) -> None:
        now, seconds = time.monotonic(), math.inf if self._pace.seconds is None else self._pace.seconds
        if now >= self._ends:
            self._stopped = self._stopped or self._late(self._pace.all_seconds)
        overdue = [n for n, flight in self._flights.items() if now >= min(flight.started + seconds, self._ends)]
        for number in overdue:
            self._conclude(self._flights.pop(number), self._late(self._pace.seconds or self._pace.all_seconds))

    def _late(self, seconds: float | None) -> ProviderUnavailable:
        """Some of the time may have gone by before: what was left of it is said in tenths."""
        said = seconds and (round(seconds, 1) or seconds)
        return ProviderUnavailable(f"{self._question.name} did not answer within {said:g} s")

    def _conclude(self, flight: Flight[ItemT], outcome: AnswerT | EmbedmillError) -> None:
        self._ended += 1
        self._is_short = False
        if not isinstance(outcome, EmbedmillError):
            self._accept(flight, outcome)
            return
        meaning = flight.reservation.fail(outcome)
        match outcome:
            case InputRefused():
                self._failed = 0
                self._follow(self._rules.refused(flight.request, outcome))
                self._stopped = self._stopped or self._rules.blame()
            case ProviderUnavailable():
                self._circuit = meaning if isinstance(meaning, FlowControl) else self._circuit
                self._try_apart(flight.request, outcome)
            case _:
                self._hold_back(flight.request, meaning)

    def _accept(self, flight: Flight[ItemT], answer: AnswerT) -> None:
        self._failed = 0
        try:
            self._follow(self._rules.answered(flight.request, answer))
            self._stopped = self._stopped or self._rules.blame()
        finally:
            self._question.settle(flight.reservation, flight.request, answer)

    def _follow(self, following: Following[ItemT, FoundT]) -> None:
        self._keep(following.found)
        self._go_on(following.requests)

    def _go_on(self, requests: Sequence[Request[ItemT]]) -> None:
        """Depth before breadth."""
        self._waiting.extendleft(reversed(requests))

    def _keep(self, found: dict[ItemT, FoundT]) -> None:
        """Keep what was found; once that has failed, collect it for the end: the account of it must not wait."""
        if not found:
            return
        try:
            if self._broken is None:
                self._store(found)
                return
        except EmbedmillError as error:
            self._stopped = self._broken = error
        self._unkept |= found

    def _store(self, found: dict[ItemT, FoundT]) -> None:
        self._question.keep(found)

    def _try_apart(self, request: Request[ItemT], error: ProviderUnavailable) -> None:
        """The provider's fault: the items once more, apart from each other, unless it fails for everybody."""
        self._failed += 1
        self._failing |= dict.fromkeys(request.items, error)
        if self._failed >= FAILED_REQUESTS:
            self._fail(request.items, error)
            self._stopped = self._stopped or _left(error)
        elif error.may_be_billed or self._again.issuperset(request.items):
            self._fail(request.items, error)
        elif len(request.items) > 1:
            # After all others: when they are answered, it is these items and not the provider.
            self._waiting.extend(request.halves())
        else:
            self._again.update(request.items)
            self._waiting.append(request)

    def _fail(self, items: Iterable[ItemT], error: EmbedmillError) -> None:
        # What failed before and is now kept back has failed.
        self._errors |= {item: self._failing.get(item, error) for item in items}
        if isinstance(error, FlowControl | UserError):
            self._stopped = error

    def _leave_the_rest(self, error: EmbedmillError) -> None:
        while self._waiting:
            self._errors |= {item: self._failing.get(item, error) for item in self._waiting.popleft().items}

    def _meaning(self, error: EmbedmillError) -> EmbedmillError:
        """With the circuit open, an outage is a time to wait and not a failure."""
        return self._circuit if self._circuit and isinstance(error, ProviderUnavailable) else error


def _left(error: ProviderUnavailable) -> FlowControl:
    """What items are told that were not sent, because the provider fails for everybody."""
    return FlowControl(f"not asked: {error}", reason="circuit", retry_after_seconds=LEFT_SECONDS)
