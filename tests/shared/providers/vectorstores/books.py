"""Books of a vector store that a test keeps itself: what was reserved, and what became of it."""

from embedmill.shared.errors import FlowControl
from embedmill.shared.providers.vectorstores.metering import Made, Requests


class Books:
    """A meter that notes everything; `room` is how many thousandths of units it lets through, None any."""

    def __init__(self, *, room: int | None = None) -> None:
        self.room = room
        self.reserved: list[Requests] = []
        self.ended: dict[int, Made] = {}
        """By the place of the reservation."""

    def on_requests(self, requests: Requests) -> int:
        if self.room is not None and requests.milliunits > self.room:
            raise FlowControl("no money", reason="budget", retry_after_seconds=60, is_woken=True)
        if self.room is not None:
            self.room -= requests.milliunits
        self.reserved.append(requests)
        return len(self.reserved) - 1

    def on_end(self, reservation: int, made: Made) -> None:
        assert reservation not in self.ended, "a reservation ends once"
        self.ended[reservation] = made

    def told(self, operation: str | None = None) -> int:
        """What was answered, of one operation or of all."""
        return sum(made.milliunits for made in self._of(operation))

    def doubtful(self, operation: str | None = None) -> int:
        """What may have been billed besides."""
        return sum(made.doubtful_milliunits for made in self._of(operation))

    def _of(self, operation: str | None) -> list[Made]:
        assert len(self.ended) == len(self.reserved), "every reservation has ended"
        return [m for place, m in self.ended.items() if operation in (None, self.reserved[place].operation)]
