"""Since when a provider has failed for a piece of work."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing is known to fail yet."""
    op.add_column("work", sa.Column("failing_since", sa.Double()))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("work", "failing_since")
