"""When a verdict was used last, tokens that caches saved, and what caches let go."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns and a table; verdicts that are there count as used when they were given."""
    op.add_column("usage", sa.Column("cached_tokens", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("verdict", sa.Column("used_at", sa.Double(), server_default="0", nullable=False))
    op.execute("UPDATE verdict SET used_at = created_at")
    op.create_index("ix_verdict_used_at", "verdict", ["used_at"])
    op.create_table(
        "cache_eviction",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("evicted_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_cache_eviction"),
    )


def downgrade() -> None:
    """Back to the schema before."""
    op.drop_table("cache_eviction")
    op.drop_index("ix_verdict_used_at", "verdict")
    op.drop_column("verdict", "used_at")
    op.drop_column("usage", "cached_tokens")
