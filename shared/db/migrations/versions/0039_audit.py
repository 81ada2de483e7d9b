"""The audit: records in chains, which triggers keep as they were written."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

KEPT = "the audit is only added to"
REFUSALS = {
    "audit_record_update": ("audit_record", "UPDATE", ""),
    # What its chain has let go, as its time was over, may go.
    "audit_record_delete": (
        "audit_record",
        "DELETE",
        "old.seq > coalesce((SELECT floor FROM audit_head WHERE chain = old.chain), 0)",
    ),
    "audit_head_update": (
        "audit_head",
        "UPDATE",
        "new.chain <> old.chain OR new.seq < old.seq OR new.floor < old.floor OR new.floor >= new.seq",
    ),
    "audit_head_delete": ("audit_head", "DELETE", ""),
}
"""Triggers: table, event and when it is refused."""


def upgrade() -> None:
    """Empty chains, and triggers that refuse what is not an addition."""
    op.create_table(
        "audit_record",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name="pk_audit_record"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_record_at", "audit_record", ["at"])
    op.create_table(
        "audit_head",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("floor_mac", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_audit_head"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_a_server()
    else:
        _refuse_in_a_file()


def downgrade() -> None:
    """Without an audit."""
    is_server = op.get_bind().dialect.name == "postgresql"
    op.drop_table("audit_record")
    op.drop_table("audit_head")
    if is_server:
        for function in ("refuse_audit_change", "refuse_audit_delete"):
            op.execute(f"DROP FUNCTION {function}()")


def _refuse_on_a_server() -> None:
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{KEPT}'; END $$"
    )
    for name, (table, event, when) in REFUSALS.items():
        # A condition of a trigger asks no other table there.
        if "SELECT" in when:
            _refuse_deletes()
            continue
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW "
            f"{f'WHEN ({when}) ' if when else ''}EXECUTE FUNCTION refuse_audit_change()"
        )
    for table in ("audit_record", "audit_head"):
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )


def _refuse_deletes() -> None:
    op.execute(
        "CREATE FUNCTION refuse_audit_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {REFUSALS['audit_record_delete'][2]} THEN RAISE EXCEPTION '{KEPT}'; END IF; RETURN old; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_record_delete BEFORE DELETE ON audit_record "
        "FOR EACH ROW EXECUTE FUNCTION refuse_audit_delete()"
    )


def _refuse_in_a_file() -> None:
    for name, (table, event, when) in REFUSALS.items():
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
            f"{f'WHEN {when} ' if when else ''}BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
        )
    for table, same in (("audit_record", "chain = new.chain AND seq = new.seq"), ("audit_head", "chain = new.chain")):
        # A row that is replaced is not told to the trigger of its removal.
        op.execute(
            f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
        )
