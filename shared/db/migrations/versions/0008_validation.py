"""Verdicts by content address, samples to be audited, the review queue, and the terms of collections."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "verdict",
        sa.Column("address", sa.String(length=32), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_name", sa.Text(), nullable=False),
        sa.Column("prompt_hash", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("decision", sa.String(length=8), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("source IN ('model', 'rules')", name=op.f("ck_verdict_source")),
        sa.CheckConstraint(
            "decision IS NULL OR decision IN ('accepted', 'rejected')", name=op.f("ck_verdict_decision")
        ),
        sa.PrimaryKeyConstraint("address", name="pk_verdict"),
    )
    op.create_table(
        "verdict_hold",
        sa.Column("address", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_verdict_hold"),
    )
    op.create_index("ix_verdict_hold_owner", "verdict_hold", ["owner"])
    op.create_table(
        "sample",
        sa.Column("id", ID, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("job_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("chunk", sa.String(length=24), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("chunks_ref", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("available_at", sa.Double(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("kind IN ('verdict', 'terms')", name=op.f("ck_sample_kind")),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name=op.f("ck_sample_state")),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_sample_collection_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name="fk_sample_document_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_sample_job_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_sample"),
        sa.UniqueConstraint("document_id", "kind", "chunk", name="uq_sample_document_id_kind_chunk"),
    )
    op.create_index("ix_sample_collection_id", "sample", ["collection_id"])
    op.create_index("ix_sample_job_id", "sample", ["job_id"])
    op.create_index(
        "ix_sample_pending",
        "sample",
        ["available_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "sample_count",
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sampled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("judged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("errors", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_sample_count_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "kind", name="pk_sample_count"),
    )
    op.create_table(
        "review",
        sa.Column("id", ID, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("chunk", sa.String(length=24), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=32), nullable=False),
        sa.Column("doubts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.Column("resolution", sa.String(length=8), nullable=True),
        sa.CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name=op.f("ck_review_resolved")),
        sa.CheckConstraint(
            "resolution IS NULL OR resolution IN ('accepted', 'rejected')", name=op.f("ck_review_resolution")
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_review_collection_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name="fk_review_document_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.UniqueConstraint("document_id", "chunk", "address", name="uq_review_document_id_chunk_address"),
    )
    op.create_index("ix_review_address", "review", ["address"])
    op.create_index("ix_review_collection_id", "review", ["collection_id"])
    op.create_table(
        "term",
        sa.Column("id", ID, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("term", sa.String(length=200), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("synonym", sa.String(length=200), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name="fk_term_collection_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name="fk_term_document_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_term"),
        sa.UniqueConstraint("document_id", "term", "synonym", name="uq_term_document_id_term_synonym"),
    )
    op.create_index("ix_term_collection_id_term", "term", ["collection_id", "term"])


def downgrade() -> None:
    """Remove the tables; nothing else refers to them."""
    for table in ("term", "review", "sample_count", "sample", "verdict_hold", "verdict"):
        op.drop_table(table)
