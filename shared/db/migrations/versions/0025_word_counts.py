"""The words of documents are counted for stores whose service counts none."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Two empty tables: documents of before are counted when somebody searches, verifies or works."""
    op.create_table(
        "word_edition",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("words", sa.Integer(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        _belongs_to_a_collection("word_edition"),
        sa.PrimaryKeyConstraint("document_id", name="pk_word_edition"),
    )
    op.create_index("ix_word_edition_collection_id", "word_edition", ["collection_id", "document_id"])
    op.create_table(
        "word_delta",
        sa.Column("id", ID, nullable=False),
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        _belongs_to_a_collection("word_delta"),
        sa.PrimaryKeyConstraint("id", name="pk_word_delta"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_word_delta_collection_id", "word_delta", ["collection_id", "id"])


def _belongs_to_a_collection(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_collection_id"
    return sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    """Remove them."""
    op.drop_table("word_delta")
    op.drop_table("word_edition")
