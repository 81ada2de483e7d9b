"""Notes that are about a source as a whole, and how many of them are problems."""

import sqlalchemy as sa
from alembic import op

from embedmill.shared.db.migrations.rewording import reword

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BEFORE = "kind IN ('skipped', 'problem')"
AFTER = "kind IN ('skipped', 'problem', 'unmet', 'note')"


def upgrade() -> None:
    """Add two words to a constraint, and a count that nothing older has."""
    reword("scan_note", "kind", BEFORE, AFTER)
    op.add_column("job", sa.Column("unmet", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Remove them, and what an older release could not read."""
    op.execute("UPDATE job SET problems = problems - unmet")
    op.execute("DELETE FROM scan_note WHERE kind IN ('unmet', 'note')")
    op.drop_column("job", "unmet")
    reword("scan_note", "kind", AFTER, BEFORE)
