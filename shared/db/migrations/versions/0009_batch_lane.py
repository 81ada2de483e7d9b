"""The batch lane: the lane of a job, a reason to wait, and what was wanted of vendors' batch APIs."""

import sqlalchemy as sa
from alembic import op

from embedmill.shared.db.migrations.rewording import reword_wait_reason

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

BEFORE = "wait_reason IN ('retry', 'rate', 'budget', 'paused', 'circuit')"
AFTER = "wait_reason IN ('retry', 'rate', 'budget', 'paused', 'circuit', 'bulk')"


def upgrade() -> None:
    """Add a column, tables, and a word to a constraint."""
    op.execute(
        "ALTER TABLE job ADD COLUMN lane VARCHAR(4) DEFAULT 'live' NOT NULL "
        "CONSTRAINT ck_job_lane CHECK (lane IN ('live', 'bulk'))"
    )
    reword_wait_reason(BEFORE, AFTER)
    op.create_table(
        "bulk_batch",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("job_id", ID, nullable=True),
        sa.Column("usage_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Integer(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("vendor_id", sa.Text(), nullable=True),
        sa.Column("vendor_state", sa.Text(), nullable=True),
        sa.Column("file_id", sa.Text(), nullable=True),
        sa.Column("succeeded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("errored", sa.Integer(), server_default="0", nullable=False),
        sa.Column("returned", sa.Integer(), server_default="0", nullable=False),
        sa.Column("troubles", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("submitting_at", sa.Double(), nullable=True),
        sa.Column("submitted_at", sa.Double(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("cancelled_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("rests_until", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "state IN ('prepared', 'submitting', 'submitted', 'collected', 'ended', 'released')",
            name=op.f("ck_bulk_batch_state"),
        ),
        sa.CheckConstraint(
            "(state IN ('ended', 'released')) = (ended_at IS NOT NULL)", name=op.f("ck_bulk_batch_ended")
        ),
        sa.CheckConstraint(
            "state NOT IN ('submitted', 'collected') OR vendor_id IS NOT NULL", name=op.f("ck_bulk_batch_submitted")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_bulk_batch_job_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["usage_id"], ["usage.id"], name="fk_bulk_batch_usage_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_batch"),
        sa.UniqueConstraint("key", name="uq_bulk_batch_key"),
        sa.UniqueConstraint("vendor_id", name="uq_bulk_batch_vendor_id"),
    )
    op.create_index("ix_bulk_batch_job_id", "bulk_batch", ["job_id"])
    op.create_index("ix_bulk_batch_usage_id", "bulk_batch", ["usage_id"])
    is_open = sa.text("ended_at IS NULL")
    op.create_index("ix_bulk_batch_open", "bulk_batch", ["due_at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "bulk_entry",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("chunks_ref", sa.Text(), nullable=True),
        sa.Column("rejections_ref", sa.Text(), nullable=True),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("returns", sa.Integer(), server_default="0", nullable=False),
        sa.Column("complaint", sa.Text(), nullable=True),
        sa.Column("alone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("batch_id", ID, nullable=True),
        sa.Column("request", sa.Integer(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("state IN ('wanted', 'sent', 'done', 'failed', 'live')", name=op.f("ck_bulk_entry_state")),
        sa.CheckConstraint("kind IN ('embed', 'verdict')", name=op.f("ck_bulk_entry_kind")),
        sa.CheckConstraint("(state = 'failed') = (error_class IS NOT NULL)", name=op.f("ck_bulk_entry_failed")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_bulk_entry_job_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["batch_id"], ["bulk_batch.id"], name="fk_bulk_entry_batch_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_entry"),
        sa.UniqueConstraint("kind", "address", name="uq_bulk_entry_kind_address"),
    )
    op.create_index("ix_bulk_entry_job_id", "bulk_entry", ["job_id", "state"])
    op.create_index("ix_bulk_entry_batch_id", "bulk_entry", ["batch_id"])
    op.create_table(
        "bulk_wait",
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("work_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["bulk_entry.id"], name="fk_bulk_wait_entry_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["work_id"], ["work.id"], name="fk_bulk_wait_work_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("entry_id", "work_id", name="pk_bulk_wait"),
    )
    op.create_index("ix_bulk_wait_work_id", "bulk_wait", ["work_id"])


def downgrade() -> None:
    """Remove them; what waits for a batch is asked for at once by an older release."""
    for table in ("bulk_wait", "bulk_entry", "bulk_batch"):
        op.drop_table(table)
    op.execute("UPDATE work SET state = 'pending', wait_reason = NULL WHERE wait_reason = 'bulk'")
    reword_wait_reason(AFTER, BEFORE)
    op.drop_column("job", "lane")
