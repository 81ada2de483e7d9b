"""One more reason to wait: a key that its provider does not accept."""

from alembic import op

from embedmill.shared.db.migrations.rewording import reword_wait_reason

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BEFORE = "wait_reason IN ('retry', 'rate', 'budget', 'paused', 'circuit', 'bulk')"
AFTER = "wait_reason IN ('retry', 'rate', 'budget', 'paused', 'circuit', 'bulk', 'key')"


def upgrade() -> None:
    """Add a word to a constraint."""
    reword_wait_reason(BEFORE, AFTER)


def downgrade() -> None:
    """Remove it; what waits for a key is tried at once by an older release."""
    op.execute("UPDATE work SET state = 'pending', wait_reason = NULL, available_at = NULL WHERE wait_reason = 'key'")
    reword_wait_reason(AFTER, BEFORE)
