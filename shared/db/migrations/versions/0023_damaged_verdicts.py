"""How many stored verdicts could not be read back."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table that nothing older has."""
    op.create_table(
        "cache_damage",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_cache_damage"),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("cache_damage")
