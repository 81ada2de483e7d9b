"""Whose queries were asked by somebody who reads some access levels only."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of queries that were asked before nobody is known."""
    op.add_column("query_record", sa.Column("asked_by", sa.String(32)))


def downgrade() -> None:
    """Nobody is told of their own queries."""
    op.drop_column("query_record", "asked_by")
