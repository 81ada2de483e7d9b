"""The one entry to paid calls: key, circuit, allowance, budget and ledger around every request.

    call = spender.begin(Usage("openai", "text-embedding-3-large", "embed", Tokens(into=900), job_id=17))
    answer = …
    call.settle(Tokens(into=answer.usage.prompt_tokens), request_id=…, headers=answer.headers)

Calls of models on this machine pass through with a row in the ledger and nothing else. A service that has lanes and
circuits of its own, as a vector store's shards have, needs the money only: `spender.reserve`.
"""

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from embedmill.shared.db import flow, ledger
from embedmill.shared.db.engine import Database
from embedmill.shared.errors import UnknownPrice
from embedmill.shared.flow.allowance import Allowance
from embedmill.shared.flow.circuit import CIRCUIT, Circuit, CircuitPolicy, state_of
from embedmill.shared.flow.concurrency import Concurrency
from embedmill.shared.flow.limits import ProviderLimits, find_limits
from embedmill.shared.flow.state import FlowState
from embedmill.shared.ledger import FREE, Entry, Lane, Tokens, Usage
from embedmill.shared.metering import Headroom
from embedmill.shared.settings import Settings
from embedmill.shared.spend.call import PaidCall
from embedmill.shared.spend.guard import Guard
from embedmill.shared.spend.keys import RefusedKeys
from embedmill.shared.spend.money import Money, Note
from embedmill.shared.spend.shared_state import open_shared_state

if TYPE_CHECKING:
    from embedmill.shared.spend.prices import Prices


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
        self._state: FlowState | None = None
        self._opening = threading.RLock()
        self.keys = RefusedKeys(database, lambda: self.state)

    @cached_property
    def prices(self) -> "Prices":
        """What calls cost."""
        from embedmill.shared.spend.prices import Prices

        return Prices.load(self._settings.prices_path, allow_unpriced=self._settings.allow_unpriced)

    @property
    def state(self) -> FlowState:
        """What processes tell each other; opened by one thread only."""
        with self._opening:
            if self._state is None:
                self._state = open_shared_state(self._settings, self.database)
            return self._state

    def begin(self, usage: Usage, *, note: Note | None = None) -> PaidCall:
        """Reserve everything that a call needs; raises FlowControl when it has to wait, UnknownPrice.

        `usage` is the most that it may take. Whoever begins ends: with `settle`, `fail`, `release` or `leave`. `note`
        writes down, in the transaction of the reservation, what its row in the ledger is for.
        """
        call = self._call(usage)
        call.begin(note)
        return call

    def reserve(self, usage: Usage) -> Money:
        """Reserve the money of a call and nothing else; raises FlowControl when a budget has no room, UnknownPrice."""
        money = Money(self.database, self.prices, usage, owner=self.owner)
        money.reserve()
        return money

    def resume(self, row: int, usage: Usage) -> PaidCall:
        """A call that was begun elsewhere, as a batch is that another process polls."""
        return self._call(usage, row=row)

    def _call(self, usage: Usage, *, row: int | None = None) -> PaidCall:
        money = Money(self.database, self.prices, usage, owner=self.owner, row=row)
        lane = "" if usage.lane is Lane.LIVE else f":{usage.lane}"
        circuit = f"{usage.provider}:{usage.operation}{lane}"
        guard = self.guard(
            usage.provider, usage.key, operation=usage.operation, circuit=circuit, endpoint=usage.endpoint
        )
        return PaidCall(money, guard, self._allowance(usage), self.concurrency(usage.provider, usage.model))

    def guard(self, provider: str, key: str, *, operation: str, circuit: str, endpoint: str = "") -> Guard:
        """The key, by its hash, and the circuit of what is to be asked, where it is asked."""
        use = self.keys.use(provider, _key_at(key, endpoint), operation=operation)
        return Guard(use, self.circuit(f"{circuit}{_at(endpoint)}"))

    def circuit(self, name: str) -> Circuit:
        """The circuit of a provider's operation, or of a store's shard, by its name."""
        with self._opening:
            if name not in self._circuits:
                policy = CircuitPolicy(self._settings.circuit_failures, self._settings.circuit_seconds)
                self._circuits[name] = Circuit(
                    name, policy, self.state, closed=lambda: self.database.transact(flow.wake_circuit)
                )
            return self._circuits[name]

    def list_circuits(self) -> list[dict[str, Any]]:
        """Every circuit that is not closed: its name, `open` or `half-open`, and the seconds until it is tried."""
        values, now = self.state.peek_all(CIRCUIT)
        return [
            {
                "name": key.removeprefix(CIRCUIT),
                "state": state_of(value, now),
                "seconds_left": round(max(value["open_until"] - now, 0.0), 3),
            }
            for key, value in sorted(values.items())
            if state_of(value, now) != "closed"
        ]

    def concurrency(self, provider: str, model: str) -> Concurrency:
        """How many requests this process may have out at once to a model."""
        key = provider, model
        return self._concurrency.setdefault(key, Concurrency(self._settings.provider_concurrency))

    def headroom(self, usage: Usage) -> Headroom:
        """How large a call of that kind may be now, by the limits of its provider."""
        return self._allowance(usage).measure()

    def _allowance(self, usage: Usage) -> Allowance:
        limits = find_limits(usage.provider, usage.model, self._settings.limits)
        if usage.lane is Lane.BULK:
            # Vendors count batches apart, by what is enqueued, and say so when that is too much.
            limits = ProviderLimits(limits.pool)
        key = f"limit:{usage.provider}:{limits.pool}:{usage.lane}:{_key_at(usage.key, usage.endpoint)}"
        return Allowance(key, f"{usage.provider}/{usage.model}", limits, self.state, sleep=self._sleep)

    def record_free(self, usage: Usage, *, cached: int, cached_tokens: int, saved_microusd: int | None = None) -> int:
        """Write down inputs that cost nothing: those of a model on this machine, and those that our cache answered.

        Returns the micro-dollars that were saved: as they are known, or else the price of the tokens as input.
        """
        saved = self._worth(usage, cached_tokens) if saved_microusd is None else saved_microusd
        entry = Entry(usage, FREE, 0, cached=cached, cached_tokens=cached_tokens, cache_saved_microusd=saved)
        self.database.transact(lambda connection: ledger.record(connection, [entry]))
        return saved

    def _worth(self, usage: Usage, tokens: int) -> int:
        """What input would have cost; what the cache knows needs no price."""
        try:
            price = self.prices.find(usage.provider, usage.model, usage.operation, lane=usage.lane)
        except UnknownPrice:
            return 0
        return price.cost(Tokens(into=tokens)) or 0

    def close(self) -> None:
        """Release connections."""
        if self._state is not None:
            self._state.close()


def _key_at(key: str, endpoint: str) -> str:
    """The hash of a key and who is shown it; empty where no key can be told from another."""
    return key and f"{key}{_at(endpoint)}"


def _at(endpoint: str) -> str:
    """Who answers in the place of the vendor; a vendor's own names stay as they were."""
    return endpoint and f"@{endpoint}"
