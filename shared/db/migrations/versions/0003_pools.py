"""Worker pools: desired slots and pauses by queue, supervisors, and what a worker says about itself."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables and widen that of workers."""
    op.create_table(
        "pool",
        sa.Column("queue", sa.String(length=8), nullable=False),
        sa.Column("desired", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("queue", name="pk_pool"),
        sa.CheckConstraint("queue IN ('chunk', 'validate', 'embed', 'index')", name=op.f("ck_pool_queue")),
        sa.CheckConstraint("desired IS NULL OR desired >= 0", name=op.f("ck_pool_desired")),
    )
    op.create_table(
        "supervisor",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("pools", sa.JSON(), nullable=False),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("heartbeat_at", sa.Double(), nullable=False),
        sa.Column("stopped_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_supervisor"),
    )
    states = "state IN ('starting', 'idle', 'busy', 'paused', 'draining', 'stopped', 'lost')"
    with op.batch_alter_table("worker") as table:
        table.add_column(sa.Column("supervisor", sa.Text(), nullable=True))
        table.add_column(sa.Column("kind", sa.String(length=8), server_default="prefork", nullable=False))
        table.add_column(sa.Column("state", sa.String(length=8), server_default="starting", nullable=False))
        table.add_column(sa.Column("slots", sa.Integer(), server_default="1", nullable=False))
        table.add_column(sa.Column("wanted_slots", sa.Integer(), nullable=True))
        table.add_column(sa.Column("drain", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        table.add_column(sa.Column("busy", sa.Integer(), server_default="0", nullable=False))
        table.add_column(sa.Column("batches", sa.BigInteger(), server_default="0", nullable=False))
        table.add_column(sa.Column("documents", sa.BigInteger(), server_default="0", nullable=False))
        table.add_column(sa.Column("rate", sa.Double(), server_default="0", nullable=False))
        table.add_column(sa.Column("rss_bytes", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("version", sa.Text(), nullable=True))
        table.add_column(sa.Column("last_message_at", sa.Double(), nullable=True))
        table.add_column(sa.Column("last_claim_at", sa.Double(), nullable=True))
        table.create_check_constraint(op.f("ck_worker_state"), states)


def downgrade() -> None:
    """Forget pools and supervisors, and narrow the table of workers."""
    added = (
        "supervisor kind state slots wanted_slots drain busy batches documents rate rss_bytes version "
        "last_message_at last_claim_at"
    ).split()
    with op.batch_alter_table("worker") as table:
        table.drop_constraint(op.f("ck_worker_state"), type_="check")
        for name in added:
            table.drop_column(name)
    op.drop_table("supervisor")
    op.drop_table("pool")
