"""Replays as tracked batches, what a dead letter knew at its burial, priorities, and the pace of replayed work."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# name, table, columns, condition
INDEXES = (
    ("ix_dead_letter_replay_id", "dead_letter", ["replay_id"], None),
    ("ix_dead_letter_open", "dead_letter", ["id"], "resolved_at IS NULL"),
    ("ix_dead_letter_cause", "dead_letter", ["fingerprint", "id"], "resolved_at IS NULL"),
    ("ix_work_finished", "work", ["job_id", "finished_at"], "finished_at IS NOT NULL"),
)


def upgrade() -> None:
    """Add a table and columns; SQL by hand where SQLite takes a constraint only with its column.

    Making the table anew, which is Alembic's other way on SQLite, would delete the work of every job with it.
    """
    op.create_table(
        "replay",
        sa.Column("id", ID, nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_replay"),
        sqlite_autoincrement=True,
    )
    id_type = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE dead_letter ADD COLUMN replay_id {id_type} "
        "CONSTRAINT fk_dead_letter_replay_id REFERENCES replay (id)"
    )
    op.execute(
        "ALTER TABLE job ADD COLUMN priority INTEGER DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_job_priority CHECK (priority BETWEEN -100 AND 100)"
    )
    op.add_column("dead_letter", sa.Column("settings_hash", sa.String(length=32), nullable=True))
    op.add_column("dead_letter", sa.Column("index_version", sa.Integer(), nullable=True))
    op.add_column("dead_letter", sa.Column("epoch", sa.Integer(), nullable=True))
    op.add_column("work", sa.Column("paced_seconds", sa.Double(), nullable=True))
    for name, table, columns, condition in INDEXES:
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop what was added."""
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table_name=table)
    op.drop_column("work", "paced_seconds")
    # Nothing refers to a dead letter, so that its table may be made anew where SQLite needs it.
    with op.batch_alter_table("dead_letter") as letters:
        for name in ("epoch", "index_version", "settings_hash", "replay_id"):
            letters.drop_column(name)
    op.drop_column("job", "priority")
    op.drop_table("replay")
