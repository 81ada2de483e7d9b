"""The table of tokens: who may do what, by a hash of a secret that is kept nowhere."""

from sqlalchemy import JSON, CheckConstraint, Column, Double, String, Table, Text

from embedmill.shared.db.schema.base import metadata

access_token = Table(
    "access_token",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(8), nullable=False),
    # NULL is every one.
    Column("collections", JSON(none_as_null=True)),
    Column("levels", JSON(none_as_null=True)),
    Column("hash", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("revoked_by", Text),
    CheckConstraint("role IN ('viewer', 'operator', 'admin', 'auditor')", name="role"),
    CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked"),
)
