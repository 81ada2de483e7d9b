"""What parsers left out or guessed: kept with work and documents, and counted with a job's work."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

PLACE = "job_id, stage, state, wait_reason, result, deletes"
# What a row of `work` adds to a tally, by the tally's column.
SUMS = {
    "documents": "1",
    "expected": "{row}.chunks_expected",
    "rejected": "{row}.chunks_rejected",
    "embedded": "{row}.chunks_embedded",
}
NOTED = {"noted": "CASE WHEN {row}.notes IS NULL THEN 0 ELSE 1 END"}
INDEXES = (("ix_work_noted", "work", ["job_id", "id"]), ("ix_document_noted", "document", ["collection_id", "id"]))


def upgrade() -> None:
    """Add the columns, and have the triggers count rows that have notes."""
    op.add_column("work", sa.Column("notes", sa.Text(), nullable=True))
    op.add_column("document", sa.Column("notes", sa.Text(), nullable=True))
    op.add_column("tally", sa.Column("noted", sa.BigInteger(), server_default="0", nullable=False))
    where = sa.text("notes IS NOT NULL")
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    _count(SUMS | NOTED, looks_at="notes")


def downgrade() -> None:
    """Forget the notes, and count as before."""
    _count(SUMS)
    for name, table, _ in INDEXES:
        op.drop_index(name, table_name=table)
    op.drop_column("tally", "noted")
    op.drop_column("document", "notes")
    op.drop_column("work", "notes")


def _count(sums: dict[str, str], *, looks_at: str = "") -> None:
    if op.get_bind().dialect.name == "postgresql":
        _count_by_statement(sums)
    else:
        _count_by_row(sums, looks_at)


def _count_by_statement(sums: dict[str, str]) -> None:
    added, gone = _counted("added", "", sums), _counted("gone", "-", sums)
    sources = {
        "insert": (added, ""),
        "update": (f"{added} UNION ALL {gone}", ""),
        "delete": (gone, "WHERE EXISTS (SELECT 1 FROM job WHERE job.id = job_id)"),
    }
    totals = ", ".join(f"sum({name})" for name in sums)
    moved = " OR ".join(f"sum({name}) <> 0" for name in sums)
    for event, (source, where) in sources.items():
        op.execute(
            f"CREATE OR REPLACE FUNCTION tally_{event}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"INSERT INTO tally ({PLACE}, {', '.join(sums)}) SELECT {PLACE}, {totals} "
            f"FROM ({source}) AS changes {where} GROUP BY {PLACE} HAVING {moved}; "
            "RETURN NULL; END $$"
        )


def _counted(table: str, sign: str, sums: dict[str, str]) -> str:
    counts = ", ".join(f"{sign}({value.format(row=table)}) AS {name}" for name, value in sums.items())
    return (
        "SELECT job_id, stage, state, coalesce(wait_reason, '') AS wait_reason, coalesce(result, '') AS result, "
        f"deletes, {counts} FROM {table}"
    )


def _count_by_row(sums: dict[str, str], looks_at: str) -> None:
    fields = "stage state wait_reason result deletes chunks_expected chunks_rejected chunks_embedded".split()
    fields += looks_at.split()
    changed = " OR ".join(f"old.{f} IS NOT new.{f}" for f in fields)
    add, subtract = _add(sums), _subtract(sums)
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER work_tally_{event}")
    op.execute(f"CREATE TRIGGER work_tally_insert AFTER INSERT ON work BEGIN {add}; END")
    op.execute(
        f"CREATE TRIGGER work_tally_update AFTER UPDATE OF {', '.join(fields)} ON work WHEN {changed} "
        f"BEGIN {subtract}; {add}; END"
    )
    op.execute(f"CREATE TRIGGER work_tally_delete AFTER DELETE ON work BEGIN {subtract}; END")


def _add(sums: dict[str, str]) -> str:
    values = ", ".join(value.format(row="new") for value in sums.values())
    return (
        f"INSERT INTO tally ({PLACE}, {', '.join(sums)}) VALUES (new.job_id, new.stage, new.state, "
        f"coalesce(new.wait_reason, ''), coalesce(new.result, ''), new.deletes, {values}) "
        f"ON CONFLICT ({PLACE}) DO UPDATE SET " + ", ".join(f"{name} = {name} + excluded.{name}" for name in sums)
    )


def _subtract(sums: dict[str, str]) -> str:
    changes = ", ".join(f"{name} = {name} - {value.format(row='old')}" for name, value in sums.items())
    return (
        f"UPDATE tally SET {changes} "
        "WHERE job_id = old.job_id AND stage = old.stage AND state = old.state "
        "AND wait_reason = coalesce(old.wait_reason, '') AND result = coalesce(old.result, '') "
        "AND deletes = old.deletes"
    )
