"""The words of the ledger: lanes, states of an entry, scopes of a budget, what a call takes and what it costs."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Lane(StrEnum):
    """How a call travels: at once, or in the vendor's batch API at a lower price."""

    LIVE = "live"
    BULK = "bulk"


class BulkState(StrEnum):
    """What is known of one text or chunk in the batch lane; the first two are open, `live` is to be asked for now."""

    WANTED = "wanted"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    LIVE = "live"


class BatchState(StrEnum):
    """The life of a batch; its money is reserved from the first moment on.

    `prepared` is not sent; of `submitting` nobody knows whether the vendor has it; `submitted` is at the vendor;
    `collected` is stored and paid, and still to be deleted at the vendor; `ended` and `released` (never made) are over.
    """

    PREPARED = "prepared"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    COLLECTED = "collected"
    ENDED = "ended"
    RELEASED = "released"


class EntryState(StrEnum):
    """What is known of a call's cost; all but `released` count as spent."""

    RESERVED = "reserved"
    SETTLED = "settled"
    RELEASED = "released"
    UNSETTLED = "unsettled"


class BudgetScope(StrEnum):
    """What a budget is for; `day` is a day in UTC, and starts again at midnight."""

    DAY = "day"
    JOB = "job"
    COLLECTION = "collection"
    PROVIDER = "provider"
    TOTAL = "total"


NAMED_SCOPES = frozenset({BudgetScope.JOB, BudgetScope.COLLECTION, BudgetScope.PROVIDER})

MOST_USD = 1_000_000_000
"""No sum that anybody names is above this, in dollars: what is more is a slip of the keys."""

# What a ledger row names in the place of a price.
FREE = "free"
UNPRICED = "unpriced"

# Providers that compute on this machine.
EMBED, MESSAGE = "embed", "message"
"""What embedding models and language models are asked to do, as the ledger and prices name it."""
FREE_PROVIDERS = frozenset({"local", "hash", "rules"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one call by the rate at which they are billed.

    `into` excludes what was read from or written to a provider's prompt cache; `cache_write_1h` is the part of
    `cache_write` that is kept for an hour.
    """

    into: int = 0
    out: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.into + other.into,
            self.out + other.out,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
        )

    @property
    def prompt(self) -> int:
        """Everything that was sent."""
        return self.into + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        """Everything that was sent and answered: what budgets in tokens count."""
        return self.prompt + self.out


NO_TOKENS = Tokens()


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call takes of its provider, and for whom: before the call the most of it, afterwards what it took.

    A model takes tokens, a vector store `milliunits`, thousandths of its read or write units. `inputs` are texts,
    chunks, or a store's requests. `key` is the hash of the credentials.
    """

    provider: str
    model: str
    operation: str
    tokens: Tokens = NO_TOKENS
    inputs: int = 1
    milliunits: int = 0
    lane: Lane = Lane.LIVE
    job_id: int | None = None
    collection_id: int | None = None
    documents: tuple[str, ...] = ()
    key: str = ""
    endpoint: str = ""
    """Who answers, where that is not the vendor: what is learned of its limits, its keys and its health is its own."""
    purpose: str = ""
    """What the ledger calls the operation, where it is told apart from others of one price: `rank`, `answer`."""
    calls: int = 1
    """More than one for a batch, which is one row in the ledger."""
    is_urgent: bool = False
    """Whether a person waits for it: then it goes before what jobs ask for."""
    seconds_left: float = inf
    """For how long it is worth waiting for its turn."""

    @property
    def amounts(self) -> dict[str, int]:
        """What it takes of a provider's allowance; tokens that a prompt cache answers are not counted there."""
        sent = self.tokens.into + self.tokens.cache_write
        return {"requests": self.calls, "tokens": sent, "output": self.tokens.out, "inputs": self.inputs}


@dataclass(frozen=True, slots=True)
class Entry:
    """A call as the ledger keeps it, with its price; costs in micro-dollars, None when the price is not known."""

    usage: Usage
    price: str
    cost_microusd: int | None
    cached: int = 0
    cached_tokens: int = 0
    cache_saved_microusd: int = 0
    lane_saved_microusd: int = 0
    request_id: str | None = None
    owner: str | None = None
