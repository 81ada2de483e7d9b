"""Tables of the ledger, of budgets, and of what processes tell each other about providers."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from embedmill.shared.db.schema.base import Id, metadata, one_of, partial
from embedmill.shared.ledger import FREE, UNPRICED, BudgetScope, EntryState, Lane

AMOUNTS = ("inputs", "cached", "cached_tokens", "tokens_in", "tokens_out", "cache_read", "cache_write", "milliunits")
NOTHING_NEGATIVE = " AND ".join(f"{name} >= 0" for name in AMOUNTS) + " AND coalesce(cost_microusd, 0) >= 0"

# The ledger: a row for every call of a provider, written before the call as what it may cost at most.
usage = Table(
    "usage",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="SET NULL")),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="SET NULL")),
    Column("documents", JSON),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("lane", String(4), nullable=False, server_default=Lane.LIVE),
    Column("state", String(10), nullable=False, server_default=EntryState.SETTLED),
    Column("inputs", Integer, nullable=False),
    Column("cached", Integer, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("cache_read", BigInteger, nullable=False, server_default="0"),
    Column("cache_write", BigInteger, nullable=False, server_default="0"),
    # Thousandths of what a vector store bills by, which are no tokens; its smallest query costs a quarter of a unit.
    Column("milliunits", BigInteger, nullable=False, server_default="0"),
    Column("price", Text, nullable=False, server_default=FREE),
    Column("cost_microusd", BigInteger),
    Column("cache_saved_microusd", BigInteger, nullable=False, server_default="0"),
    Column("lane_saved_microusd", BigInteger, nullable=False, server_default="0"),
    Column("request_id", Text),
    Column("owner", Text),
    Column("created_at", Double, nullable=False),
    Column("settled_at", Double),
    CheckConstraint(one_of("lane", Lane), name="lane"),
    CheckConstraint(one_of("state", EntryState), name="state"),
    CheckConstraint("(state = 'reserved') = (settled_at IS NULL)", name="settled"),
    CheckConstraint(f"(price = '{UNPRICED}') = (cost_microusd IS NULL)", name="priced"),
    # Whatever a provider says: no call gives money back.
    CheckConstraint(NOTHING_NEGATIVE, name="amounts"),
    Index("ix_usage_job_id", "job_id"),
    Index("ix_usage_created_at", "created_at"),
    partial("ix_usage_reserved", "id", where="state = 'reserved'"),
)

budget = Table(
    "budget",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scope", String(10), nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("limit_microusd", BigInteger),
    Column("limit_tokens", BigInteger),
    # Spent and reserved, since the budget's beginning or since midnight UTC of `day`.
    Column("used_microusd", BigInteger, nullable=False, server_default="0"),
    Column("used_tokens", BigInteger, nullable=False, server_default="0"),
    Column("day", String(10), nullable=False, server_default=""),
    # The smallest call that it has refused and that still waits.
    Column("refused_microusd", BigInteger),
    Column("refused_tokens", BigInteger),
    Column("refused_at", Double),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("scope", "name"),
    CheckConstraint(one_of("scope", BudgetScope), name="scope"),
    CheckConstraint("limit_microusd IS NOT NULL OR limit_tokens IS NOT NULL", name="limited"),
    CheckConstraint("(refused_at IS NULL) = (refused_microusd IS NULL)", name="refused"),
)

budget_alert = Table(
    "budget_alert",
    metadata,
    Column("id", Id, primary_key=True),
    Column("budget_id", Id, ForeignKey("budget.id", ondelete="CASCADE"), nullable=False),
    Column("day", String(10), nullable=False),
    Column("percent", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("budget_id", "day", "percent"),
)

# What processes tell each other about providers when there is no Redis: allowances and circuits.
flow_state = Table(
    "flow_state",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("updated_at", Double, nullable=False),
)
