"""Tables of what searches and answers came to, in numbers and hashes, and of what their readers thought of them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from embedmill.shared.db.schema.base import Id, metadata

# A query that was answered. Its text is kept only where the collection's owner wants that; `hash` is keyed.
query_record = Table(
    "query_record",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("door", String(8), nullable=False),
    Column("hash", String(32), nullable=False),
    Column("text", Text),
    Column("mode", String(8), nullable=False),
    Column("filtered", Boolean, nullable=False),
    Column("ranked", Boolean, nullable=False),
    # By step: the model that took part, and the hash of its prompt.
    Column("models", JSON, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("relevance", String(4)),
    Column("degraded", Boolean, nullable=False),
    Column("partial", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    # By step that ran: seconds, and what went in and came out.
    Column("steps", JSON, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("cost_microusd", BigInteger, nullable=False),
    # What caches answered in the place of models, and what that had cost before.
    Column("cached", BigInteger, nullable=False, server_default="0"),
    Column("saved_microusd", BigInteger, nullable=False, server_default="0"),
    # Quotes and sentences of models that nothing bears out, by kind.
    Column("faults", JSON, nullable=False),
    Column("hallucinations", Integer, nullable=False),
    # The first hits that were shown, as document/chunk, and the rank of the first.
    Column("shown", JSON, nullable=False),
    Column("first_rank", Integer, nullable=False),
    # A hash of who asked, where that was somebody who reads some access levels only.
    Column("asked_by", String(32)),
    Column("created_at", Double, nullable=False),
    CheckConstraint("door IN ('search', 'ask')", name="door"),
    CheckConstraint("relevance IS NULL OR relevance IN ('good', 'weak', 'none')", name="relevance"),
    Index("ix_query_record_collection_id_created_at", "collection_id", "created_at"),
    Index("ix_query_record_created_at", "created_at"),
)

# What models answered about queries, sealed with the question; results and answers rest on their collection's changes.
kept_answer = Table(
    "kept_answer",
    metadata,
    Column("address", String(32), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_hash", String(16), nullable=False),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE")),
    Column("changes", BigInteger),
    Column("bytes", Integer, nullable=False),
    # What had to be paid for it.
    Column("tokens", BigInteger, nullable=False),
    Column("microusd", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    # Last, so that its pages are not read for what stands before it.
    Column("content", LargeBinary, nullable=False),
    CheckConstraint("kind IN ('grade', 'plan', 'result', 'answer')", name="kind"),
    CheckConstraint("(collection_id IS NULL) = (changes IS NULL)", name="rests"),
    Index("ix_kept_answer_created_at", "created_at", "kind", "bytes"),
    Index("ix_kept_answer_collection_id", "collection_id", "changes"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Id, primary_key=True),
    Column("query_id", String(16), ForeignKey("query_record.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", String(32), nullable=False),
    Column("chunk", String(24), nullable=False),
    Column("helpful", Boolean, nullable=False),
    Column("why", Text),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("query_id", "document_id", "chunk"),
)
