"""The arithmetic of a circuit: closed, open for a rest that doubles, half open for one probe by one worker.

It opens for who is down and not for who stumbles: when enough of the last calls failed, and most of them. The last
calls are counted and not timed, because a call that is given up may take minutes.
"""

from dataclasses import dataclass
from typing import Any

LONGEST_REST_SECONDS = 300.0
PROBE_SECONDS = 60.0
"""How long a probe may take before another worker sends one."""
LAST_CALLS = 20
"""So many are looked at; of more, all count half."""
Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Policy:
    """How many failures open a circuit when few calls are answered, and for how many seconds at first and at most."""

    failures: int
    first_rest_seconds: float
    longest_rest_seconds: float = LONGEST_REST_SECONDS
    share: float = 0.8
    """How many of the last calls have to fail."""


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
            # A clock that was put back cannot make a rest longer than it was.
            return None, min(value["open_until"] - now, value.get("rest", LONGEST_REST_SECONDS))
    left = value.get("probe_until", 0.0) - now
    if 0 < left <= PROBE_SECONDS:
        return None, left
    return {**value, "probe_until": now + PROBE_SECONDS}, 0.0


def give_back(value: Value, now: float) -> tuple[Value | None, None]:
    """The probe was not sent: the next to ask sends one."""
    if state_of(value, now) != "half-open":
        return None, None
    return {**value, "probe_until": 0.0}, None


def fail(
    value: Value, now: float, policy: Policy, *, answered: int = 0, told_seconds: float = 0.0
) -> tuple[Value, float]:
    """A call failed: the seconds to rest when that opened the circuit or found it open, 0 while it stays closed.

    `answered` are calls that were answered and not counted yet; `told_seconds` is how long the provider asks to be left
    alone, and the least that the circuit rests when it opens.
    """
    counts = _count(value, failed=1, answered=answered, most=max(LAST_CALLS, 2 * policy.failures))
    opened = value.get("opened", 0)
    if state_of(value, now) == "open":
        until = max(value["open_until"], now + told_seconds)
        rest = max(value.get("rest", LONGEST_REST_SECONDS), told_seconds)
        return {**value, **counts, "open_until": until, "rest": rest}, until - now
    if not opened and not _is_down(counts, policy):
        return {**value, **counts}, 0.0
    rest = max(min(policy.first_rest_seconds * 2.0**opened, policy.longest_rest_seconds), told_seconds)
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


def _is_down(counts: Value, policy: Policy) -> bool:
    failed = counts["failed"]
    return bool(failed >= policy.failures and failed >= policy.share * (failed + counts["answered"]))
