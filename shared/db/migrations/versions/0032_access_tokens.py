"""Tokens: who may do what, by a hash of a secret that is kept nowhere."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An empty table: until a token is made, the home's owner may do everything, as before."""
    op.create_table(
        "access_token",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("collections", sa.JSON(none_as_null=True)),
        sa.Column("levels", sa.JSON(none_as_null=True)),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("revoked_at", sa.Double()),
        sa.Column("revoked_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_access_token"),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'admin', 'auditor')", name=op.f("ck_access_token_role")),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_access_token_revoked")),
    )


def downgrade() -> None:
    """Without them."""
    op.drop_table("access_token")
