"""What is guessed of a limit that a provider does not tell: by what it refuses, and how long it asks to wait.

When a wait that was told is over, there is room for what was refused. So two refusals tell what was granted between
them, and in what time. What is refused alone again and again is larger than what the provider's bucket holds: less is
asked for, and by and by more, up to what was refused.

A guess grows, slowly for a minute and faster then, until it is refused once more or no limit at all.
"""

from collections.abc import Mapping
from typing import Any

from embedmill.shared.flow.headers import MINUTE_SECONDS

GROWTH, QUICK_GROWTH = 1.05, 1.5
"""A minute: at first, and when nothing was refused in one."""
FORGOTTEN_SECONDS = 1200.0
SHORTEST_SECONDS, RENEWED_SECONDS = 3.0, 30.0
"""Between two refusals that tell a limit, as waits are told in whole seconds; and after which the newer one counts."""
OFTEN, OFTEN_SMALL, SMALL_TOKENS = 3, 5, 10_000
"""What is refused so often in a row is too large, and what is small; a fault of the provider's passes sooner."""
PART = 4
"""What was refused again is asked for in so many parts."""
LEAST_TOKENS = 1000
"""No account is known that grants less at once."""

Value = dict[str, Any]


def limit_of(value: Value, now: float) -> int | None:
    """Tokens a minute; None where nothing is guessed."""
    return _grown(value.get("guess", {}), "limit", now, slowly=GROWTH)


def most_of(value: Value, now: float) -> int | None:
    """Tokens of one request at most."""
    guess = value.get("guess", {})
    return None if _grown(guess, "refused", now) is None else guess.get("most")


def granted(value: Value, now: float, tokens: int) -> Value:
    """So many tokens of one request were granted."""
    guess = value.get("guess", {})
    if not guess:
        return value
    guess = guess | {"streak": 0}
    most, refused = guess.get("most"), _grown(guess, "refused", now)
    if most and refused is None:
        del guess["most"]
    elif most and refused and most // 2 <= tokens and 2 * most < refused:
        guess["most"] = 2 * most
    return value | {"guess": guess}


def refused(value: Value, now: float, tokens: int, seconds: float) -> Value:
    """A request of so many tokens was refused while no other was out; there is room for it in so many seconds."""
    guess = value.get("guess", {})
    streak = guess.get("streak", 0) + 1
    guess = guess | {"streak": streak}
    often = OFTEN if tokens > SMALL_TOKENS else OFTEN_SMALL
    if streak >= often:
        # There was no room for it when that was said: it tells nothing of the limit.
        guess.pop("before", None)
        first = guess.get("refused", tokens) if streak > often else tokens
        return value | {"guess": guess | {"refused": first, "most": max(tokens // PART, LEAST_TOKENS), "at": now}}
    if streak > 1:
        return value | {"guess": guess}
    return value | {"guess": guess | _compared(value, guess, now, tokens, seconds)}


def _compared(value: Value, guess: Mapping[str, Any], now: float, tokens: int, seconds: float) -> Value:
    """What a refusal and the one before it tell of the limit."""
    this = {"fits": now + seconds, "tokens": tokens, "sent": value.get("sent", 0)}
    before = guess.get("before")
    if before is None or this["fits"] - before["fits"] > FORGOTTEN_SECONDS:
        return {"before": this}
    passed = this["fits"] - before["fits"]
    got = this["sent"] - before["sent"] + tokens - before["tokens"]
    found: Value = {"before": this} if passed >= RENEWED_SECONDS else {}
    if passed >= SHORTEST_SECONDS and got > 0:
        # Rather too much of a short time: it is refused soon, and compared over a longer one.
        exact = passed - min(1.0, SHORTEST_SECONDS / passed)
        found |= {"limit": round(got / exact * MINUTE_SECONDS), "at": now}
    return found


def _grown(guess: Mapping[str, Any], name: str, now: float, *, slowly: float = 1.0) -> int | None:
    """What was guessed, and what has grown since."""
    passed = max(now - guess.get("at", now), 0.0)
    if name not in guess or passed > FORGOTTEN_SECONDS:
        return None
    slow, quick = min(passed, MINUTE_SECONDS), max(passed - MINUTE_SECONDS, 0.0)
    grown: float = guess[name] * slowly ** (slow / MINUTE_SECONDS) * QUICK_GROWTH ** (quick / MINUTE_SECONDS)
    return round(grown)
