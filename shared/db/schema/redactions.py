"""Tables of what redaction hid in documents: counts, and hashes of values, never a value."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from embedmill.shared.db.schema.base import metadata

# How many values of each type were hidden when a document was read for a generation of its.
document_redaction = Table(
    "document_redaction",
    metadata,
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("type", String(40), primary_key=True),
    Column("found", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Whom a document tells of: keyed hashes of normal forms of values, by which an erasure finds it.
document_subject = Table(
    "document_subject",
    metadata,
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("subject", LargeBinary, primary_key=True),
    Index("ix_document_subject_subject", "subject", "document_id"),
    sqlite_with_rowid=False,
)
