"""What passes between a vector store that bills its requests and whoever keeps its books: tabs, and the meter.

A method of a store makes many small requests of one kind, as one list for each document that it counts. They share a
tab: reserved before the first, told after the last, and one entry in the books. The meter knows nothing of the store's
lanes and circuits, and the store nothing of money.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from embedmill.shared.errors import may_be_billed

T = TypeVar("T")

MOST_AT_ONCE = 64
"""A tab of which nobody knows how long it gets reserves again and again, for twice as many requests up to this."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a service bills: its name, and that of the model and the operations in the price file."""

    provider: str
    model: str
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requests:
    """So many requests about to be made; `milliunits` are the most that they may cost, in thousandths of a unit."""

    provider: str
    model: str
    operation: str
    milliunits: int
    number: int
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """What became of them: what those that were answered cost, and what others may cost at most."""

    number: int
    milliunits: int
    doubtful_milliunits: int = 0


class Meter(Protocol):
    """Is asked before the first request of a tab and told after its last, from whichever thread makes them."""

    def on_requests(self, requests: Requests) -> Any:
        """Reserve; the result comes back with what was made of it. Raises FlowControl to keep the requests back."""

    def on_end(self, reservation: Any, made: Made) -> None:
        """Settle what was answered, keep as spent what may have been billed, and give back the rest."""


class FreeMeter:
    """The meter of those who keep no books."""

    def on_requests(self, requests: Requests) -> None:
        """Let them pass."""

    def on_end(self, reservation: Any, made: Made) -> None:
        """Nothing to settle."""


FREE = FreeMeter()


class Tab:
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
        self._sheets: list[_Sheet] = []
        self._lock = threading.Lock()

    def ask(self, milliunits: int, send: Callable[[], T], cost: Callable[[T], int]) -> T:
        """Make a request that costs so much at most; `cost` tells from the answer what it did."""
        sheet = self._admit(milliunits)
        try:
            answer = send()
        except BaseException as error:
            with self._lock:
                sheet.fail(milliunits, error)
            raise
        with self._lock:
            sheet.answer(milliunits, cost(answer))
        return answer

    def _admit(self, milliunits: int) -> "_Sheet":
        with self._lock:
            if not self._sheets or self._sheets[-1].room < milliunits:
                self._reserve(milliunits)
            self._sheets[-1].admit(milliunits)
            return self._sheets[-1]

    def _reserve(self, milliunits: int) -> None:
        planned, number = self._next
        planned = max(planned, milliunits)
        offer = (self._offer.provider, self._offer.model, self.operation)
        reservation = self._meter.on_requests(Requests(*offer, planned, number, self._documents))
        self._end([sheet for sheet in self._sheets if not sheet.pending])
        self._sheets.append(_Sheet(reservation, planned))
        more = min(2 * number, MOST_AT_ONCE)
        self._next = (more * planned // number, more)

    def _end(self, sheets: list["_Sheet"]) -> None:
        for sheet in sheets:
            self._sheets.remove(sheet)
            # What is still on its way, because this thread was stopped, may be billed too.
            self._meter.on_end(sheet.reservation, Made(sheet.made, sheet.told, sheet.doubtful + sheet.pending))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._end(list(self._sheets))


@dataclass(slots=True)
class _Sheet:
    """One reservation of a tab, and what has become of it; `room` is left of it, `pending` is under way."""

    reservation: Any
    room: int
    pending: int = 0
    made: int = 0
    told: int = 0
    doubtful: int = 0

    def admit(self, milliunits: int) -> None:
        self.room -= milliunits
        self.pending += milliunits

    def answer(self, milliunits: int, told: int) -> None:
        self.pending -= milliunits
        self.made += 1
        self.told += told

    def fail(self, milliunits: int, error: BaseException) -> None:
        self.pending -= milliunits
        if may_be_billed(error):
            self.made += 1
            self.doubtful += milliunits
        else:
            self.room += milliunits
