"""One provider's allowance as a process asks for it: turns are waited for, and what was used and heard corrects it."""

import time
from collections.abc import Callable
from functools import partial
from secrets import token_hex

from embedmill.shared.errors import FlowControl
from embedmill.shared.flow import guesses
from embedmill.shared.flow.headers import ReportedLimits
from embedmill.shared.flow.limits import ProviderLimits
from embedmill.shared.flow.state import FlowState
from embedmill.shared.flow.token_buckets import (
    URGENT_PATIENCE_SECONDS,
    Amounts,
    Value,
    Wait,
    as_counted,
    correct,
    headroom,
    learn,
    observe,
    refuse,
    relearn,
    take,
    take_urgently,
)
from embedmill.shared.logs import get_logger
from embedmill.shared.metering import Headroom

log = get_logger()

PATIENCE_SECONDS = 2.0
"""A worker waits so long for its turn; for longer the work is parked and the worker does something else."""


class Allowance:
    """A provider's limits for one pool of models and one key, shared by all processes; `name` is what errors say."""

    def __init__(
        self,
        key: str,
        name: str,
        limits: ProviderLimits,
        state: FlowState,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._key = key
        self._name = name
        self._limits = limits
        self._state = state
        self._sleep = sleep

    def await_turn(self, amounts: Amounts, *, job: str) -> None:
        """Take what a call needs, after a short wait if that is enough; raises FlowControl when it is not."""
        self._await(partial(self._take, amounts, job), patience=PATIENCE_SECONDS)

    def await_urgent_turn(self, amounts: Amounts, *, seconds_left: float) -> None:
        """The same for what a person waits for, for so long at most: it goes before all else."""
        patience = max(min(URGENT_PATIENCE_SECONDS, seconds_left), 0.0)
        self._await(partial(self._take_urgently, amounts, token_hex(8)), patience=patience)

    def _await(self, ask: Callable[[float], Wait | None], *, patience: float) -> None:
        waited = 0.0
        while (wait := ask(patience - waited)) is not None:
            if wait.seconds > patience - waited:
                raise FlowControl(
                    f"the limit of {self._name} is used up", reason="rate", retry_after_seconds=wait.promise
                )
            self._sleep(wait.seconds)
            waited += wait.seconds

    def _take(self, amounts: Amounts, job: str, patience: float) -> Wait | None:
        return self._state.update(
            self._key,
            lambda value, now: take(value, now, amounts, self._of(value, now), job=job, patience=patience),
        )

    def _take_urgently(self, amounts: Amounts, caller: str, patience: float) -> Wait | None:
        return self._state.update(
            self._key,
            lambda value, now: take_urgently(
                value, now, amounts, self._of(value, now), caller=caller, patience=patience
            ),
        )

    def correct(self, difference: Amounts) -> None:
        """Give back what was not used."""
        if any(difference.values()):
            self._change(lambda value, now: correct(value, now, difference, self._of(value, now)))

    def answered(self, reserved: Amounts, used: Amounts, reported: ReportedLimits) -> None:
        """Put what was used in the place of what was reserved, and believe the response's headers."""
        difference = {name: reserved[name] - used[name] for name in reserved}

        def change(value: Value, now: float) -> Value:
            # Of a limit that was not known when the call was made, nothing was taken.
            unheard_of = self._of({"learned": reported.limits}, now).keys() - value.get("levels", {}).keys()
            value = relearn(value, reported.limits)
            taken = {name: amount for name, amount in difference.items() if name not in unheard_of}
            value = correct(value, now, taken, self._of(value, now))
            value = observe(value, reserved, used) | {"heard": True}
            value = guesses.granted(value, now, used.get("tokens", 0))
            left, holds = reported.remaining, reported.holds
            return learn(value, now, left, self._of(value, now), unheard_of=unheard_of, holds=holds)

        self._change(change)

    def refused(self, seconds: float, reported: ReportedLimits, amounts: Amounts, *, was_alone: bool) -> None:
        """The provider said of a call of so much: not now, and in so many seconds; `was_alone` when no other was out.

        Where it tells no limit of tokens, one is guessed from what it refuses alone.
        """
        log.info("limit.refused", limit=self._key.rpartition(":")[0], seconds=seconds)

        def change(value: Value, now: float) -> Value:
            value, counted = relearn(value, reported.limits), as_counted(value, amounts)
            if was_alone:
                value = guesses.refused(value, now, counted.get("tokens", 0), seconds)
            return refuse(value, now, seconds, self._of(value, now), amounts=counted, remaining=reported.remaining)

        self._change(change)

    def measure(self) -> Headroom:
        """How large a call may be now; locks nothing."""
        value, now = self._state.peek(self._key)
        return headroom(value, now, self._of(value, now))

    def _of(self, value: Value, now: float) -> dict[str, int]:
        """What holds; what is refused is believed over what was assumed, and what is told over both."""
        limits = self._limits.with_learned(value.get("learned", {}))
        guessed = guesses.limit_of(value, now)
        if guessed is not None and "tokens" not in value.get("told", ()):
            limits["tokens"] = min(guessed, limits.get("tokens", guessed))
        return limits

    def _change(self, change: Callable[[Value, float], Value]) -> None:
        self._state.update(self._key, lambda value, now: (change(value, now), None))
