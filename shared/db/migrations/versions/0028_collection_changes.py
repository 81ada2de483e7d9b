"""How often what readers see of a collection has changed, counted by triggers in the transactions that change it."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SEEN = ("active_version", "active_generation", "chunks_ref", "rejections_ref", "title")
"""Columns of a document that tell what readers see of it."""
EVENTS = ("insert", "update", "delete")
"""Of a term, by which questions are understood."""


def upgrade() -> None:
    """An empty table, and triggers on documents and terms; what is not there has changed 0 times."""
    op.create_table(
        "collection_change",
        sa.Column("collection_id", ID, nullable=False),
        sa.Column("writer", sa.Integer(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name="fk_collection_change_collection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "writer", name="pk_collection_change"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _count_by_statement()
    else:
        _count_by_row()


def downgrade() -> None:
    """Drop the triggers and the table."""
    is_server = op.get_bind().dialect.name == "postgresql"
    for trigger, table in [("document_change", "document"), *((f"term_change_{event}", "term") for event in EVENTS)]:
        op.execute(f"DROP TRIGGER {trigger} ON {table}" if is_server else f"DROP TRIGGER {trigger}")
        if is_server:
            op.execute(f"DROP FUNCTION note_{trigger}()")
    op.drop_table("collection_change")


def _count_by_statement() -> None:
    """Postgres: each session counts in a row of its own, so that no two wait for each other."""
    differ = " OR ".join(f"added.{name} IS DISTINCT FROM gone.{name}" for name in SEEN)
    moved = f"added JOIN gone ON added.id = gone.id AND ({differ})"
    _on("document_change", "document", "UPDATE", "OLD TABLE AS gone NEW TABLE AS added", "added", moved)
    tables = {"insert": ("NEW", "added"), "update": ("NEW", "added"), "delete": ("OLD", "gone")}
    for event, (which, rows) in tables.items():
        _on(f"term_change_{event}", "term", event.upper(), f"{which} TABLE AS {rows}", rows, rows)


def _on(trigger: str, table: str, event: str, tables: str, rows: str, source: str) -> None:
    op.execute(
        f"CREATE FUNCTION note_{trigger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO collection_change AS known (collection_id, writer, changes) "
        # What goes with its collection leaves none to count for.
        f"SELECT DISTINCT collection.id, pg_backend_pid(), 1 FROM {source} "
        f"JOIN collection ON collection.id = {rows}.collection_id "
        "ON CONFLICT (collection_id, writer) DO UPDATE SET changes = known.changes + 1; "
        "RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {trigger} AFTER {event} ON {table} REFERENCING {tables} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION note_{trigger}()"
    )


def _count_by_row() -> None:
    """SQLite has one writer at a time, and triggers by row."""
    differ = " OR ".join(f"old.{name} IS NOT new.{name}" for name in SEEN)
    op.execute(
        f"CREATE TRIGGER document_change AFTER UPDATE OF {', '.join(SEEN)} ON document WHEN {differ} "
        f"BEGIN {_add('new')}; END"
    )
    for event in EVENTS:
        row = "old" if event == "delete" else "new"
        op.execute(f"CREATE TRIGGER term_change_{event} AFTER {event.upper()} ON term BEGIN {_add(row)}; END")


def _add(row: str) -> str:
    return (
        "INSERT INTO collection_change (collection_id, writer, changes) "
        f"SELECT id, 0, 1 FROM collection WHERE id = {row}.collection_id "
        "ON CONFLICT (collection_id, writer) DO UPDATE SET changes = changes + 1"
    )
