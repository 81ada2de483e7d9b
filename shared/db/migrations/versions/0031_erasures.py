"""Erasures are taken up where they were cut off, and what was erased is kept from coming back."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Three tables: erasures, their documents, and marks."""
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(9), nullable=False),
        sa.Column("state", sa.String(4), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("receipt", sa.JSON()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
        sa.CheckConstraint("cause IN ('asked', 'retention', 'restore')", name=op.f("ck_erasure_cause")),
        sa.CheckConstraint("state IN ('open', 'done')", name=op.f("ck_erasure_state")),
        sa.CheckConstraint("(state = 'done') = (finished_at IS NOT NULL)", name=op.f("ck_erasure_finished")),
    )
    is_open = sa.text("finished_at IS NULL")
    op.create_index("ix_erasure_open", "erasure", ["created_at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "erased_document",
        sa.Column("erasure_id", sa.String(16), nullable=False),
        sa.Column("document_id", sa.String(32), nullable=False),
        sa.Column("collection_id", _ID, nullable=False),
        sa.Column("known", sa.JSON()),
        sa.PrimaryKeyConstraint("erasure_id", "document_id", name="pk_erased_document"),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasure.id"], name="fk_erased_document_erasure_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "tombstone",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("erasure_id", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_tombstone"),
        sa.CheckConstraint("kind IN ('document', 'content', 'version')", name=op.f("ck_tombstone_kind")),
    )
    op.create_index("ix_tombstone_erasure_id", "tombstone", ["erasure_id"])


def downgrade() -> None:
    """Forget them."""
    for table in ("tombstone", "erased_document", "erasure"):
        op.drop_table(table)
