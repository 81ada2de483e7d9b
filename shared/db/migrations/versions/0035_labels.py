"""Who may see a document: what its source says, and what was said of the active version."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

LABELLED = ("source", "document")
LABELS = ("access", "owner")


def upgrade() -> None:
    """Columns that say nothing: the collection's own access level and owner hold for all that is there."""
    for table in LABELLED:
        for label in LABELS:
            op.add_column(table, sa.Column(label, sa.Text()))


def downgrade() -> None:
    """Without them."""
    for table in LABELLED:
        for label in LABELS:
            op.drop_column(table, label)
