"""Books that a test keeps itself: what was reserved, and what became of it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from embedmill.shared.errors import EmbedmillError, FlowControl
from embedmill.shared.ledger import NO_TOKENS, Tokens, Usage


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: what it took, what may have been billed besides, or the error."""

    inputs: int | None = None
    milliunits: int = 0
    doubtful_milliunits: int = 0
    tokens: Tokens | None = NO_TOKENS
    request_id: str | None = None
    error: EmbedmillError | None = None


class Books:
    """A meter that notes everything; `room` is how many thousandths of units it lets through, `calls` how many calls.

    `instead` is what it makes of every failure.
    """

    def __init__(
        self, *, room: int | None = None, calls: int | None = None, instead: EmbedmillError | None = None
    ) -> None:
        self.room = room
        self.calls = calls
        self.instead = instead
        self.reserved: list[Usage] = []
        self.ended: dict[int, Ended] = {}
        """By the place of the reservation."""
        self.threads = set[int]()

    def reserve(self, usage: Usage) -> "Noted":
        self.threads.add(threading.get_ident())
        if (self.room is not None and usage.milliunits > self.room) or len(self.reserved) == self.calls:
            raise FlowControl("no money", reason="budget", retry_after_seconds=60, is_woken=True)
        if self.room is not None:
            self.room -= usage.milliunits
        self.reserved.append(usage)
        return Noted(self, len(self.reserved) - 1)

    @property
    def settled(self) -> list[Ended]:
        """What was answered."""
        return [end for end in self.ended.values() if end.error is None]

    @property
    def failed(self) -> list[EmbedmillError]:
        """What the others ended in."""
        return [end.error for end in self.ended.values() if end.error is not None]

    def answered(self, operation: str | None = None) -> int:
        """Thousandths of units that were answered, of one operation or of all."""
        return sum(end.milliunits for end in self._of(operation))

    def doubtful(self, operation: str | None = None) -> int:
        """What may have been billed besides."""
        return sum(end.doubtful_milliunits for end in self._of(operation))

    def _of(self, operation: str | None) -> list[Ended]:
        assert len(self.ended) == len(self.reserved), "every reservation has ended"
        return [end for place, end in self.ended.items() if operation in (None, self.reserved[place].operation)]


class Noted:
    """A reservation in those books."""

    def __init__(self, books: Books, place: int) -> None:
        self._books = books
        self._place = place

    def settle(
        self,
        tokens: Tokens | None = NO_TOKENS,
        *,
        milliunits: int = 0,
        inputs: int | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._end(Ended(inputs, milliunits, tokens=tokens, request_id=request_id))

    def fail(self, error: EmbedmillError) -> EmbedmillError:
        self._end(Ended(error=error))
        return self._books.instead or error

    def release(self) -> None:
        self._end(Ended(0))

    def leave(self, *, milliunits: int | None = None, inputs: int | None = None) -> None:
        most = self._books.reserved[self._place].milliunits if milliunits is None else milliunits
        self._end(Ended(inputs, 0, most))

    def _end(self, ended: Ended) -> None:
        self._books.threads.add(threading.get_ident())
        assert self._place not in self._books.ended, "a reservation ends once"
        self._books.ended[self._place] = ended
