"""An attempt is found by its work in the index of (work, epoch): the index of its work alone said the same again."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the index that was the beginning of another: 47 bytes a document, and a page for each attempt at random."""
    op.drop_index("ix_attempt_work_id", "attempt")


def downgrade() -> None:
    """Bring it back."""
    op.create_index("ix_attempt_work_id", "attempt", ["work_id"])
