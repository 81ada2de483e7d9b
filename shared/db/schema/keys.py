"""The table of an installation's keys."""

from sqlalchemy import CheckConstraint, Column, Double, ForeignKey, LargeBinary, String, Table, Text

from embedmill.shared.db.schema.base import Id, metadata, partial

# Roots are as they are, for the hosts of a server that nobody gave a key; all others are wrapped by a root, by its id.
encryption_key = Table(
    "encryption_key",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("kind", String(8), nullable=False),
    # With a collection go its keys, and whatever is left of it anywhere is not to be read again.
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), index=True),
    Column("root_id", String(16)),
    Column("root_name", Text),
    # NULL for a secret that its root derives.
    Column("body", LargeBinary),
    Column("state", String(8), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("wrapped_at", Double, nullable=False),
    CheckConstraint("kind IN ('root', 'secret', 'data')", name="kind"),
    CheckConstraint("state IN ('current', 'former')", name="state"),
    CheckConstraint("(kind = 'data') = (collection_id IS NOT NULL)", name="owner"),
    CheckConstraint("(kind = 'root') = (root_id IS NULL)", name="wrapped"),
    partial("ux_encryption_key_sole", "kind", where="kind <> 'data' AND state = 'current'", unique=True),
    partial("ux_encryption_key_current", "collection_id", where="kind = 'data' AND state = 'current'", unique=True),
)
