"""Faults on order: a scripted list that says which requests go wrong, in which way, and how often."""

import random
import threading
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Kind = Literal[
    "slow",
    "status",
    "cut",
    "cut_body",
    "malformed",
    "truncated",
    "refusal",
    "max_tokens",
    "nonsense",
    "dimensions",
    "nan",
    "null",
    "partial",
    "late",
    "usage",
    "drip",
    "stream_error",
]

COMBINING: frozenset[Kind] = frozenset({"slow", "late", "drip"})
"""May come with another; of the rest, a request meets one, so that a list plays out one after the other."""
AFTER: frozenset[Kind] = frozenset({"cut_body", "malformed", "truncated", "usage", "stream_error"})
"""Spoil an answer whose work was done, and is billed; `stream_error` is for those alone that are streamed."""


class Fault(BaseModel):
    """One entry of the script. Nothing is billed for `status` and `cut`; from `refusal` on, kinds are the vendor's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    status: int = 500
    code: str | None = Field(None, description="The vendor's own error code or type, when the usual one will not do.")
    message: str | None = None
    headers: dict[str, str] = Field({}, description="Added to the answer, as Retry-After.")
    usage: Any = Field(None, description="For `usage`, what the answer says in the place of its counts of tokens.")
    seconds: float = Field(
        0.0,
        ge=0,
        description="For `slow`, how long; for `late`, how late writes are seen; for `drip`, between two events.",
    )
    match: str = Field("", description="Only requests whose body, with its JSON strings decoded, holds this text.")
    path: str = Field("", description="Only requests whose path holds this text.")
    after: int = Field(0, ge=0, description="So many matching requests pass first.")
    times: Annotated[int, Field(ge=1)] | None = Field(1, description="How often; null means for ever.")
    probability: float = Field(1.0, ge=0, le=1)


SCRIPT = TypeAdapter(list[Fault])


class FaultScript:
    """The faults still to come; a request meets the first that matches."""

    def __init__(self, *, seed: int = 0) -> None:
        self._entries: list[_Entry] = []
        self._random = random.Random(seed)  # noqa: S311 - drawn from a seed, so that a rehearsal can be repeated
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Put faults at the end of the script."""
        with self._lock:
            self._entries += [_Entry(fault) for fault in faults]

    def clear(self) -> None:
        """Forget what is still to come."""
        with self._lock:
            self._entries.clear()

    def left(self) -> list[dict[str, Any]]:
        """What is still to come, with `happened` so far."""
        with self._lock:
            return [entry.fault.model_dump() | {"happened": entry.happened} for entry in self._entries]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to come, so that no request has to be looked through."""
        return not self._entries

    def take(self, path: str, text: str) -> tuple[Fault, ...]:
        """The faults that this request meets; each is used up by one."""
        with self._lock:
            met: dict[Kind | None, Fault] = {}
            for entry in self._entries:
                place = entry.fault.kind if entry.fault.kind in COMBINING else None
                if place not in met and entry.strikes(path, text, self._random):
                    met[place] = entry.fault
            self._entries = [entry for entry in self._entries if not entry.spent]
        return tuple(met.values())


class _Entry:
    """A fault with its counts."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.happened = 0
        self._passed = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.happened >= self.fault.times

    def strikes(self, path: str, text: str, chance: random.Random) -> bool:
        fault = self.fault
        if self.spent or fault.path not in path or fault.match not in text:
            return False
        if self._passed < fault.after:
            self._passed += 1
            return False
        if fault.probability < 1 and chance.random() >= fault.probability:
            return False
        self.happened += 1
        return True


def find(faults: Iterable[Fault], *kinds: Kind) -> Fault | None:
    """The first fault of one of these kinds."""
    return next((fault for fault in faults if fault.kind in kinds), None)
