"""The shards that documents are being moved out of."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("index_version", sa.Column("leaving", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("index_version", "leaving")
