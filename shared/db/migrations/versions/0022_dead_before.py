"""Which dead letter a scan passed a document over for."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a column that nothing older has, and its index."""
    op.add_column("scan_note", sa.Column("letter_id", ID, nullable=True))
    where = sa.text("letter_id IS NOT NULL")
    op.create_index("ix_scan_note_letter", "scan_note", ["job_id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_scan_note_letter", table_name="scan_note")
    op.drop_column("scan_note", "letter_id")
