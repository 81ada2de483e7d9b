"""Sends the requests of one `embed_many`: several in flight, one outcome for each text, the meter asked and told.

A request that the provider refuses without naming a text is halved until the text that it refuses is alone, so the
vectors of its neighbours are paid for once and kept. Until the first answer that goes one at a time, because it may be
the provider that refuses everything, and eight that halve at once would find that out eight times. A request at which
the provider fails without billing it is halved too: its halves are sent after all others, a text alone once more. The
vectors of an answer are stored before the meter is told of it: a process that dies in between has them, and a
reservation that counts as spent.

What concerns the account or the provider as a whole (flow control, refused credentials) ends the sending: requests not
sent yet get the same error, those in flight are awaited. So does a store that fails; it is tried once more in the end,
with all that it has not taken.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import (
    BadVector,
    EmbedmillError,
    FlowControl,
    InputRefused,
    InputTooLong,
    ProviderRefused,
    ProviderUnavailable,
)
from embedmill.shared.providers.embeddings.calls import Answer, Billed, Call, EmbedResult, Keep, Meter, Request
from embedmill.shared.providers.embeddings.packing import Plan, halves

OPERATION = "embed"
FAILED_REQUESTS = 5
"""So many failures of the provider without an answer in between, and the rest is left for a later attempt."""
LEFT_SECONDS = 5.0
"""When that is, unless a circuit knows better."""
REFUSED_TEXTS = 16
"""So many texts refused one by one, none accepted: then it is not the texts."""

Send = Callable[[Sequence[int]], Answer]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who is sent to, and how."""

    provider: str
    model: str
    dimensions: int
    concurrency: int
    seconds: float
    """Longest wait for one answer; a request that takes longer is given up, though its thread may live on."""
    apart: bool
    """Whether a request has a thread of its own; otherwise it is made in the caller's and cannot be given up."""
    send: Send


@dataclass(frozen=True, slots=True)
class _Flight:
    """A request on its way."""

    positions: Sequence[int]
    reservation: Any
    request: Request
    started: float


def send_all(sender: Sender, plan: Plan, tokens: Sequence[int], meter: Meter, keep: Keep) -> EmbedResult:
    """Send every request of the plan; `tokens` are those of each text, and give the number of texts.

    Raises what the meter and `keep` raise, the latter only when all answers are in and accounted for.
    """
    return _Sending(sender, plan, tokens, meter, keep).run()


class _Sending:
    def __init__(self, sender: Sender, plan: Plan, tokens: Sequence[int], meter: Meter, keep: Keep) -> None:
        self._sender = sender
        self._tokens = tokens
        self._meter = meter
        self._keep = keep
        self._unkept: dict[int, NDArray[np.float32]] = {}
        self._store_failed: EmbedmillError | None = None
        self._waiting: deque[Sequence[int]] = deque(plan)
        self._flights: dict[int, _Flight] = {}
        self._landed: queue.SimpleQueue[tuple[int, Answer | EmbedmillError]] = queue.SimpleQueue()
        self._sent = self._failed = self._refused = 0
        self._is_doubted = False
        self._failing: dict[int, ProviderUnavailable] = {}
        self._again: set[int] = set()
        self._stopped: EmbedmillError | None = None
        self._vectors: NDArray[np.float32] = np.zeros((len(tokens), sender.dimensions), dtype=np.float32)
        self._errors: dict[int, EmbedmillError] = {}
        self._calls: list[Call] = []

    def run(self) -> EmbedResult:
        while self._waiting or self._flights:
            while self._waiting and self._stopped is None and len(self._flights) < self._width:
                self._start(self._waiting.popleft())
            if self._stopped is not None:
                self._leave_the_rest(self._stopped)
            if self._flights:
                self._receive()
        if self._store_failed is not None:
            self._keep(self._unkept)
            raise self._store_failed
        return EmbedResult(self._vectors, self._errors, tuple(self._calls))

    @property
    def _width(self) -> int:
        """Requests in flight at once."""
        return 1 if self._is_doubted and not self._calls else self._sender.concurrency

    def _start(self, positions: Sequence[int]) -> None:
        sender = self._sender
        tokens = sum(self._tokens[position] for position in positions)
        request = Request(sender.provider, sender.model, OPERATION, tuple(positions), tokens)
        try:
            reservation = self._meter.on_request(request)
        except FlowControl as error:
            if error.reason == "budget" and len(positions) > 1:
                # What is left of the money may do for a part.
                self._waiting.extendleft(reversed([*halves(positions)]))
            else:
                self._fail(positions, error)
            return
        self._sent += 1
        self._flights[self._sent] = _Flight(positions, reservation, request, time.monotonic())
        if sender.apart:
            # A daemon, because an SDK cannot be made to give up on an answer that drips in.
            threading.Thread(target=self._fly_apart, args=(self._sent, positions), name="embed", daemon=True).start()
        else:
            self._fly(self._sent, positions)

    def _fly(self, number: int, positions: Sequence[int]) -> None:
        try:
            self._landed.put((number, self._sender.send(positions)))
        except EmbedmillError as error:
            self._landed.put((number, error))

    def _fly_apart(self, number: int, positions: Sequence[int]) -> None:
        try:
            self._fly(number, positions)
        except Exception as error:  # noqa: BLE001 - whatever else the SDK throws must reach the thread that waits
            self._landed.put((number, ProviderUnavailable(f"{self._sender.provider}: {type(error).__name__}")))

    def _receive(self) -> None:
        oldest = min(flight.started for flight in self._flights.values())
        try:
            number, outcome = self._landed.get(timeout=max(oldest + self._sender.seconds - time.monotonic(), 0.001))
        except queue.Empty:
            self._give_up_overdue()
            return
        if (flight := self._flights.pop(number, None)) is not None:
            self._conclude(flight, outcome)

    def _give_up_overdue(self) -> None:
        now = time.monotonic()
        overdue = [n for n, flight in self._flights.items() if now - flight.started >= self._sender.seconds]
        for number in overdue:
            message = f"{self._sender.provider} did not answer within {self._sender.seconds:g} s"
            self._conclude(self._flights.pop(number), ProviderUnavailable(message))

    def _conclude(self, flight: _Flight, outcome: Answer | EmbedmillError) -> None:
        if isinstance(outcome, Answer):
            self._accept(flight, outcome)
            return
        self._meter.on_failure(flight.reservation, outcome, billed=_billed(outcome))
        match outcome:
            case InputRefused():
                self._failed = 0
                self._divide(flight.positions, outcome)
            case ProviderUnavailable():
                self._try_apart(flight.positions, outcome)
            case _:
                self._fail(flight.positions, outcome)

    def _accept(self, flight: _Flight, answer: Answer) -> None:
        self._failed = 0
        request, seconds = flight.request, time.monotonic() - flight.started
        call = Call(
            request.provider,
            request.model,
            request.operation,
            request.inputs,
            answer.tokens_in,
            answer.request_id,
            seconds,
            answer.limits,
        )
        usable: NDArray[np.bool_] = np.asarray(np.isfinite(answer.vectors).all(axis=1))
        places = np.asarray(flight.positions)[usable]
        self._store({int(place): vector for place, vector in zip(places, answer.vectors[usable], strict=True)})
        self._meter.on_response(flight.reservation, call)
        self._calls.append(call)
        self._vectors[places] = answer.vectors[usable]
        for position, fine in zip(flight.positions, usable, strict=True):
            if not fine:
                self._errors[position] = BadVector(f"{request.provider} returned an unusable vector")

    def _store(self, vectors: Mapping[int, NDArray[np.float32]]) -> None:
        """Keep vectors; once that has failed, collect them for the end, because the account of them must not wait."""
        try:
            if self._store_failed is None:
                self._keep(vectors)
                return
        except EmbedmillError as error:
            self._stopped = self._store_failed = error
        self._unkept |= vectors

    def _divide(self, positions: Sequence[int], error: InputRefused) -> None:
        # What is too long is no sign of a wrong setting, however often it happens: it comes back in parts.
        is_doubtful = not isinstance(error, InputTooLong)
        self._is_doubted |= is_doubtful
        if len(positions) > 1:
            self._waiting.extendleft(reversed([*halves(positions)]))
            return
        self._errors[positions[0]] = error
        self._refused += is_doubtful
        if self._refused >= REFUSED_TEXTS and not self._calls:
            self._stopped = ProviderRefused(f"{self._sender.provider} refuses every text: {error}")

    def _try_apart(self, positions: Sequence[int], error: ProviderUnavailable) -> None:
        """The provider's fault: the texts once more, apart from each other, unless it fails for everybody."""
        self._failed += 1
        self._failing |= dict.fromkeys(positions, error)
        if self._failed >= FAILED_REQUESTS:
            self._fail(positions, error)
            self._stopped = self._stopped or _left(error)
        elif error.may_be_billed or self._again.issuperset(positions):
            self._fail(positions, error)
        elif len(positions) > 1:
            # After all others: when they are answered, it is these texts and not the provider.
            self._waiting.extend(halves(positions))
        else:
            self._again.update(positions)
            self._waiting.append(positions)

    def _fail(self, positions: Sequence[int], error: EmbedmillError) -> None:
        # What failed before and is now kept back has failed.
        self._errors |= {position: self._failing.get(position, error) for position in positions}
        if isinstance(error, FlowControl | ProviderRefused):
            self._stopped = error

    def _leave_the_rest(self, error: EmbedmillError) -> None:
        while self._waiting:
            self._errors |= {position: self._failing.get(position, error) for position in self._waiting.popleft()}


def _left(error: ProviderUnavailable) -> FlowControl:
    """What texts are told that were not sent, because the provider fails for everybody."""
    return FlowControl(f"not asked: {error}", reason="circuit", retry_after_seconds=LEFT_SECONDS)


def _billed(error: EmbedmillError) -> Billed:
    return "unknown" if isinstance(error, ProviderUnavailable) and error.may_be_billed else "no"
