"""What sources keep from one scan to the next, and under which state a document was read."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATED = ("document", "work")


def upgrade() -> None:
    """A table, and a column of documents and of work."""
    op.create_table(
        "source_memory",
        sa.Column("source_id", ID, nullable=False),
        sa.Column("address", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_source_memory_source_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source_id", "address", name="pk_source_memory"),
        sqlite_with_rowid=False,
    )
    for table in STATED:
        op.add_column(table, sa.Column("source_state", sa.Text(), nullable=True))


def downgrade() -> None:
    """Forget both: what has a state is read once more."""
    for table in STATED:
        op.drop_column(table, "source_state")
    op.drop_table("source_memory")
