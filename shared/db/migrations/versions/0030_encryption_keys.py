"""The keys of an installation, wrapped by a root key."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNIQUE = {
    "ux_encryption_key_sole": ("kind", "kind <> 'data' AND state = 'current'"),
    "ux_encryption_key_current": ("collection_id", "kind = 'data' AND state = 'current'"),
}


def upgrade() -> None:
    """An empty table."""
    op.create_table(
        "encryption_key",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("collection_id", _ID),
        sa.Column("root_id", sa.String(16)),
        sa.Column("root_name", sa.Text()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("wrapped_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_encryption_key"),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_encryption_key_collection_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("kind IN ('root', 'secret', 'data')", name=op.f("ck_encryption_key_kind")),
        sa.CheckConstraint("state IN ('current', 'former')", name=op.f("ck_encryption_key_state")),
        sa.CheckConstraint("(kind = 'data') = (collection_id IS NOT NULL)", name=op.f("ck_encryption_key_owner")),
        sa.CheckConstraint("(kind = 'root') = (root_id IS NULL)", name=op.f("ck_encryption_key_wrapped")),
    )
    op.create_index("ix_encryption_key_collection_id", "encryption_key", ["collection_id"])
    for name, (column, where) in _UNIQUE.items():
        of = sa.text(where)
        op.create_index(name, "encryption_key", [column], unique=True, sqlite_where=of, postgresql_where=of)


def downgrade() -> None:
    """Forget the keys, and with them whatever was encrypted."""
    op.drop_table("encryption_key")
