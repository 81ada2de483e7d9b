"""What redaction hid in documents: counts by type, and hashes by which a person's documents are found."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables."""
    _create(
        "document_redaction",
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
    )
    _create("document_subject", sa.Column("subject", sa.LargeBinary(), nullable=False))
    op.create_index("ix_document_subject_subject", "document_subject", ["subject", "document_id"])


def _create(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=f"fk_{name}_document_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_id", "generation", columns[0].name, name=f"pk_{name}"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("document_subject")
    op.drop_table("document_redaction")
