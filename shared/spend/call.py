"""One paid call between its reservation and its end: its money, the provider's limits, its key and its circuit."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

from embedmill.shared.errors import FlowControl, may_be_billed
from embedmill.shared.flow.allowance import Allowance
from embedmill.shared.flow.concurrency import Concurrency
from embedmill.shared.flow.headers import read_limits
from embedmill.shared.ledger import NO_TOKENS, Lane, Tokens, Usage
from embedmill.shared.spend.guard import Guard
from embedmill.shared.spend.money import Money, Note

Failure = TypeVar("Failure", bound=BaseException)


class PaidCall:
    """A call that whoever began it ends, once: with `settle`, `fail`, `release` or `leave`."""

    def __init__(self, money: Money, guard: Guard, allowance: Allowance, concurrency: Concurrency) -> None:
        self.usage: Usage = money.usage
        """What was reserved."""
        self._money = money
        self._guard = guard
        self._allowance = allowance
        self._concurrency = concurrency
        self._ended = self._is_out = False
        self.key = guard.key
        """The key that it uses, for those who send it by themselves."""

    @property
    def microusd(self) -> int:
        """What it counts as, once it is settled or left."""
        return self._money.microusd

    @property
    def row(self) -> int | None:
        """The number of its row in the ledger, by which `Spender.resume` finds it again; None when it is free."""
        return self._money.row

    def begin(self, note: Note | None = None) -> None:
        """Pass key and circuit, take from the allowance, reserve from the budgets; all or nothing."""
        if self._money.is_free:
            return
        self._guard.ask()
        try:
            self._await_turn()
            self._reserve(note)
        except BaseException:
            self._guard.give_back()
            raise
        self._concurrency.began()
        self._is_out = True

    def _await_turn(self) -> None:
        if self.usage.is_urgent:
            self._allowance.await_urgent_turn(self.usage.amounts, seconds_left=self.usage.seconds_left)
        else:
            self._allowance.await_turn(self.usage.amounts, job=str(self.usage.job_id or ""))

    def _reserve(self, note: Note | None) -> None:
        try:
            self._money.reserve(note)
        except FlowControl:
            self._allowance.correct(self.usage.amounts)
            raise

    def settle(
        self,
        tokens: Tokens | None = NO_TOKENS,
        *,
        milliunits: int = 0,
        inputs: int | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        note: Note | None = None,
    ) -> None:
        """The call was answered and took this; `headers` are the response's, for what they say of limits.

        None where the provider did not say: then it counts as what was reserved.

        `note` writes down, in the same transaction, what came of it.
        """
        self._end()
        self._money.settle(tokens, milliunits=milliunits, inputs=inputs, request_id=request_id, note=note)
        if self.row is None or self.usage.lane is Lane.BULK:
            return
        self._concurrency.answered()
        self._guard.answered()
        # What was paid for must not be lost because the others cannot be told.
        with suppress(FlowControl):
            self._allowance.answered(self.usage.amounts, self._money.usage.amounts, read_limits(headers or {}))

    def fail(self, error: Failure) -> Failure | FlowControl:
        """The call ended in an error: release or keep the reservation, tell the others, and return what to raise."""
        if self._ended or self.row is None:
            self._end()
            return error
        is_rate = isinstance(error, FlowControl) and error.reason == "rate"
        was_alone = is_rate and self._concurrency.refused()
        self._end()
        if may_be_billed(error):
            self._money.leave()
        else:
            self._release(None)
        if isinstance(error, FlowControl) and is_rate:
            reported, seconds = read_limits(error.headers), error.retry_after_seconds
            with suppress(FlowControl):
                self._allowance.refused(seconds, reported, self.usage.amounts, was_alone=was_alone)
        return self._guard.failed(error)

    def release(self, *, note: Note | None = None) -> None:
        """The call was not made; `note` writes down, in the same transaction, what becomes of it."""
        if not self._ended and self.row is not None:
            self._release(note)
            self._guard.give_back()
        self._end()

    def leave(self, *, milliunits: int | None = None, inputs: int | None = None) -> None:
        """Nobody said how it ended: it may have been billed."""
        if not self._ended and self.row is not None:
            self._money.leave(milliunits=milliunits, inputs=inputs)
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._is_out:
            self._is_out = False
            self._concurrency.ended()

    def _release(self, note: Note | None) -> None:
        self._money.release(note)
        with suppress(FlowControl):
            self._allowance.correct({k: n for k, n in self.usage.amounts.items() if k != "requests"})
