"""What queries came to, in numbers and hashes; what readers thought of their hits; and the key of the hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Two tables, and a column."""
    op.add_column("installation", sa.Column("query_key", sa.String(64)))
    op.create_table(
        "query_record",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("collection_id", _ID, nullable=False),
        sa.Column("door", sa.String(8), nullable=False),
        sa.Column("hash", sa.String(32), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.Column("filtered", sa.Boolean(), nullable=False),
        sa.Column("ranked", sa.Boolean(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("relevance", sa.String(4)),
        sa.Column("degraded", sa.Boolean(), nullable=False),
        sa.Column("partial", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("cost_microusd", sa.BigInteger(), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("hallucinations", sa.Integer(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("first_rank", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_query_record"),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_query_record_collection_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("door IN ('search', 'ask')", name=op.f("ck_query_record_door")),
        sa.CheckConstraint(
            "relevance IS NULL OR relevance IN ('good', 'weak', 'none')", name=op.f("ck_query_record_relevance")
        ),
    )
    op.create_index("ix_query_record_collection_id_created_at", "query_record", ["collection_id", "created_at"])
    op.create_index("ix_query_record_created_at", "query_record", ["created_at"])
    op.create_table(
        "feedback",
        sa.Column("id", _ID, nullable=False),
        sa.Column("query_id", sa.String(16), nullable=False),
        sa.Column("document_id", sa.String(32), nullable=False),
        sa.Column("chunk", sa.String(24), nullable=False),
        sa.Column("helpful", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["query_id"], ["query_record.id"], name="fk_feedback_query_id", ondelete="CASCADE"),
        sa.UniqueConstraint("query_id", "document_id", "chunk", name="uq_feedback_query_id_document_id_chunk"),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("feedback")
    op.drop_table("query_record")
    op.drop_column("installation", "query_key")
