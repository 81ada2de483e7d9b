"""The one entry to paid calls: circuit, allowance, budget and ledger around every request.

    with spender.call(Planned("openai", "text-embedding-3-large", "embed", Tokens(into=900), subject=subject)) as call:
        answer = …
        call.settle(Tokens(into=answer.usage.prompt_tokens), request_id=…, headers=answer.headers)

What may be spent is written down before the request leaves. A process that dies in between leaves a reservation that
goes on counting as spent, so the ledger is never short of a provider's bill. Calls of models on this machine pass
through with a row in the ledger and nothing else. A service that has lanes and circuits of its own, as a vector store's
shards have, needs the money only: `spender.reserve`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import structlog

from embedmill.shared.db import flow, ledger
from embedmill.shared.db.budgets import Alert
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.ledger import Entry
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    KeyRefused,
    ProviderUnavailable,
    UnknownPrice,
    may_be_billed,
)
from embedmill.shared.flow import allowance, circuit
from embedmill.shared.flow.allowance import Value, Wait
from embedmill.shared.flow.concurrency import Concurrency
from embedmill.shared.flow.headers import Told, read_limits
from embedmill.shared.flow.limits import Limits, find_limits
from embedmill.shared.flow.state import SharedState, open_shared_state
from embedmill.shared.ledger import FREE, NO_TOKENS, NOBODY, Lane, Subject, Tokens
from embedmill.shared.settings import Settings
from embedmill.shared.spend.credibility import is_credible
from embedmill.shared.spend.keys import Keys
from embedmill.shared.spend.prices import Price, Prices

log = structlog.get_logger()

PATIENCE_SECONDS = 2.0
"""A worker waits so long for its turn; for longer the work is parked and the worker does something else."""
CIRCUIT = "circuit:"
"""Begins the keys of circuits in the shared state."""
CLOSED_SECONDS = 0.5
"""A circuit that was just seen closed is taken for closed without asking again."""
AWAIT_BUDGET_SECONDS = 3600.0
"""Work that a budget stopped is woken when there is room; this is how long it waits if nobody wakes it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A call about to be made; `tokens` are the most that it may cost, `key` the hash of the credentials it uses.

    What a vector store bills is `milliunits`, and no tokens; its `inputs` are requests.
    """

    provider: str
    model: str
    operation: str
    tokens: Tokens = NO_TOKENS
    inputs: int = 1
    lane: Lane = Lane.LIVE
    subject: Subject = NOBODY
    key: str = ""
    calls: int = 1
    """More than one for a batch, which is one row in the ledger."""
    milliunits: int = 0

    @property
    def amounts(self) -> dict[str, int]:
        """What it takes of a provider's allowance; tokens that a prompt cache answers are not counted there."""
        sent = self.tokens.into + self.tokens.cache_write
        return {"requests": 1, "tokens": sent, "output": self.tokens.out, "inputs": self.inputs}


Note = Callable[[Any, int], object]
"""Is given the connection of a transaction, and the number of the row in the ledger that it is about."""


class Spender:
    """Paid calls of one process; safe between threads. `owner` is the process' name."""

    def __init__(
        self, database: Database, settings: Settings, *, owner: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.database = database
        self.owner = owner
        self._settings = settings
        self._sleep = sleep
        self._concurrency: dict[tuple[str, str], Concurrency] = {}
        self._circuits: dict[str, Circuit] = {}
        self._state: SharedState | None = None
        self._opening = threading.RLock()
        self.keys = Keys(database, lambda: self.state)

    @cached_property
    def prices(self) -> Prices:
        """What calls cost."""
        return Prices.load(self._settings.prices_path, allow_unpriced=self._settings.allow_unpriced)

    @property
    def state(self) -> SharedState:
        """What processes tell each other; opened by one thread only."""
        with self._opening:
            if self._state is None:
                self._state = open_shared_state(self._settings, self.database)
            return self._state

    def concurrency(self, provider: str, model: str) -> Concurrency:
        """How many requests this process may have out at once to a model."""
        key = provider, model
        return self._concurrency.setdefault(key, Concurrency(self._settings.provider_concurrency))

    def circuit(self, name: str) -> "Circuit":
        """The circuit of a provider's operation, or of a store, by its name."""
        with self._opening:
            if name not in self._circuits:
                policy = circuit.Policy(self._settings.circuit_failures, self._settings.circuit_seconds)
                self._circuits[name] = Circuit(name, policy, state=self.state, database=self.database)
            return self._circuits[name]

    def list_circuits(self) -> list[dict[str, Any]]:
        """Every circuit that is not closed: its name, `open` or `half-open`, and the seconds until it is tried."""
        values, now = self.state.peek_all(CIRCUIT)
        return [
            {
                "name": key.removeprefix(CIRCUIT),
                "state": circuit.state_of(value, now),
                "seconds_left": round(max(value["open_until"] - now, 0.0), 3),
            }
            for key, value in sorted(values.items())
            if circuit.state_of(value, now) != "closed"
        ]

    def most_tokens(self, provider: str, model: str) -> int | None:
        """Tokens of the largest call that a limit a minute lets through at all, as far as it was set or published."""
        return find_limits(provider, model, self._settings.limits).with_learned({}).get("tokens")

    def allowance(self, planned: Planned) -> "Allowance":
        """The provider's limits as they hold for a call."""
        limits = find_limits(planned.provider, planned.model, self._settings.limits)
        if planned.lane is Lane.BULK:
            # Vendors count batches apart, by what is enqueued, and say so when that is too much.
            limits = Limits(limits.pool)
        return Allowance(f"limit:{planned.provider}:{limits.pool}:{planned.lane}:{planned.key}", limits, self.state)

    def begin(self, planned: Planned, *, note: "Note | None" = None) -> "Call":
        """Reserve everything that a call needs; raises FlowControl when it has to wait, UnknownPrice.

        Whoever begins ends: with `settle`, `fail` or `release`. `note` writes down, in the transaction of the
        reservation, what its row in the ledger is for.
        """
        call = Call(self, planned, self.find_price(planned, planned.tokens))
        call.begin(lambda allowed: self._await_turn(allowed, planned), note)
        return call

    def reserve(self, planned: Planned) -> "Reservation":
        """Reserve the money of a call and nothing else; raises FlowControl when a budget has no room, UnknownPrice."""
        reservation = Reservation(self, planned, self.find_price(planned, planned.tokens))
        reservation.make()
        return reservation

    def resume(self, row: int, planned: Planned) -> "Call":
        """A call that was begun elsewhere, as a batch is that another process polls."""
        return Call(self, planned, self.find_price(planned, planned.tokens), row=row)

    def find_price(self, planned: Planned, tokens: Tokens) -> Price:
        """The price of a call, or of as many as were planned, in which these tokens are sent; raises UnknownPrice."""
        return self.prices.find(
            planned.provider,
            planned.model,
            planned.operation,
            lane=planned.lane,
            # Of one call, by which the band of its price goes.
            prompt_tokens=-(-tokens.prompt // planned.calls),
        )

    def record_free(self, planned: Planned, *, cached: int, cached_tokens: int) -> None:
        """Write down inputs that cost nothing: those of a model on this machine, and those that our cache answered."""
        entry = Entry(
            provider=planned.provider,
            model=planned.model,
            operation=planned.operation,
            lane=planned.lane,
            subject=planned.subject,
            inputs=planned.inputs,
            tokens=planned.tokens,
            price=FREE,
            cost_microusd=0,
            cached=cached,
            cached_tokens=cached_tokens,
            cache_saved_microusd=self._worth(planned, cached_tokens),
        )
        self.database.transact(lambda connection: ledger.record(connection, [entry]))

    def _worth(self, planned: Planned, tokens: int) -> int:
        """What input would have cost; what the cache knows needs no price."""
        try:
            price = self.prices.find(planned.provider, planned.model, planned.operation, lane=planned.lane)
        except UnknownPrice:
            return 0
        return price.cost(Tokens(into=tokens)) or 0

    @contextmanager
    def call(self, planned: Planned) -> Iterator["Call"]:
        """A call as a block; one that settles nothing leaves the reservation standing."""
        call = self.begin(planned)
        try:
            yield call
        except BaseException as error:
            told = call.fail(error)
            if told is error:
                raise
            raise told from error
        call.leave()

    def _await_turn(self, allowed: "Allowance", planned: Planned) -> None:
        waited = 0.0
        while True:
            wait = allowed.take(planned, patience=PATIENCE_SECONDS - waited)
            if wait is None:
                return
            if wait.seconds > PATIENCE_SECONDS - waited:
                raise FlowControl(
                    f"the limit of {planned.provider}/{planned.model} is used up",
                    reason="rate",
                    retry_after_seconds=wait.promise,
                )
            self._sleep(wait.seconds)
            waited += wait.seconds

    def close(self) -> None:
        """Release connections."""
        if self._state is not None:
            self._state.close()


class Reservation:
    """The money of one call, and nothing else: its row in the ledger from the reservation to the end.

    Ends once, with `settle`, `release` or one of `leave…`; what follows has no effect.
    """

    def __init__(self, spender: Spender, planned: Planned, price: Price, *, row: int | None = None) -> None:
        self._spender = spender
        self.planned = planned
        self.price = price
        self.row = row
        """The number of its row in the ledger; None when the call is free."""
        self.cost = planned.tokens
        """What it took at most, and, once it is settled, what it took."""

    def make(self, note: "Note | None" = None) -> None:
        """Reserve the most that the call may cost; raises FlowControl when a budget has no room for it."""
        entry = self._entry(self.planned.tokens, self.price, milliunits=self.planned.milliunits)

        def reserve(connection: Connection) -> "ledger.Reserved | ledger.Refused":
            result = ledger.reserve(connection, entry)
            if note is not None and isinstance(result, ledger.Reserved):
                note(connection, result.id)
            return result

        result = self._spender.database.transact(reserve)
        _announce(result.alerts)
        if isinstance(result, ledger.Reserved):
            self.row = result.id
            return
        log.info("budget.refused", budget=result.budget.label, job=self.planned.subject.job_id)
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
        note: "Note | None" = None,
    ) -> None:
        """It was answered and cost this; `note` writes down, in the same transaction, what came of it.

        None, and what cannot be true, becomes what was reserved, which is the most that it can have cost.
        """
        tokens, milliunits = self._believed(tokens, milliunits)
        price = self._price_of(tokens)
        entry = self._entry(tokens, price, milliunits=milliunits, inputs=inputs, request_id=request_id)
        row = self.row
        if row is None:
            self._spender.database.transact(lambda connection: ledger.record(connection, [entry]))
            return

        def settle(connection: Connection) -> tuple[Alert, ...]:
            alerts = ledger.settle(connection, row, entry)
            if note is not None:
                note(connection, row)
            return alerts

        _announce(self._spender.database.transact(settle))

    def release(self, note: "Note | None" = None) -> None:
        """It was certainly not billed; `note` writes down, in the same transaction, what becomes of it."""
        row = self.row
        assert row is not None

        def release(connection: Connection) -> None:
            ledger.release(connection, row)
            if note is not None:
                note(connection, row)

        self._spender.database.transact(release)

    def leave(self) -> None:
        """Nobody knows what was billed: all of it goes on counting as spent."""
        row = self.row
        assert row is not None
        self._spender.database.transact(lambda connection: ledger.leave_unsettled(connection, row))

    def leave_at(self, milliunits: int, *, inputs: int) -> None:
        """Nobody knows what was billed, but these units, of so many requests, at most: the rest is given back."""
        row = self.row
        assert row is not None
        entry = self._entry(NO_TOKENS, self.price, milliunits=milliunits, inputs=inputs)
        self._spender.database.transact(lambda connection: ledger.leave_at(connection, row, entry))

    def _believed(self, tokens: Tokens | None, milliunits: int) -> tuple[Tokens, int]:
        """What was told, where it can be true; otherwise what was reserved, with a warning."""
        planned = self.planned
        if self.price.is_free and tokens is not None:
            return tokens, milliunits
        credible = tokens is not None and is_credible(tokens, reserved=planned.tokens, inputs=planned.inputs)
        if tokens is not None and credible and milliunits >= 0:
            self.cost = tokens
            return tokens, milliunits
        log.warning(
            "usage.not_believed",
            provider=planned.provider,
            model=planned.model,
            operation=planned.operation,
            told="nothing" if tokens is None else tokens.total,
            reserved=planned.tokens.total,
            entry=self.row,
        )
        return planned.tokens, max(milliunits, planned.milliunits)

    def _price_of(self, tokens: Tokens) -> Price:
        """The price of what was really sent, which may be of another band than what was planned."""
        with suppress(UnknownPrice):
            found = self._spender.find_price(self.planned, tokens)
            if found.cost(tokens) is not None:
                return found
        return self.price

    def _entry(
        self,
        tokens: Tokens,
        price: Price,
        *,
        milliunits: int = 0,
        inputs: int | None = None,
        request_id: str | None = None,
    ) -> Entry:
        planned = self.planned
        return Entry(
            provider=planned.provider,
            model=planned.model,
            operation=planned.operation,
            lane=planned.lane,
            subject=planned.subject,
            inputs=planned.inputs if inputs is None else inputs,
            tokens=tokens,
            milliunits=milliunits,
            price=price.name,
            cost_microusd=price.cost(tokens, milliunits=milliunits),
            lane_saved_microusd=self._lane_saved(tokens, price),
            request_id=request_id,
            owner=self._spender.owner,
        )

    def _lane_saved(self, tokens: Tokens, price: Price) -> int:
        planned = self.planned
        if planned.lane is Lane.LIVE or price.is_free:
            return 0
        try:
            live = self._spender.find_price(replace(planned, lane=Lane.LIVE), tokens)
        except UnknownPrice:
            return 0
        return (live.cost(tokens) or 0) - (price.cost(tokens) or 0)


class Call:
    """One call between its reservation and its end: its money, and what the others are told of its provider."""

    def __init__(self, spender: Spender, planned: Planned, price: Price, *, row: int | None = None) -> None:
        self._spender = spender
        self.planned = planned
        """What was reserved."""
        self._money = Reservation(spender, planned, price, row=row)
        self._ended = False
        self._allowance = spender.allowance(planned)
        lane = "" if planned.lane is Lane.LIVE else f":{planned.lane}"
        self._circuit = spender.circuit(f"{planned.provider}:{planned.operation}{lane}")
        self.key = spender.keys.use(planned.provider, planned.key, purpose=planned.operation)
        """The key that it uses, for those who send it by themselves."""

    def begin(self, await_turn: Callable[["Allowance"], None], note: "Note | None" = None) -> None:
        """Pass key and circuit, take from the allowance, reserve from the budgets; all or nothing."""
        if self._money.price.is_free:
            return
        self.key.ask()
        try:
            self._circuit.ask()
            try:
                await_turn(self._allowance)
                self._reserve(note)
            except BaseException:
                self._circuit.give_back()
                raise
        except BaseException:
            self.key.give_back()
            raise

    @property
    def row(self) -> int | None:
        """The number of its row in the ledger, by which `Spender.resume` finds it again; None when it is free."""
        return self._money.row

    def settle(
        self,
        tokens: Tokens | None,
        *,
        inputs: int | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        note: "Note | None" = None,
    ) -> None:
        """The call was answered and cost these tokens; `headers` are the response's, for what they say of limits.

        None where the provider did not say: then it counts as what was reserved.

        `note` writes down, in the same transaction, what came of it.
        """
        self._ended = True
        self._money.settle(tokens, inputs=inputs, request_id=request_id, note=note)
        if self.row is None or self.planned.lane is Lane.BULK:
            return
        self._spender.concurrency(self.planned.provider, self.planned.model).answered()
        used = replace(self.planned, tokens=self._money.cost).amounts
        # What was paid for must not be lost because the others cannot be told.
        with suppress(FlowControl):
            self.key.accepted()
            self._circuit.succeeded()
            self._allowance.answered(self.planned.amounts, used, read_limits(headers or {}))

    def fail(self, error: BaseException) -> BaseException:
        """The call ended in an error: release or keep the reservation, tell the others, and return what to raise."""
        if self._ended or self.row is None:
            self._ended = True
            return error
        self._ended = True
        if may_be_billed(error):
            self._money.leave()
        else:
            self._release()
        try:
            return self._tell(error)
        except FlowControl:
            return error  # the others cannot be told at this time

    def release(self, *, note: "Note | None" = None) -> None:
        """The call was not made; `note` writes down, in the same transaction, what becomes of it."""
        if not self._ended and self.row is not None:
            self._release(note)
            self._circuit.give_back()
            self.key.give_back()
        self._ended = True

    def leave(self) -> None:
        """Nobody said how it ended: it may have been billed."""
        if not self._ended and self.row is not None:
            self._money.leave()
        self._ended = True

    def _tell(self, error: BaseException) -> BaseException:
        match error:
            case KeyRefused():
                self._circuit.give_back()
                self.key.refused(error)
                return error
            case FlowControl(reason="circuit") | ProviderUnavailable():
                self.key.give_back()
                return self._circuit.failed(error)
            case FlowControl(reason="rate"):
                self._spender.concurrency(self.planned.provider, self.planned.model).refused()
                self._allowance.refused(error.retry_after_seconds)
            case EmbedmillError():
                pass
            case _:
                self.key.give_back()
                return error
        self.key.accepted()
        self._circuit.succeeded()
        return error

    def _reserve(self, note: "Note | None") -> None:
        try:
            self._money.make(note)
        except FlowControl:
            self._allowance.correct(self.planned.amounts)
            raise

    def _release(self, note: "Note | None" = None) -> None:
        self._money.release(note)
        with suppress(FlowControl):
            self._allowance.correct({k: n for k, n in self.planned.amounts.items() if k != "requests"})


class Circuit:
    """A circuit that all processes share."""

    def __init__(self, name: str, policy: circuit.Policy, *, state: SharedState, database: Database) -> None:
        self._name = name
        self._key = f"{CIRCUIT}{name}"
        self._policy = policy
        self._state = state
        self._database = database
        self._closed_until = 0.0
        self._marked = False
        self._probing = False
        self._answered = 0
        self._told_until = 0.0

    def ask(self) -> None:
        """Raise FlowControl while no call may be made."""
        if time.monotonic() < self._closed_until:
            return
        value, now = self._state.peek(self._key)
        self._marked = bool(value)
        if circuit.state_of(value, now) == "closed":
            self._closed_until = time.monotonic() + CLOSED_SECONDS
            return
        seconds = self._state.update(self._key, circuit.ask)
        if seconds > 0:
            raise self._rest(seconds)
        self._probing = True

    def give_back(self) -> None:
        """The call that was let through is not made; if it was the probe, another may be."""
        if self._probing:
            self._probing = False
            with suppress(FlowControl):
                self._state.update(self._key, circuit.give_back)

    def succeeded(self) -> None:
        """A call was answered; the others are told as long as they know of failures, and not of every call."""
        probing, self._probing = self._probing, False
        self._answered = min(self._answered + 1, circuit.LAST_CALLS)
        if not self._marked or (not probing and time.monotonic() < self._told_until):
            return
        answered, self._answered = self._answered, 0

        def change(value: Value, now: float) -> tuple[Value | None, tuple[bool, bool]]:
            changed, closed = circuit.succeed(value, now, answered=answered)
            return changed, (closed, bool(value if changed is None else changed))

        closed, self._marked = self._state.update(self._key, change)
        self._told_until = time.monotonic() + CLOSED_SECONDS
        if closed:
            woken = self._database.transact(flow.wake_circuit)
            log.info("circuit.closed", circuit=self._name, woken=woken)

    def failed(self, error: BaseException) -> BaseException:
        """A call failed; returns the error, or FlowControl when the circuit is open now and the work is to wait."""
        self._marked, self._probing, self._closed_until = True, False, 0.0
        answered, self._answered = self._answered, 0
        told = error.retry_after_seconds if isinstance(error, FlowControl) else 0.0

        def change(value: Value, now: float) -> tuple[Value, float]:
            return circuit.fail(value, now, self._policy, answered=answered, told_seconds=told)

        rest = self._state.update(self._key, change)
        if rest <= 0:
            return error
        log.warning("circuit.opened", circuit=self._name, seconds=round(rest, 3), error_class=type(error).__name__)
        return self._rest(rest, failure=_failure_of(error))

    def _rest(self, seconds: float, failure: ProviderUnavailable | None = None) -> FlowControl:
        return FlowControl(
            f"{self._name} does not answer and is left alone",
            reason="circuit",
            retry_after_seconds=seconds,
            failure=failure,
        )


class Allowance:
    """A provider's limits for one pool of models and one key, shared by all processes."""

    def __init__(self, key: str, limits: Limits, state: SharedState) -> None:
        self._key = key
        self._limits = limits
        self._state = state

    def take(self, planned: Planned, *, patience: float) -> Wait | None:
        """Take what a call needs, or say how long to wait."""

        def change(value: Value, now: float) -> tuple[Value | None, Wait | None]:
            job = str(planned.subject.job_id or "")
            return allowance.take(value, now, planned.amounts, self._of(value), job=job, patience=patience)

        return self._state.update(self._key, change)

    def correct(self, difference: Mapping[str, int]) -> None:
        """Give back what was not used."""
        if any(difference.values()):
            self._change(lambda value, now: allowance.correct(value, now, difference, self._of(value)))

    def answered(self, planned: Mapping[str, int], used: Mapping[str, int], told: Told) -> None:
        """Put what was used in the place of what was planned, and believe the response's headers."""
        difference = {name: planned[name] - used[name] for name in planned}

        def change(value: Value, now: float) -> Value:
            # Of a limit that was not known when the call was made, nothing was taken.
            unheard_of = self._of({"learned": told.limits}).keys() - value.get("levels", {}).keys()
            value["learned"] = {**value.get("learned", {}), **told.limits}
            taken = {name: amount for name, amount in difference.items() if name not in unheard_of}
            value = allowance.correct(value, now, taken, self._of(value))
            value = allowance.observe(value, planned, used)
            return allowance.learn(value, now, told.remaining, self._of(value), unheard_of=unheard_of)

        if told.limits or told.remaining or any(difference.values()):
            self._change(change)

    def refused(self, retry_after_seconds: float) -> None:
        """The provider said: not now."""
        log.info("limit.refused", limit=self._key.rpartition(":")[0], seconds=retry_after_seconds)
        self._change(lambda value, now: allowance.refuse(value, now, retry_after_seconds, self._of(value)))

    def _of(self, value: Value) -> dict[str, int]:
        return self._limits.with_learned(value.get("learned", {}))

    def _change(self, change: Callable[[Value, float], Value]) -> None:
        self._state.update(self._key, lambda value, now: (change(value, now), None))


def _failure_of(error: BaseException) -> ProviderUnavailable | None:
    match error:
        case ProviderUnavailable():
            return error
        case FlowControl(failure=failure):
            return failure
    return None


def _announce(alerts: tuple[Alert, ...]) -> None:
    for alert in alerts:
        log.warning("budget.alert", budget=alert.budget, percent=alert.percent)
