"""The arithmetic of a circuit: closed, open for a rest that doubles, half open for one probe by one worker."""

from dataclasses import dataclass
from typing import Any

LONGEST_REST_SECONDS = 300.0
PROBE_SECONDS = 60.0
"""How long a probe may take before another worker sends one."""

Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Policy:
    """How many failures in a row open a circuit, and for how many seconds at first and at most."""

    failures: int
    first_rest_seconds: float
    longest_rest_seconds: float = LONGEST_REST_SECONDS


def state_of(value: Value, now: float) -> str:
    """`closed`, `open` or `half-open`."""
    if not value.get("opened"):
        return "closed"
    return "open" if now < value["open_until"] else "half-open"


def ask(value: Value, now: float) -> tuple[Value | None, float]:
    """Whether a call may be made: 0, or the seconds to wait. The first to ask a half-open circuit is its probe."""
    match state_of(value, now):
        case "closed":
            return None, 0.0
        case "open":
            # A clock that was put back cannot make a rest longer than the longest.
            return None, min(value["open_until"] - now, LONGEST_REST_SECONDS)
    left = value.get("probe_until", 0.0) - now
    if 0 < left <= PROBE_SECONDS:
        return None, left
    return {**value, "probe_until": now + PROBE_SECONDS}, 0.0


def give_back(value: Value, now: float) -> tuple[Value | None, None]:
    """The probe was not sent: the next to ask sends one."""
    if state_of(value, now) != "half-open":
        return None, None
    return {**value, "probe_until": 0.0}, None


def fail(value: Value, now: float, policy: Policy) -> tuple[Value, float]:
    """A call failed: the seconds to rest when that opened the circuit or found it open, 0 while it stays closed."""
    failures, opened = value.get("failures", 0) + 1, value.get("opened", 0)
    if state_of(value, now) == "open":
        return {**value, "failures": failures}, value["open_until"] - now
    if not opened and failures < policy.failures:
        return {**value, "failures": failures}, 0.0
    rest = min(policy.first_rest_seconds * 2.0**opened, policy.longest_rest_seconds)
    return {"failures": failures, "opened": opened + 1, "open_until": now + rest}, rest


def succeed(value: Value, now: float) -> tuple[Value | None, bool]:
    """A call was answered: failures are forgotten; True when that closed the circuit."""
    if not value:
        return None, False
    if state_of(value, now) == "open":
        return None, False  # sent before it opened: only a probe closes a circuit
    return {}, bool(value.get("opened"))
