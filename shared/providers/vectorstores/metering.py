"""The requests of a vector store that bills them: those of one kind that one method makes share an entry in the books.

A method makes many small requests, as one list for each document that it counts. They are reserved together before the
first and settled after the last. The meter knows nothing of the store's lanes and circuits, and the store nothing of
money.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from embedmill.shared.errors import may_be_billed
from embedmill.shared.ledger import Usage
from embedmill.shared.metering import Meter, Reservation

T = TypeVar("T")

MOST_AT_ONCE = 64
"""Where nobody knows how many requests there will be, more and more are reserved for at once, up to this."""


UNIT = 1000
"""Thousandths, in which parts of a unit are counted."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a service bills: its name, and that of the model and the operations in the price file."""

    provider: str
    model: str
    operations: tuple[str, ...]

    def usage_of_indexing(self, *, documents: int, chunks: int, text_bytes: int, dimensions: int) -> Sequence[Usage]:
        """What writing so many vectors for the first time will be billed, the write before the reads around it."""
        raise NotImplementedError


class MeteredRequests:
    """The requests of one kind that one method makes, from however many threads; to be used as a block.

    `milliunits` are the most that `number` of them cost together, as far as that is known before the first.
    """

    def __init__(
        self,
        meter: Meter,
        offer: Offer,
        operation: str,
        *,
        milliunits: int = 0,
        number: int = 1,
        documents: tuple[str, ...] = (),
    ) -> None:
        self._meter = meter
        self._offer = offer
        self.operation = operation
        self._documents = documents
        self._next = (milliunits, max(number, 1))
        self._held: list[_Held] = []
        self._lock = threading.Lock()

    def send(self, milliunits: int, send: Callable[[], T], cost: Callable[[T], int]) -> T:
        """Make a request that costs so much at most; `cost` tells from the answer what it did."""
        held = self._admit(milliunits)
        try:
            answer = send()
        except BaseException as error:
            with self._lock:
                held.fail(milliunits, error)
            raise
        with self._lock:
            held.answer(milliunits, cost(answer))
        return answer

    def _admit(self, milliunits: int) -> "_Held":
        with self._lock:
            if not self._held or self._held[-1].room < milliunits:
                self._reserve(milliunits)
            self._held[-1].admit(milliunits)
            return self._held[-1]

    def _reserve(self, milliunits: int) -> None:
        most, number = self._next
        most = max(most, milliunits)
        offer = (self._offer.provider, self._offer.model, self.operation)
        usage = Usage(*offer, inputs=number, milliunits=most, documents=self._documents)
        reservation = self._meter.reserve(usage)
        self._end([held for held in self._held if not held.pending])
        self._held.append(_Held(reservation, most))
        more = min(2 * number, MOST_AT_ONCE)
        self._next = (more * most // number, more)

    def _end(self, held: list["_Held"]) -> None:
        for some in held:
            self._held.remove(some)
            some.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._end(list(self._held))


@dataclass(slots=True)
class _Held:
    """One reservation: `room` is left of it, `pending` is under way, and `doubtful` may have been billed."""

    reservation: Reservation
    room: int
    pending: int = 0
    made: int = 0
    answered: int = 0
    doubtful: int = 0

    def admit(self, milliunits: int) -> None:
        self.room -= milliunits
        self.pending += milliunits

    def answer(self, milliunits: int, cost: int) -> None:
        self.pending -= milliunits
        self.made += 1
        self.answered += cost

    def fail(self, milliunits: int, error: BaseException) -> None:
        self.pending -= milliunits
        if may_be_billed(error):
            self.made += 1
            self.doubtful += milliunits
        else:
            self.room += milliunits

    def end(self) -> None:
        """Settle what was answered, keep as spent what may have been billed, and give back the rest."""
        # What is still on its way, because this thread was stopped, may be billed too.
        doubtful = self.doubtful + self.pending
        if doubtful:
            self.reservation.leave(milliunits=self.answered + doubtful, inputs=self.made)
        elif self.answered:
            self.reservation.settle(milliunits=self.answered, inputs=self.made)
        else:
            self.reservation.release()
