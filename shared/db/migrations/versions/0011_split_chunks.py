"""How many chunks of a piece of work were too long for its model and were cut."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and the index by which a job finds the few rows that have any."""
    op.add_column("work", sa.Column("chunks_split", sa.Integer(), server_default="0", nullable=False))
    where = sa.text("chunks_split > 0")
    op.create_index("ix_work_split", "work", ["job_id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Remove both."""
    op.drop_index("ix_work_split", table_name="work")
    op.drop_column("work", "chunks_split")
