"""When a job went on last after a pause: its pace is measured from there."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of jobs that were paused before that is not known."""
    op.add_column("job", sa.Column("resumed_at", sa.Double))


def downgrade() -> None:
    """The pace of a job counts its pauses again."""
    op.drop_column("job", "resumed_at")
