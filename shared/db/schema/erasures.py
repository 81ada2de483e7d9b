"""Tables of erasures: what is to be erased and how far that is, and the marks that keep it from coming back."""

from sqlalchemy import JSON, CheckConstraint, Column, Double, ForeignKey, Integer, LargeBinary, String, Table, Text

from embedmill.shared.db.schema.base import Id, metadata, one_of, partial
from embedmill.shared.erasing import CAUSES, ErasureState, MarkKind

erasure = Table(
    "erasure",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("cause", String(9), nullable=False),
    Column("state", String(4), nullable=False),
    # The step that is to be taken next, and what it and those before it have to remember: numbers and hashes.
    Column("step", Text, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("documents", Integer, nullable=False),
    Column("error", Text),
    Column("receipt", JSON(none_as_null=True)),
    # The ids of its documents, encrypted, while rows of theirs may still be written too late, and not longer.
    Column("watched", LargeBinary),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    CheckConstraint(one_of("cause", CAUSES), name="cause"),
    CheckConstraint(one_of("state", ErasureState), name="state"),
    CheckConstraint("(state = 'done') = (finished_at IS NOT NULL)", name="finished"),
    partial("ix_erasure_open", "created_at", where="finished_at IS NULL"),
)

# The documents of erasures that are not done.
erased_document = Table(
    "erased_document",
    metadata,
    Column("erasure_id", String(16), ForeignKey("erasure.id", ondelete="CASCADE"), primary_key=True),
    Column("document_id", String(32), primary_key=True),
    # No reference: the collection may be deleted before.
    Column("collection_id", Id, nullable=False),
    # What its work referred to before that was deleted: references to stored objects, and jobs.
    Column("known", JSON(none_as_null=True)),
)

# Keyed hashes of what must not come back. They outlive documents, collections and erasures.
tombstone = Table(
    "tombstone",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("erasure_id", String(16), nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    CheckConstraint(one_of("kind", MarkKind), name="kind"),
)

# Where backups were written to.
backup = Table(
    "backup",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("place", Text, nullable=False),
    Column("made_at", Double, nullable=False),
)
