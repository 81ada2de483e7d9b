"""Tables of verdicts, of samples that check them, of reviews and terms, and of what caches let go."""

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

from embedmill.shared.db.schema.base import Id, metadata, partial

verdict = Table(
    "verdict",
    metadata,
    Column("address", String(32), primary_key=True),
    Column("model", Text, nullable=False),
    Column("prompt_name", Text, nullable=False),
    Column("prompt_hash", String(16), nullable=False),
    Column("source", String(8), nullable=False),
    Column("body", JSON, nullable=False),
    Column("decision", String(8)),
    Column("created_at", Double, nullable=False),
    Column("used_at", Double, nullable=False, server_default="0", index=True),
    CheckConstraint("source IN ('model', 'rules')", name="source"),
    CheckConstraint("decision IS NULL OR decision IN ('accepted', 'rejected')", name="decision"),
)

verdict_hold = Table(
    "verdict_hold",
    metadata,
    Column("address", String(32), primary_key=True),
    Column("owner", Text, nullable=False, index=True),
    Column("until", Double, nullable=False),
)

# What caches let go, by kind of entry, since the beginning.
cache_eviction = Table(
    "cache_eviction",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("evicted_at", Double, nullable=False),
)

# Verdicts that could not be read back, and were made anew, since the beginning; vectors have their caches' own count.
cache_damage = Table(
    "cache_damage",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("entries", BigInteger, nullable=False),
)

sample = Table(
    "sample",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", Id, ForeignKey("job.id", ondelete="SET NULL"), index=True),
    Column("kind", String(8), nullable=False),
    Column("chunk", String(24), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("chunks_ref", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("available_at", Double, nullable=False),
    Column("score", Integer),
    Column("reason", Text),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("document_id", "kind", "chunk", name="uq_sample_document_id_kind_chunk"),
    CheckConstraint("kind IN ('verdict', 'terms')", name="kind"),
    CheckConstraint("state IN ('pending', 'done', 'failed')", name="state"),
    partial("ix_sample_pending", "available_at", where="state = 'pending'"),
)

sample_count = Table(
    "sample_count",
    metadata,
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("kind", String(8), primary_key=True),
    Column("sampled", Integer, nullable=False, server_default="0"),
    Column("judged", Integer, nullable=False, server_default="0"),
    Column("errors", Integer, nullable=False, server_default="0"),
)

review = Table(
    "review",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), nullable=False),
    Column("chunk", String(24), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("address", String(32), nullable=False, index=True),
    Column("doubts", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("resolved_at", Double),
    Column("resolution", String(8)),
    UniqueConstraint("document_id", "chunk", "address", name="uq_review_document_id_chunk_address"),
    CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolved"),
    CheckConstraint("resolution IS NULL OR resolution IN ('accepted', 'rejected')", name="resolution"),
)

term = Table(
    "term",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), nullable=False),
    Column("term", String(200), nullable=False),
    Column("label", String(200), nullable=False),
    Column("synonym", String(200), nullable=False),
    Column("mentions", Integer, nullable=False),
    UniqueConstraint("document_id", "term", "synonym", name="uq_term_document_id_term_synonym"),
    Index("ix_term_collection_id_term", "collection_id", "term"),
)
