"""A circuit and its arithmetic: closed, open for a rest that doubles, half open for one probe by one worker.

It opens for who is down and not for who stumbles: when enough of the last calls failed, and most of them. The last
calls are counted and not timed, because a call that is given up may take minutes.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from embedmill.shared.errors import FlowControl, ProviderUnavailable, may_be_billed
from embedmill.shared.flow.state import FlowState
from embedmill.shared.logs import get_logger

log = get_logger()

LONGEST_REST_SECONDS = 300.0
PROBE_SECONDS = 60.0
"""How long a probe may take before another worker sends one."""
LAST_CALLS = 20
"""So many are looked at; of more, all count half."""
FRESH_SECONDS = 0.5
HINT = "Work that waits for it goes on by itself; run any other command again in a moment, or `embedmill doctor`."
CIRCUIT = "circuit:"
"""Begins the keys of circuits in the state."""
Value = dict[str, Any]
Failure = TypeVar("Failure", bound=BaseException)


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """How many failures open a circuit when few calls are answered, and for how many seconds at first and at most."""

    failures: int
    first_rest_seconds: float
    longest_rest_seconds: float = LONGEST_REST_SECONDS
    share: float = 0.8
    """How many of the last calls have to fail."""
    remembered: int = LAST_CALLS
    """So many answers speak for a provider at its next failure; an hour of them must not."""
    probe_seconds: float = PROBE_SECONDS
    """For so long one probe keeps the others back; with 0, as many try as like."""
    fresh_seconds: float = FRESH_SECONDS
    """For so long nobody looks again whether a circuit is closed, nor tells of each answer."""


def state_of(value: Value, now: float) -> str:
    """`closed`, `open` or `half-open`."""
    if not value.get("opened"):
        return "closed"
    return "open" if now < value["open_until"] else "half-open"


def ask(value: Value, now: float, *, probe_seconds: float = PROBE_SECONDS) -> tuple[Value | None, float]:
    """Whether a call may be made: 0, or the seconds to wait. The first to ask a half-open circuit is its probe."""
    match state_of(value, now):
        case "closed":
            return None, 0.0
        case "open":
            # A clock that was put back cannot make a rest longer than it was.
            return None, min(value["open_until"] - now, value.get("rest", LONGEST_REST_SECONDS))
    left = value.get("probe_until", 0.0) - now
    if 0 < left <= PROBE_SECONDS:
        return None, left
    return {**value, "probe_until": now + probe_seconds}, 0.0


def give_back(value: Value, now: float) -> tuple[Value | None, None]:
    """The probe was not sent: the next to ask sends one."""
    if state_of(value, now) != "half-open":
        return None, None
    return {**value, "probe_until": 0.0}, None


def fail(
    value: Value, now: float, policy: CircuitPolicy, *, answered: int = 0, asked_seconds: float = 0.0
) -> tuple[Value, float]:
    """A call failed: the seconds to rest when that opened the circuit or found it open, 0 while it stays closed.

    `answered` are calls that were answered and not counted yet; `asked_seconds` is how long the provider asks to be
    left alone, and the least that the circuit rests when it opens.
    """
    counts = _count(value, failed=1, answered=answered, most=max(LAST_CALLS, 2 * policy.failures))
    opened = value.get("opened", 0)
    if state_of(value, now) == "open":
        until = max(value["open_until"], now + asked_seconds)
        rest = max(value.get("rest", LONGEST_REST_SECONDS), asked_seconds)
        return {**value, **counts, "open_until": until, "rest": rest}, until - now
    if not opened and not _is_down(counts, policy):
        return {**value, **counts}, 0.0
    rest = max(min(policy.first_rest_seconds * 2.0**opened, policy.longest_rest_seconds), asked_seconds)
    return {**counts, "opened": opened + 1, "open_until": now + rest, "rest": rest}, rest


def succeed(value: Value, now: float, *, answered: int = 1) -> tuple[Value | None, bool]:
    """Calls were answered; True when that closed the circuit. Failures are forgotten by and by."""
    if not value:
        return None, False
    if state_of(value, now) == "open":
        return None, False  # sent before it opened: only a probe closes a circuit
    if value.get("opened"):
        return {}, True
    counts = _count(value, failed=0, answered=answered, most=LAST_CALLS)
    return (counts if counts["failed"] >= 1 else {}), False


def _count(value: Value, *, failed: int, answered: int, most: int) -> Value:
    # A circuit of an older release has `failures`, all in a row.
    before = value["failed"] if "failed" in value else value.get("failures", 0)
    counts: list[float] = [before + failed, value.get("answered", 0) + answered]
    while sum(counts) > most:
        counts = [count / 2 for count in counts]
    return {"failed": counts[0], "answered": counts[1]}


def _is_down(counts: Value, policy: CircuitPolicy) -> bool:
    failed = counts["failed"]
    return bool(failed >= policy.failures and failed >= policy.share * (failed + counts["answered"]))


class Circuit:
    """A circuit over a state, which all processes share or one keeps for itself; safe between threads.

    `closed` is called when it closes, and says how much work that woke.
    """

    def __init__(
        self, name: str, policy: CircuitPolicy, state: FlowState, *, closed: Callable[[], int] = lambda: 0
    ) -> None:
        self._name = name
        self._key = f"{CIRCUIT}{name}"
        self._policy = policy
        self._state = state
        self._closed = closed
        self._closed_until = 0.0
        self._marked = False
        self._probing = False
        self._answered = 0
        self._reported_until = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether as many as like may ask."""
        return state_of(*self._state.peek(self._key)) == "closed"

    def ask(self) -> None:
        """Raise FlowControl while no call may be made."""
        if time.monotonic() < self._closed_until:
            return
        value, now = self._state.peek(self._key)
        self._marked = bool(value)
        if state_of(value, now) == "closed":
            self._closed_until = time.monotonic() + self._policy.fresh_seconds
            return
        probe_seconds = self._policy.probe_seconds
        seconds = self._state.update(self._key, lambda found, at: ask(found, at, probe_seconds=probe_seconds))
        if seconds > 0:
            raise self._rest(seconds, None)
        self._probing = True

    def give_back(self) -> None:
        """The call that was let through is not made; if it was the probe, another may be."""
        if self._probing:
            self._probing = False
            with suppress(FlowControl):
                self._state.update(self._key, give_back)

    def succeeded(self) -> None:
        """A call was answered; the others are told as long as they know of failures, and not of every call."""
        probing, self._probing = self._probing, False
        self._answered = min(self._answered + 1, self._policy.remembered)
        if not self._marked or (not probing and time.monotonic() < self._reported_until):
            return
        answered, self._answered = self._answered, 0

        def change(value: Value, now: float) -> tuple[Value | None, tuple[bool, bool]]:
            changed, closed = succeed(value, now, answered=answered)
            return changed, (closed, bool(value if changed is None else changed))

        closed, self._marked = self._state.update(self._key, change)
        self._reported_until = time.monotonic() + self._policy.fresh_seconds
        if closed:
            log.info("circuit.closed", circuit=self._name, woken=self._closed())

    def failed(self, error: Failure, *, is_down: bool = False) -> Failure | FlowControl:
        """A call failed; returns the error, or FlowControl when the circuit is open now and the work is to wait.

        `is_down` when the caller knows that nobody is answered: then it opens whatever was answered before.
        """
        self._marked, self._probing, self._closed_until = True, False, 0.0
        answered, self._answered = self._answered, 0
        policy = replace(self._policy, failures=1, share=0.0) if is_down else self._policy
        asked = error.retry_after_seconds if isinstance(error, FlowControl) else 0.0
        rest = self._state.update(
            self._key, lambda value, now: fail(value, now, policy, answered=answered, asked_seconds=asked)
        )
        if rest <= 0:
            return error
        log.warning("circuit.opened", circuit=self._name, seconds=round(rest, 3), error_class=type(error).__name__)
        return self._rest(rest, error)

    def _rest(self, seconds: float, error: BaseException | None) -> FlowControl:
        return FlowControl(
            f"{self._name} does not answer and is left alone" if error is None else f"{error}; it is left alone",
            reason="circuit",
            retry_after_seconds=seconds,
            may_be_billed=error is not None and may_be_billed(error),
            failure=_failure_of(error),
            hint=HINT,
        )


def _failure_of(error: BaseException | None) -> ProviderUnavailable | None:
    match error:
        case ProviderUnavailable():
            return error
        case FlowControl(failure=failure):
            return failure
    return None
