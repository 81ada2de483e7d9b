"""Tables of the audit: records by chain and place, which triggers keep as they are, and the heads of the chains."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from embedmill.shared.db.schema.base import metadata

# A chain is a collection's, by name, and goes on when a collection of that name is made anew; '' is the installation's.
audit_record = Table(
    "audit_record",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    # Microseconds since 1970.
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("mac", String(64), nullable=False),
    Index("ix_audit_record_at", "at"),
    sqlite_with_rowid=False,
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("mac", String(64), nullable=False),
    # The last record that was let go, as its time was over.
    Column("floor", BigInteger, nullable=False),
    Column("floor_mac", String(64), nullable=False),
    Column("seal", String(64), nullable=False),
    Column("key_id", String(32), nullable=False),
    sqlite_with_rowid=False,
)
