"""Owns what a search says of its steps: which ran, why one did not, what went in and came out, cost and time."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import add, attrgetter, sub
from types import TracebackType
from typing import NamedTuple

from embedmill.shared.metering import Tally


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a search; `why` says why it did not run, or what is to be known of how it ran.

    `given` and `out` count what it is about: candidates, as a rule. `calls` are paid ones, `usd` what they cost,
    `tokens_in` and `tokens_out` what they took; `cached` are inputs that needed no call, as what was answered before is
    kept, and `saved_usd` and `saved_tokens` what that had taken. It has `failed` where it was meant to run and could
    not, so that the answer is less than it might be. `model` is the one that took part, `prompt` the hash of what it
    was told to do. `unpriced_calls` are those whose price nobody knows, which is missing in `usd`; None for none.
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
    cached: int = 0
    saved_usd: float = 0.0
    saved_tokens: int = 0
    unpriced_calls: int | None = field(default=None, metadata={"left_out": True})

    @property
    def tokens(self) -> int:
        """All that its calls took."""
        return self.tokens_in + self.tokens_out

    def as_kept(self) -> "Step":
        """The step of a result that is shown again: nothing is done, and nothing spent."""
        if not self.ran:
            return self
        cached = 1 if self.calls or self.cached else 0
        saved_usd, saved_tokens = round(self.usd + self.saved_usd, 6), self.tokens + self.saved_tokens
        nothing = Step(self.name, why=KEPT, given=self.given, out=self.out, model=self.model, prompt=self.prompt)
        return replace(nothing, cached=cached, saved_usd=saved_usd, saved_tokens=saved_tokens)


def count_kept(steps: Iterable[Step]) -> int:
    """Answers that were kept from before: grades and the like one by one, a whole result once for all its steps."""
    told = list(steps)
    again = any(step.cached for step in told if step.why == KEPT)
    return again + sum(step.cached for step in told if step.why != KEPT)


NOTHING_CAME = "nothing came to it"
KEPT = "the result was kept from before"


class StepCost(NamedTuple):
    """What something took, of what a tally counts."""

    calls: int = 0
    microusd: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    saved_microusd: int = 0
    saved_tokens: int = 0
    unpriced: int = 0


NOTHING = StepCost()
_COUNTED = attrgetter(*StepCost._fields)
"""Of a tally what `StepCost` has, in its order."""


@dataclass(slots=True)
class Running:
    """A step under way; it is told what there is to say of it."""

    ran: bool = False
    why: str = ""
    given: int = 0
    out: int = 0
    seconds: float = 0.0
    spent: StepCost = NOTHING
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
        self.inner_seconds, self.inner = 0.0, NOTHING
        """What was taken by steps within the one that is under way."""

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

    def remark(self, name: str, why: str) -> None:
        """Say what is to be known of how a step ran."""
        self._steps[name].why = why

    def skip_all(self, why: str) -> None:
        """Say why no step has anything to do."""
        for name in self._steps:
            self.skip(name, why)

    def step(self, name: str, given: int = 0) -> "_Measuring":
        """Measure a step, which may run again: then the last time tells what went in and out."""
        step = self._steps[name]
        step.ran, step.why, step.given = True, "", given
        return _Measuring(self, step)

    def told(self) -> list[Step]:
        """Every step as it ended."""
        return [_told(name, step) for name, step in self._steps.items()]

    def timings(self) -> dict[str, float]:
        """Milliseconds of every step, and in `total` since the start."""
        spent = {name: step.seconds for name, step in self._steps.items()}
        total = time.perf_counter() - self._started
        return {name: round(1000 * seconds, 3) for name, seconds in (spent | {"total": total}).items()}

    def spent(self) -> tuple[int, ...]:
        """What the tally has counted so far, in the order of `StepCost`."""
        counted: tuple[int, ...] = _COUNTED(self._tally)
        return counted


class _Measuring:
    """A step while it is under way: a block that ends with what it took; a search has some twenty."""

    __slots__ = ("_before", "_began", "_outer", "_outer_seconds", "_step", "_steps")

    def __init__(self, steps: Steps, step: Running) -> None:
        self._steps = steps
        self._step = step

    def __enter__(self) -> Running:
        steps = self._steps
        self._outer_seconds, self._outer = steps.inner_seconds, steps.inner
        steps.inner_seconds, steps.inner = 0.0, NOTHING
        self._before = steps.spent()
        self._began = time.perf_counter()
        return self._step

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        steps, step = self._steps, self._step
        seconds = time.perf_counter() - self._began
        step.seconds += seconds - steps.inner_seconds
        steps.inner_seconds = self._outer_seconds + seconds
        spent = steps.spent()
        if spent == self._before:
            steps.inner = self._outer
            return
        taken = _each(sub, spent, self._before)
        step.spent = _each(add, step.spent, _each(sub, taken, steps.inner))
        steps.inner = _each(add, self._outer, taken)


@lru_cache(maxsize=256)
def _idle(name: str, why: str) -> Step:
    """A step that had nothing to do, as most have."""
    return Step(name, why=why)


def _told(name: str, step: Running) -> Step:
    spent = step.spent
    if not (step.ran or step.failed or step.seconds):
        return _idle(name, step.why or NOTHING_CAME)
    return Step(
        name,
        step.ran,
        step.why or ("" if step.ran else NOTHING_CAME),
        step.given,
        step.out,
        spent.calls,
        _dollars(spent.microusd),
        round(step.seconds, 6),
        step.failed,
        step.model,
        step.prompt,
        spent.tokens_in,
        spent.tokens_out,
        spent.cached,
        _dollars(spent.saved_microusd),
        spent.saved_tokens,
        spent.unpriced or None,
    )


def _dollars(microusd: int) -> float:
    return round(microusd / 1_000_000, 6)


def _each(one_by_one: Callable[[int, int], int], one: tuple[int, ...], other: tuple[int, ...]) -> StepCost:
    return StepCost(*map(one_by_one, one, other))
