"""What passes between whoever calls a provider and whoever keeps the books: a meter, and a reservation for each call.

A meter is asked before a call, with the most that the call may take, and what it gives back is told how the call ended.
So no provider knows of money, and the books know of no provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import NO_TOKENS, Tokens, Usage


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


@dataclass(slots=True)
class Tally:
    """What calls came to so far, for whoever wants to tell: how many were sent, and what the answered ones cost."""

    calls: int = 0
    microusd: int = 0


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
