"""Sources that are read again by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """An empty table."""
    op.create_table(
        "schedule",
        sa.Column("source_id", ID, autoincrement=False, nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("every_seconds", sa.Double()),
        sa.Column("cron", sa.String(200)),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("began_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("job_id", ID),
        sa.Column("error", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failing_since", sa.Double()),
        sa.PrimaryKeyConstraint("source_id", name="pk_schedule"),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_schedule_source_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_schedule_job_id", ondelete="SET NULL"),
        sa.CheckConstraint("(every_seconds IS NULL) <> (cron IS NULL)", name=op.f("ck_schedule_timetable")),
        sa.CheckConstraint("(failures = 0) = (failing_since IS NULL)", name=op.f("ck_schedule_failing")),
    )
    op.create_index("ix_schedule_due_at", "schedule", ["due_at"])


def downgrade() -> None:
    """Nothing is read by itself any more."""
    op.drop_table("schedule")
