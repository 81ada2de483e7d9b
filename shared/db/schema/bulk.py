"""Tables of the batch lane: what is wanted of a vendor's batch API, by address, who waits for it, and the batches."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    text,
)

from embedmill.shared.db.schema.base import Id, metadata, one_of, partial
from embedmill.shared.ledger import BatchState, BulkState

# The batch lane: what was wanted of a vendor's batch API, by content address, who waits for it, and the batches.
bulk_batch = Table(
    "bulk_batch",
    metadata,
    Column("id", Id, primary_key=True),
    # Random; it is in what the vendor keeps, so that a batch can be recognised there.
    Column("key", String(32), nullable=False, unique=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="SET NULL"), index=True),
    Column("usage_id", Id, ForeignKey("usage.id", ondelete="SET NULL"), index=True),
    Column("kind", String(8), nullable=False),
    Column("target", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("requests", Integer, nullable=False),
    Column("inputs", Integer, nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("vendor_id", Text, unique=True),
    Column("vendor_state", Text),
    Column("file_id", Text),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("errored", Integer, nullable=False, server_default="0"),
    Column("returned", Integer, nullable=False, server_default="0"),
    Column("troubles", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    Column("submitting_at", Double),
    Column("submitted_at", Double),
    Column("expires_at", Double),
    Column("due_at", Double, nullable=False),
    Column("cancelled_at", Double),
    Column("ended_at", Double),
    # No other batch of its job and target is made before.
    Column("rests_until", Double),
    CheckConstraint(one_of("state", BatchState), name="state"),
    CheckConstraint("(state IN ('ended', 'released')) = (ended_at IS NOT NULL)", name="ended"),
    CheckConstraint("state NOT IN ('submitted', 'collected') OR vendor_id IS NOT NULL", name="submitted"),
    partial("ix_bulk_batch_open", "due_at", where="ended_at IS NULL"),
)

bulk_entry = Table(
    "bulk_entry",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("address", String(64), nullable=False),
    Column("target", Text, nullable=False),
    # Whose budget pays, and where the text is.
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", String(32), nullable=False),
    Column("chunks_ref", Text),
    Column("rejections_ref", Text),
    Column("ordinal", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("returns", Integer, nullable=False, server_default="0"),
    # What was wrong with a first answer, and whether it is to be asked about alone.
    Column("complaint", Text),
    Column("alone", Boolean, nullable=False, server_default=text("false")),
    Column("batch_id", Id, ForeignKey("bulk_batch.id", ondelete="SET NULL"), index=True),
    Column("request", Integer),
    Column("place", Integer),
    Column("token", String(32)),
    Column("error_class", Text),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("kind", "address"),
    CheckConstraint(one_of("state", BulkState), name="state"),
    CheckConstraint("kind IN ('embed', 'verdict')", name="kind"),
    CheckConstraint("(state = 'failed') = (error_class IS NOT NULL)", name="failed"),
    Index("ix_bulk_entry_job_id", "job_id", "state"),
)

bulk_wait = Table(
    "bulk_wait",
    metadata,
    Column("entry_id", Id, ForeignKey("bulk_entry.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("work_id", Id, ForeignKey("work.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True),
)
