"""A job may have a name, by which people know it again."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; jobs that there are have none."""
    op.add_column("job", sa.Column("name", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("job", "name")
