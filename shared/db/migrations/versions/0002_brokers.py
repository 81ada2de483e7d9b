"""Messages that nobody could read, and what a worker's broker refused it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns."""
    op.create_table(
        "unreadable_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("last_received_at", sa.Double(), nullable=False),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.Column("resolution", sa.String(length=10), nullable=True),
        sa.Column("resolution_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name=op.f("ck_unreadable_message_resolved")),
        sa.CheckConstraint(
            "resolution IS NULL OR resolution = 'discarded'", name=op.f("ck_unreadable_message_resolution")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_unreadable_message"),
    )
    op.create_index(
        "ux_unreadable_message_open",
        "unreadable_message",
        ["digest"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.add_column("worker", sa.Column("broker_refusals", sa.Integer(), server_default="0", nullable=False))
    op.add_column("worker", sa.Column("broker_refusal", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("worker", "broker_refusal")
    op.drop_column("worker", "broker_refusals")
    op.drop_index("ux_unreadable_message_open", table_name="unreadable_message")
    op.drop_table("unreadable_message")
