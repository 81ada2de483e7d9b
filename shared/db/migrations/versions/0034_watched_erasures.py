"""Whose rows may still be written too late after an erasure is kept encrypted, and with the erasure."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column."""
    op.add_column("erasure", sa.Column("watched", sa.LargeBinary()))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("erasure", "watched")
