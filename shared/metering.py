"""What passes between whoever calls a provider and whoever keeps the books: a meter, and a reservation for each call.

A meter is asked before a call, with the most that the call may take, and what it gives back is told how the call ended.
So no provider knows of money, and the books know of no provider.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from embedmill.shared.errors import EmbedmillError, FlowControl
from embedmill.shared.ledger import MOST_USD, NO_TOKENS, Tokens, Usage

MICRO = 1_000_000
NO_PRICE = "the query has a bound in dollars, and no price is known of the call"


class Reservation(Protocol):
    """A call that may be made; it ends once."""

    def settle(
        self,
        tokens: Tokens | None = NO_TOKENS,
        *,
        milliunits: int = 0,
        inputs: int | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """It was answered and took this, None where the provider does not say; once what it answered is kept.

        `headers` are the answer's, for what they say of limits.
        """

    def fail(self, error: EmbedmillError) -> EmbedmillError:
        """It ended in an error; returns what to raise, which is FlowControl when the provider is better left alone."""

    def release(self) -> None:
        """It was certainly not billed."""

    def leave(self, *, milliunits: int | None = None, inputs: int | None = None) -> None:
        """Nobody knows what was billed: all that was reserved counts as spent, or no more than these units."""


@dataclass(frozen=True, slots=True)
class Headroom:
    """How large a call may be now, in tokens, and what is granted a minute; None where nothing limits it.

    `is_heard` when the provider has answered before: until then its limits are not known. `counted` is how many tokens
    it may count where we count one, as far as that is more: what one request takes at most goes by its count, too.
    """

    tokens: int | None = None
    per_minute: int | None = None
    is_heard: bool = True
    counted: float = 1.0


class Tally:
    """What calls came to so far, for whoever wants to tell, and what those of one query may come to together.

    It counts the calls that were sent and not refused, what they cost and took, as the ledger does: what is reserved
    counts until the call has ended, and for good where nobody knows what was billed. `cached` are inputs that needed no
    call, as what was answered before is kept; `saved_…` is what that had cost and taken. Safe between threads.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.microusd = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.cached = 0
        self.saved_microusd = 0
        self.saved_tokens = 0
        self.unpriced = 0
        """Calls among them of which nobody knows a price: what they cost is missing."""
        self._most: int | None = None
        self._before = 0
        self._lock = threading.Lock()

    def begin(self, most_usd: float | None) -> None:
        """A query begins, which may cost so much at most; None for no limit."""
        with self._lock:
            self._most = None if most_usd is None else int(min(most_usd, MOST_USD) * MICRO)
            self._before = self.microusd

    def hold(self, microusd: int | None, tokens: Tokens = NO_TOKENS, *, whatever_it_costs: bool = False) -> "Hold":
        """Reserve the most that a call may cost, None for what has no known price; raises FlowControl without room."""
        with self._lock:
            if self._most is not None and microusd != 0 and not whatever_it_costs:
                if microusd is None:
                    raise FlowControl(NO_PRICE, reason="budget", retry_after_seconds=0.0)
                if self.microusd - self._before + microusd > self._most:
                    raise FlowControl(_no_room(self._most, microusd), reason="budget", retry_after_seconds=0.0)
            self.calls += 1
            self.unpriced += microusd is None
            self._count(microusd or 0, tokens, 1)
        return Hold(self, microusd or 0, tokens, is_unpriced=microusd is None)

    def settle(self, held: "Hold", microusd: int, tokens: Tokens) -> None:
        """A call cost and took this, for which so much was held."""
        with self._lock:
            self._count(held.microusd, held.tokens, -1)
            self._count(microusd, tokens, 1)

    def save(self, cached: int, *, microusd: int, tokens: int) -> None:
        """So many inputs needed no call, which had cost and taken this."""
        with self._lock:
            self.cached += cached
            self.saved_microusd += microusd
            self.saved_tokens += tokens

    def give_back(self, held: "Hold") -> None:
        """What was held is not spent, and the call is none, as in the ledger."""
        with self._lock:
            self._count(held.microusd, held.tokens, -1)
            self.calls -= 1
            self.unpriced -= held.is_unpriced

    def _count(self, microusd: int, tokens: Tokens, sign: int) -> None:
        self.microusd += sign * microusd
        self.tokens_in += sign * tokens.prompt
        self.tokens_out += sign * tokens.out


@dataclass(frozen=True, slots=True)
class Hold:
    """What a tally holds for one call: it counts as it was reserved until the call has ended."""

    tally: Tally
    microusd: int
    tokens: Tokens = NO_TOKENS
    is_unpriced: bool = False

    def settle(self, microusd: int, tokens: Tokens | None = None) -> None:
        """The call came to this; None where nobody says what it took: then it counts as it was reserved."""
        self.tally.settle(self, microusd, self.tokens if tokens is None else tokens)

    def release(self) -> None:
        """It was not sent, or certainly not billed."""
        self.tally.give_back(self)


def _no_room(most: int, wanted: int) -> str:
    if not most:
        return "the query may not cost anything"
    bound, call = (f"{microusd / MICRO:.6f}".rstrip("0").rstrip(".") for microusd in (most, wanted))
    return f"the query may cost {bound} dollars, and a call of up to {call} has no room in that"


class Meter(Protocol):
    """Is asked before each call, in the thread that makes it."""

    def reserve(self, usage: Usage) -> Reservation:
        """Reserve the most that a call may take; raises FlowControl to keep it back."""


class _Unbooked:
    """A call that nobody pays for."""

    def settle(self, tokens: Tokens | None = NO_TOKENS, **_: object) -> None:
        """Nothing to settle."""

    def fail(self, error: EmbedmillError) -> EmbedmillError:
        return error

    def release(self) -> None:
        """Nothing to give back."""

    def leave(self, **_: object) -> None:
        """Nothing to keep."""


class FreeMeter:
    """The meter of those who keep no books."""

    def reserve(self, usage: Usage) -> Reservation:
        """Let it pass."""
        return _Unbooked()
