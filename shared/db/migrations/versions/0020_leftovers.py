"""An index on attempts at the index stage that did not succeed, for the sweeper, and the name of the installation."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UNSURE = sa.text("stage = 'index' AND outcome <> 'ok'")


def upgrade() -> None:
    """Add them; the name is given when it is asked for first."""
    op.create_index("ix_attempt_unsure", "attempt", ["ended_at"], sqlite_where=UNSURE, postgresql_where=UNSURE)
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("installation")
    op.drop_index("ix_attempt_unsure", "attempt")
