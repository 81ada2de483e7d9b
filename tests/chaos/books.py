"""Simulated providers that keep a receipt for every call they bill, and the oracle that holds the ledger against them.

A receipt is what a provider has charged for a call, by the id that its answer bears. What the ledger has settled must
be a receipt, to the token; a receipt without a settled row must fit into a reservation that was never settled; and
nothing else may differ. Of the vector store, whose rows are for many requests each, the sums by operation are compared.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from embedmill.shared.ledger import Tokens
from embedmill.shared.spend.prices import Prices
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Call, Options, SimulatedReply, Simulator
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.chaos.conftest import query
from tests.command import Command
from tests.services.pinecone import billed, running_pinecone
from tests.waiting import wait_until

EMBEDDING, VALIDATOR = "openai/text-embedding-3-small@64", "anthropic/claude-opus-4-7"
OPERATIONS = {"openai": ("text-embedding-3-small", "embed"), "anthropic": ("claude-opus-4-7", "message")}
LATENCY_SECONDS = 0.03

Receipts = dict[str, Tokens]


class ReceiptingOpenAI(OpenAISimulator):
    """Keeps the receipts of embeddings."""

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self.receipts: Receipts = {}

    def _embeddings(self, call: Call, *, lane: str = "") -> SimulatedReply:
        reply = super()._embeddings(call, lane=lane)
        usage = json.loads(reply.content)["usage"]
        self.receipts[reply.headers["x-request-id"]] = Tokens(into=usage["prompt_tokens"])
        return reply


class ReceiptingAnthropic(AnthropicSimulator):
    """Keeps the receipts of messages."""

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self.receipts: Receipts = {}

    def _message(self, call: Call, body: Mapping[str, Any], *, lane: str) -> tuple[dict[str, Any], Mapping[str, str]]:
        message, headers = super()._message(call, body, lane=lane)
        usage = message["usage"]
        self.receipts[headers["request-id"]] = Tokens(
            usage["input_tokens"],
            usage["output_tokens"],
            usage["cache_read_input_tokens"],
            usage["cache_creation_input_tokens"],
        )
        return message, headers


@dataclass(frozen=True, slots=True)
class Providers:
    """Everybody who is paid in a run."""

    openai: SimulatorServer[ReceiptingOpenAI]
    anthropic: SimulatorServer[ReceiptingAnthropic]
    pinecone: SimulatorServer[PineconeSimulator]

    @property
    def simulators(self) -> tuple[Simulator, ...]:
        """All of them."""
        return self.openai.simulator, self.anthropic.simulator, self.pinecone.simulator

    def serve(self, command: Command, index: str) -> Command:
        """The command with its vectors in an index of its own."""
        places: dict[str, str] = {}
        for running_server in (self.openai, self.anthropic, self.pinecone):
            places |= running_server.environment
        settings = {
            "embedding": EMBEDDING,
            "validator": VALIDATOR,
            "vector_url": f"pinecone://{index}?timeout=2&fresh=5",
        }
        return command.with_settings(**settings).with_environment(**places)

    def receipts(self, provider: str) -> Receipts:
        """What a provider has billed, once it has done everything that it was asked."""
        simulator = self.openai.simulator if provider == "openai" else self.anthropic.simulator
        wait_until(lambda: not simulator._in_flight, f"{provider} has done what it was asked")
        return dict(simulator.receipts)

    def billed_units(self) -> Counter[str]:
        """Thousandths of units by operation, once the vector store has done everything that it was asked."""
        wait_until(lambda: not self.pinecone.simulator._in_flight, "the vector store has done what it was asked")
        return billed(self.pinecone.simulator)

    def held(self, index: str) -> dict[str, Any]:
        """The rows of an index by namespace and id, without their vectors."""
        store = self.pinecone.simulator
        return {
            f"{namespace}/{id_}": json.loads(record["metadata"]["em_row"])
            for namespace in store.indexes[index].namespaces
            for id_, record in store.vectors(index, namespace).items()
        }

    def forget(self) -> None:
        """Start new bills, without faults; the index of the stormy runs is gone, those of calm ones stay."""
        self.pinecone.simulator.indexes.pop("stormy", None)
        for simulator in self.simulators:
            simulator.faults.clear()
            simulator.bill.clear()
        self.openai.simulator.receipts.clear()
        self.anthropic.simulator.receipts.clear()


@contextmanager
def running_providers() -> Iterator[Providers]:
    """All of them, on ports of their own."""
    options = Options(latency_seconds=LATENCY_SECONDS)
    with (
        running(ReceiptingOpenAI(options)) as openai,
        running(ReceiptingAnthropic(options)) as anthropic,
        running_pinecone() as pinecone,
    ):
        yield Providers(openai, anthropic, pinecone)


@dataclass(frozen=True, slots=True)
class Row:
    """A call in the ledger."""

    state: str
    request_id: str | None
    tokens: Tokens
    cost_microusd: int


def paid_rows(command: Command, provider: str) -> list[Row]:
    """The ledger's rows of calls to a provider; those that only say what a cache answered are left out."""
    columns = "state, request_id, tokens_in, tokens_out, cache_read, cache_write, cost_microusd"
    found = query(
        command.home / "tracking.db",
        f"SELECT {columns} FROM usage WHERE provider = '{provider}' AND price != 'free'",
    )
    return [Row(state, id_, Tokens(*tokens), cost) for state, id_, *tokens, cost in found]


def booked_units(command: Command, *states: str) -> Counter[str]:
    """Thousandths of a vector store's units in the ledger by operation, in rows of these states."""
    marks = ", ".join(f"'{state}'" for state in states)
    found = query(
        command.home / "tracking.db",
        "SELECT operation, sum(milliunits) FROM usage "
        f"WHERE provider = 'pinecone' AND milliunits > 0 AND state IN ({marks}) GROUP BY operation",
    )
    return Counter(dict(found))


def require_equal_books(command: Command, providers: Providers) -> None:
    """After a run without faults: every call settled, and the same in both books to the token."""
    for provider in OPERATIONS:
        rows = paid_rows(command, provider)
        assert {row.state for row in rows} == {"settled"}
        assert {row.request_id: row.tokens for row in rows} == providers.receipts(provider)
    assert booked_units(command, "settled") == providers.billed_units()
    assert booked_units(command, "reserved", "unsettled") == Counter()


def require_covering_books(command: Command, providers: Providers) -> int:
    """After a run with faults: what differs are reservations that were never settled; returns how many there are."""
    left = 0
    for provider in OPERATIONS:
        rows, receipts = paid_rows(command, provider), providers.receipts(provider)
        settled = {row.request_id: row for row in rows if row.state == "settled"}
        assert {id_: row.tokens for id_, row in settled.items()} == {id_: receipts[str(id_)] for id_ in settled}
        unsettled = [row for row in rows if row.state in ("reserved", "unsettled")]
        _require_covered([tokens for id_, tokens in receipts.items() if id_ not in settled], unsettled, provider)
        assert sum(row.cost_microusd for row in rows) >= sum(_cost(provider, tokens) for tokens in receipts.values())
        left += len(unsettled)
    settled_units, open_units = booked_units(command, "settled"), booked_units(command, "reserved", "unsettled")
    units = providers.billed_units()
    assert settled_units <= units <= settled_units + open_units, (settled_units, units, open_units)
    return left


def _require_covered(billed: list[Tokens], reserved: list[Row], provider: str) -> None:
    """Every call whose answer nobody settled fits into a reservation of its own."""
    assert len(billed) <= len(reserved)
    for amount in ("prompt", "out"):
        taken = sorted((getattr(tokens, amount) for tokens in billed), reverse=True)
        kept = sorted((getattr(row.tokens, amount) for row in reserved), reverse=True)
        assert all(was <= may for was, may in zip(taken, kept, strict=False)), (amount, taken, kept)
    taken = sorted((_cost(provider, tokens) for tokens in billed), reverse=True)
    kept = sorted((row.cost_microusd for row in reserved), reverse=True)
    assert all(was <= may for was, may in zip(taken, kept, strict=False)), (taken, kept)


def _cost(provider: str, tokens: Tokens) -> int:
    model, operation = OPERATIONS[provider]
    cost = Prices.load().find(provider, model, operation, prompt_tokens=tokens.prompt).cost(tokens)
    assert cost is not None
    return cost
