"""What models answered about queries is kept apart from verdicts on documents, sealed and for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OF_QUERIES = "('sift', 'rank', 'divide')"
"""Prompts whose answers stood among the verdicts, open to read, for however long; some cents of them are forgotten."""
ADDED = ("cached", "saved_microusd")


def upgrade() -> None:
    """A table, two columns of records, and no answers about queries among the verdicts."""
    op.create_table(
        "kept_answer",
        sa.Column("address", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_hash", sa.String(16), nullable=False),
        sa.Column("collection_id", _ID),
        sa.Column("changes", sa.BigInteger()),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("microusd", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_kept_answer"),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_kept_answer_collection_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("kind IN ('grade', 'plan', 'result', 'answer')", name=op.f("ck_kept_answer_kind")),
        sa.CheckConstraint("(collection_id IS NULL) = (changes IS NULL)", name=op.f("ck_kept_answer_rests")),
    )
    op.create_index("ix_kept_answer_created_at", "kept_answer", ["created_at", "kind", "bytes"])
    op.create_index("ix_kept_answer_collection_id", "kept_answer", ["collection_id", "changes"])
    op.execute(f"DELETE FROM verdict WHERE prompt_name IN {OF_QUERIES} AND decision IS NULL")
    for name in ADDED:
        op.add_column("query_record", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Forget them."""
    for name in ADDED:
        op.drop_column("query_record", name)
    op.drop_table("kept_answer")
