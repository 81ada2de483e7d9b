"""The money of one call: reserved as a row of the ledger before the call, settled, released or left open after it.

What may be spent is written down before a request leaves. A process that dies in between leaves a reservation that goes
on counting as spent, so the ledger is never short of a provider's bill.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from embedmill.shared.db import ledger
from embedmill.shared.db.budgets import Alert
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.errors import EmbedmillError, FlowControl, UnknownPrice, may_be_billed
from embedmill.shared.ledger import NO_TOKENS, Entry, Lane, Tokens, Usage
from embedmill.shared.logs import get_logger
from embedmill.shared.spend.credibility import is_credible

if TYPE_CHECKING:
    from embedmill.shared.spend.prices import Price, Prices

log = get_logger()

AWAIT_BUDGET_SECONDS = 3600.0
"""Work that a budget stopped is woken when there is room; this is how long it waits if nobody wakes it."""

Note = Callable[[Connection, int], object]
"""Is given the connection of a transaction, and the number of the row in the ledger that it is about."""


class Money:
    """The money of one call, and nothing else: its row in the ledger from the reservation to the end.

    Ends once; what follows has no effect.
    """

    def __init__(
        self, database: Database, prices: "Prices", usage: Usage, *, owner: str, row: int | None = None
    ) -> None:
        self._database = database
        self._prices = prices
        self._owner = owner
        self._reserved = usage
        self._price = prices.price_of(usage)
        self.usage = usage
        """The most that it takes, and, once it is settled, what it took."""
        self.row = row
        """The number of its row in the ledger; None when the call is free, and before it is reserved."""
        self.microusd = 0
        """What it counts as, once it is settled or left."""

    @property
    def is_free(self) -> bool:
        """Whether the call costs nothing."""
        return self._price.is_free

    def reserve(self, note: Note | None = None) -> None:
        """Reserve the most that the call may cost; raises FlowControl when a budget has no room for it.

        `note` writes down, in the same transaction, what the row is for.
        """
        entry = self._entry(self._reserved, self._price)

        def reserve(connection: Connection) -> ledger.Reserved | ledger.NoRoom:
            result = ledger.reserve(connection, entry)
            if note is not None and isinstance(result, ledger.Reserved):
                note(connection, result.id)
            return result

        result = self._database.transact(reserve)
        _announce(result.alerts)
        if isinstance(result, ledger.Reserved):
            self.row = result.id
            return
        log.info("budget.refused", budget=result.budget.label, job=self._reserved.job_id)
        raise FlowControl(
            f"the budget for {result.budget.label} is used up",
            reason="budget",
            retry_after_seconds=min(result.seconds or AWAIT_BUDGET_SECONDS, AWAIT_BUDGET_SECONDS),
            is_woken=True,
            hint="`embedmill budget show` has the limits; what waits for one goes on when it is raised.",
        )

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
        """It was answered and cost this; `note` writes down, in the same transaction, what came of it.

        None, and what cannot be true, becomes what was reserved, which is the most that it can have cost.
        """
        del headers  # no limits hold for money
        self.usage = self._believed(tokens, milliunits, self._reserved.inputs if inputs is None else inputs)
        entry = replace(self._entry(self.usage, self._price_of(self.usage)), request_id=request_id)
        self.microusd = entry.cost_microusd or 0
        row = self.row
        if row is None:
            self._database.transact(lambda connection: ledger.record(connection, [entry]))
            return

        def settle(connection: Connection) -> tuple[Alert, ...]:
            alerts = ledger.settle(connection, row, entry)
            if note is not None:
                note(connection, row)
            return alerts

        _announce(self._database.transact(settle))

    def fail(self, error: EmbedmillError) -> EmbedmillError:
        """It ended in an error: keep as spent what may be billed; returns the error."""
        if may_be_billed(error):
            self.leave()
        else:
            self.release()
        return error

    def release(self, note: Note | None = None) -> None:
        """It was certainly not billed; `note` writes down, in the same transaction, what becomes of it."""
        row = self.row
        assert row is not None

        def release(connection: Connection) -> None:
            ledger.release(connection, row)
            if note is not None:
                note(connection, row)

        self._database.transact(release)

    def leave(self, *, milliunits: int | None = None, inputs: int | None = None) -> None:
        """Nobody knows what was billed: all of it goes on counting as spent, or no more than these units."""
        row = self.row
        assert row is not None
        most = self._reserved
        if milliunits is not None:
            most = replace(most, milliunits=milliunits, inputs=inputs or 0)
        entry = self._entry(most, self._price)
        self.microusd = entry.cost_microusd or 0
        if milliunits is None:
            self._database.transact(lambda connection: ledger.leave_unsettled(connection, row))
            return
        self._database.transact(lambda connection: ledger.leave_at(connection, row, entry))

    def _believed(self, tokens: Tokens | None, milliunits: int, inputs: int) -> Usage:
        """What the provider says that it was, where it can be true; otherwise what was reserved, with a warning."""
        reserved = self._reserved
        if tokens is not None and (self.is_free or self._is_credible(tokens, milliunits, inputs)):
            return replace(reserved, tokens=tokens, milliunits=milliunits, inputs=inputs)
        log.warning(
            "usage.not_believed",
            provider=reserved.provider,
            model=reserved.model,
            operation=reserved.operation,
            told="no count" if tokens is None else tokens.total,
            reserved=reserved.tokens.total,
            entry=self.row,
        )
        return replace(reserved, milliunits=max(milliunits, reserved.milliunits), inputs=inputs)

    def _is_credible(self, tokens: Tokens, milliunits: int, answered: int) -> bool:
        reserved = self._reserved
        return milliunits >= 0 and is_credible(
            tokens, reserved=reserved.tokens, inputs=reserved.inputs, answered=answered
        )

    def _price_of(self, usage: Usage) -> "Price":
        """The price of what was really sent, which may be of another band than what was reserved."""
        with suppress(UnknownPrice):
            found = self._prices.price_of(usage)
            if found.cost(usage.tokens) is not None:
                return found
        return self._price

    def _entry(self, usage: Usage, price: "Price") -> Entry:
        return Entry(
            usage,
            price.name,
            price.cost(usage.tokens, milliunits=usage.milliunits),
            lane_saved_microusd=self._lane_saved(usage, price),
            owner=self._owner,
        )

    def _lane_saved(self, usage: Usage, price: "Price") -> int:
        if usage.lane is Lane.LIVE or price.is_free:
            return 0
        try:
            live = self._prices.price_of(replace(usage, lane=Lane.LIVE))
        except UnknownPrice:
            return 0
        return (live.cost(usage.tokens) or 0) - (price.cost(usage.tokens) or 0)


def _announce(alerts: tuple[Alert, ...]) -> None:
    for alert in alerts:
        log.warning("budget.alert", budget=alert.budget, percent=alert.percent)
