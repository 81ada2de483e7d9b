"""Owns what a search says of its steps: which ran, why one did not, what went in and came out, cost and time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from embedmill.shared.metering import Tally


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a search; `why` says why it did not run, or what is to be known of how it ran.

    `given` and `out` count what it is about: candidates, as a rule. `calls` are paid ones, `usd` what they cost,
    `tokens_in` and `tokens_out` what they took. It has `failed` where it was meant to run and could not, so that the
    answer is less than it might be. `model` is the
    one that took part, `prompt` the hash of what it was told to do.
    """

    name: str
    ran: bool = False
    why: str = ""
    given: int = field(default=0, metadata={"published_as": "in"})
    out: int = 0
    calls: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    failed: bool = False
    model: str = ""
    prompt: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


NOTHING_CAME = "nothing came to it"

Spent = tuple[float, int, int, int, int]
"""Seconds, paid calls, their cost in micro-dollars, and tokens that were sent and answered."""
NOTHING: Spent = (0.0, 0, 0, 0, 0)


@dataclass(slots=True)
class Running:
    """A step under way; it is told what there is to say of it."""

    ran: bool = False
    why: str = ""
    given: int = 0
    out: int = 0
    spent: Spent = NOTHING
    failed: bool = False
    model: str = ""
    prompt: str = ""

    def fail(self, why: str) -> None:
        """It could not do its work, and the search goes on without it."""
        self.ran, self.failed, self.why = False, True, why


class Steps:
    """The steps of one search, in their order; what an inner step takes counts for that step only.

    `tally` is what paid calls came to so far, be they for the model or for the store.
    """

    def __init__(self, *names: str, tally: Tally | None = None) -> None:
        self._steps = {name: Running() for name in names}
        self._tally = tally or Tally()
        self._started = time.perf_counter()
        self._inner: Spent = NOTHING

    def apart(self) -> "Steps":
        """The same steps anew, with the same calls to count: for what is a part of one step here."""
        return Steps(*self._steps, tally=self._tally)

    @property
    def degraded(self) -> bool:
        """Whether a step was meant to run and could not."""
        return any(step.failed for step in self._steps.values())

    def why_failed(self, name: str) -> str:
        """Why a step could not do its work; empty where it did, or had none."""
        step = self._steps[name]
        return step.why if step.failed else ""

    def skip(self, name: str, why: str) -> None:
        """Say why a step has nothing to do."""
        self._steps[name].why = why

    def skip_all(self, why: str) -> None:
        """Say why no step has anything to do."""
        for name in self._steps:
            self.skip(name, why)

    @contextmanager
    def step(self, name: str, given: int = 0) -> Iterator[Running]:
        """Measure a step, which may run again: then the last time tells what went in and out."""
        step = self._steps[name]
        step.ran, step.why, step.given = True, "", given
        outer, self._inner = self._inner, NOTHING
        begin = self._now()
        try:
            yield step
        finally:
            taken = _minus(self._now(), begin)
            step.spent = _plus(step.spent, _minus(taken, self._inner))
            self._inner = _plus(outer, taken)

    def told(self) -> list[Step]:
        """Every step as it ended."""
        return [_told(name, step) for name, step in self._steps.items()]

    def timings(self) -> dict[str, float]:
        """Milliseconds of every step, and in `total` since the start."""
        spent = {name: step.spent[0] for name, step in self._steps.items()}
        total = time.perf_counter() - self._started
        return {name: round(1000 * seconds, 3) for name, seconds in (spent | {"total": total}).items()}

    def _now(self) -> Spent:
        tally = self._tally
        return time.perf_counter(), tally.calls, tally.microusd, tally.tokens_in, tally.tokens_out


def _told(name: str, step: Running) -> Step:
    seconds, calls, microusd, tokens_in, tokens_out = step.spent
    usd = round(microusd / 1_000_000, 6)
    why = step.why or ("" if step.ran else NOTHING_CAME)
    return Step(
        name,
        step.ran,
        why,
        step.given,
        step.out,
        calls,
        usd,
        round(seconds, 6),
        step.failed,
        step.model,
        step.prompt,
        tokens_in,
        tokens_out,
    )


def _plus(one: Spent, other: Spent) -> Spent:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3], one[4] + other[4]


def _minus(one: Spent, other: Spent) -> Spent:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2], one[3] - other[3], one[4] - other[4]
