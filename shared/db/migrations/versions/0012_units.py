"""What vector stores bill by, in thousandths, beside the tokens of models."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is in the ledger so far has none."""
    op.add_column("usage", sa.Column("milliunits", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("usage", "milliunits")
