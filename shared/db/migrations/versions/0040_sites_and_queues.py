"""When hosts of web sites may be asked again, and queues whose messages name objects of a source."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No host was asked, and no queue is named."""
    op.create_table(
        "visited_host",
        sa.Column("place", sa.String(300), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_visited_host"),
    )
    op.add_column("schedule", sa.Column("events", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Each command keeps its own pauses, and queues are read by nobody."""
    op.drop_column("schedule", "events")
    op.drop_table("visited_host")
