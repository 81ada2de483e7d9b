"""Tables of processes, of what they are asked to do, and of this database's own affairs."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Integer,
    String,
    Table,
    Text,
    text,
)

from embedmill.shared.db.schema.base import STAGE_LETTERS, metadata, one_of
from embedmill.shared.states import WorkerState

# What the last transaction of a session on Postgres was (see shared.db.engine).
receipt = Table(
    "receipt",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("written_at", Double, nullable=False),
)

# What this database calls itself in the stores that it writes to, so that another's rows are known as such.
installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(32), nullable=False),
    # Under it queries are hashed: whoever has a hash alone cannot try out what it may stand for.
    Column("query_key", String(64)),
    CheckConstraint("id = 1", name="one"),
)

worker = Table(
    "worker",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("queues", JSON, nullable=False),
    Column("supervisor", Text),
    Column("kind", String(8), nullable=False, server_default="prefork"),
    Column("state", String(8), nullable=False, server_default="starting"),
    Column("slots", Integer, nullable=False, server_default="1"),
    Column("wanted_slots", Integer),
    Column("drain", Boolean, nullable=False, server_default=text("false")),
    Column("busy", Integer, nullable=False, server_default="0"),
    Column("batches", BigInteger, nullable=False, server_default="0"),
    Column("documents", BigInteger, nullable=False, server_default="0"),
    Column("rate", Double, nullable=False, server_default="0"),
    Column("rss_bytes", BigInteger),
    Column("version", Text),
    Column("started_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    Column("last_message_at", Double),
    Column("last_claim_at", Double),
    Column("stopped_at", Double),
    Column("broker_refusals", Integer, nullable=False, server_default="0"),
    Column("broker_refusal", Text),
    CheckConstraint(one_of("state", WorkerState), name="state"),
)

supervisor = Table(
    "supervisor",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pools", JSON, nullable=False),
    Column("slots", JSON, nullable=False),
    Column("version", Text),
    Column("started_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    Column("stopped_at", Double),
)

pool = Table(
    "pool",
    metadata,
    Column("queue", String(STAGE_LETTERS), primary_key=True),
    Column("desired", Integer),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("updated_at", Double, nullable=False),
    CheckConstraint("desired IS NULL OR desired >= 0", name="desired"),
)

chore = Table(
    "chore",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
)
