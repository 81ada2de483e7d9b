"""The batch lane of simulated vendors: entries that are answered together, later, by the clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedmill.simulators.base import Call, Refused, new_id
from embedmill.simulators.clock import Clock

USUAL_SECONDS = 60.0
"""How long a batch takes unless a fault `late` says otherwise."""
LONGEST_SECONDS = 24 * 3600.0
"""What is not done by then expires, at every vendor."""


@dataclass(slots=True)
class VendorBatch:
    """Entries and, once it has ended, their results; `meta` is what the vendor's own answer repeats."""

    id: str
    entries: Sequence[Any]
    created_at: float
    ends_at: float
    meta: dict[str, Any] = field(default_factory=dict)
    partial: bool = False
    """Whether half of it is answered before it is cancelled or expires."""
    cancelled_at: float | None = None
    expired: bool = False
    results: list[Any] | None = None

    @property
    def expires_at(self) -> float:
        """When what is left of it expires."""
        return self.created_at + LONGEST_SECONDS


class Batches:
    """All batches of a simulator. A batch is carried out when it is first looked at after its end."""

    def __init__(self, clock: Clock, *, prefix: str) -> None:
        self._clock = clock
        self._prefix = prefix
        self._batches: dict[str, VendorBatch] = {}

    def create(self, call: Call, entries: Sequence[Any], **meta: Any) -> VendorBatch:
        """Take the entries; a fault `late` on the request says how many seconds they take, `partial` halves them."""
        now, late = self._clock.now(), call.fault("late")
        seconds = late.seconds if late else USUAL_SECONDS
        partial = call.fault("partial") is not None
        batch = VendorBatch(new_id(self._prefix), list(entries), now, now + seconds, meta, partial)
        self._batches[batch.id] = batch
        return batch

    def find(self, id: str) -> VendorBatch:
        """The batch by its id; refuses with 404."""
        if id not in self._batches:
            raise Refused(404, f"no batch {id}", code="not_found_error")
        return self._batches[id]

    def all(self) -> list[VendorBatch]:
        """Every batch, the youngest first."""
        return list(self._batches.values())[::-1]

    def forget_all(self) -> None:
        """As if there had never been any."""
        self._batches.clear()

    def forget(self, batch: VendorBatch) -> None:
        """Delete it with its results."""
        del self._batches[batch.id]

    def cancel(self, batch: VendorBatch) -> None:
        """Ask that nothing more is done; it has ended by the next look."""
        if batch.results is None and batch.cancelled_at is None:
            batch.cancelled_at = self._clock.now()

    def settle(
        self, batch: VendorBatch, *, answer: Callable[[Any], Any], unanswered: Callable[[Any, str], Any]
    ) -> VendorBatch:
        """Carry it out if its time has come: `unanswered` makes the results of entries `canceled` or `expired`."""
        if batch.results is not None:
            return batch
        now = self._clock.now()
        half = len(batch.entries) // 2 if batch.partial else 0
        answered, left = batch.entries[:half], batch.entries[half:]
        if batch.cancelled_at is not None:
            batch.results = [*map(answer, answered), *(unanswered(entry, "canceled") for entry in left)]
        elif batch.ends_at > batch.expires_at and now >= batch.expires_at:
            batch.expired = True
            batch.results = [*map(answer, answered), *(unanswered(entry, "expired") for entry in left)]
        elif now >= batch.ends_at:
            batch.results = [answer(entry) for entry in batch.entries]
        return batch
