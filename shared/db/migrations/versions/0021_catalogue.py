"""Indexes by which documents are listed, whatever is asked about them."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_document_uri", "document", ["collection_id", "uri"],
     "active_version IS NOT NULL OR generation > active_generation"),
    ("ix_document_deleted", "document", ["collection_id", "id"], "active_version IS NULL AND active_generation > 0"),
    ("ix_document_empty", "document", ["collection_id", "id"], "active_version IS NOT NULL AND chunks_expected = 0"),
    ("ix_work_left", "work", ["state", "id"], "state <> 'completed'"),
    ("ix_work_removing", "work", ["id"], "deletes AND finished_at IS NULL"),
)  # fmt: skip


def upgrade() -> None:
    """Add the indexes; a server first learns to order URIs by code points, as SQLite does."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("document", "uri", type_=sa.Text(collation="C"))
    for name, table, columns, condition in INDEXES:
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop them."""
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table_name=table)
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("document", "uri", type_=sa.Text(collation="default"))
