"""Counts kept by triggers, indexes for a million rows, and receipts of transactions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

INDEXES = (
    ("ix_work_pending", ["job_id", "id"], "state = 'pending'"),
    ("ix_work_due", ["job_id", "available_at"], "state = 'waiting'"),
    ("ix_work_waiting", ["job_id", "stage", "wait_reason", "available_at"], "state = 'waiting'"),
    ("ix_work_trouble", ["job_id", "id"], "reason IS NOT NULL AND finished_at IS NULL"),
    ("ix_work_skipped", ["job_id", "id"], "result = 'skipped'"),
)

PLACE = "job_id, stage, state, wait_reason, result, deletes"
SUMS = "documents, expected, rejected, embedded"


def upgrade() -> None:
    """Add the tables, count what is there, and let triggers count from then on."""
    op.create_table(
        "tally",
        sa.Column("id", Id, nullable=False),
        sa.Column("job_id", Id, nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("wait_reason", sa.String(length=8), nullable=False),
        sa.Column("result", sa.String(length=10), nullable=False),
        sa.Column("deletes", sa.Boolean(), nullable=False),
        sa.Column("documents", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("embedded", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_tally_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_tally"),
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receipt"),
    )
    op.drop_index("ix_work_ready", table_name="work")
    for name, columns, where in INDEXES:
        op.create_index(name, "work", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.execute(
        f"INSERT INTO tally ({PLACE}, {SUMS}) SELECT job_id, stage, state, coalesce(wait_reason, ''), "
        "coalesce(result, ''), deletes, count(*), sum(chunks_expected), sum(chunks_rejected), sum(chunks_embedded) "
        "FROM work GROUP BY 1, 2, 3, 4, 5, 6"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_tally_job_id", "tally", ["job_id"])
        _count_by_statement()
    else:
        op.create_index("uq_tally_place", "tally", PLACE.split(", "), unique=True)
        _count_by_row()


def downgrade() -> None:
    """Drop the triggers, tables and indexes."""
    if op.get_bind().dialect.name == "postgresql":
        for event in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER work_tally_{event} ON work")
            op.execute(f"DROP FUNCTION tally_{event}()")
    else:
        for event in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER work_tally_{event}")
    for name, _, _ in INDEXES:
        op.drop_index(name, table_name="work")
    where = sa.text("state IN ('pending', 'waiting')")
    op.create_index("ix_work_ready", "work", ["job_id", "id"], sqlite_where=where, postgresql_where=where)
    op.drop_table("receipt")
    op.drop_table("tally")


def _counted(table: str, sign: str) -> str:
    return (
        "SELECT job_id, stage, state, coalesce(wait_reason, '') AS wait_reason, "
        "coalesce(result, '') AS result, deletes, "
        f"{sign}1 AS documents, {sign}chunks_expected AS expected, {sign}chunks_rejected AS rejected, "
        f"{sign}chunks_embedded AS embedded FROM {table}"
    )


def _count_by_statement() -> None:
    """Postgres: a statement adds its changes as rows, so two of them never wait for each other's counts."""
    added, gone = _counted("added", ""), _counted("gone", "-")
    sources = {
        "insert": (added, "NEW TABLE AS added", ""),
        "update": (f"{added} UNION ALL {gone}", "OLD TABLE AS gone NEW TABLE AS added", ""),
        # What goes with its job leaves no job to count for.
        "delete": (gone, "OLD TABLE AS gone", "WHERE EXISTS (SELECT 1 FROM job WHERE job.id = job_id)"),
    }
    for event, (source, tables, where) in sources.items():
        op.execute(
            f"CREATE FUNCTION tally_{event}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"INSERT INTO tally ({PLACE}, {SUMS}) "
            f"SELECT {PLACE}, sum(documents), sum(expected), sum(rejected), sum(embedded) "
            f"FROM ({source}) AS changes {where} GROUP BY {PLACE} "
            "HAVING sum(documents) <> 0 OR sum(expected) <> 0 OR sum(rejected) <> 0 OR sum(embedded) <> 0; "
            "RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER work_tally_{event} AFTER {event.upper()} ON work REFERENCING {tables} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION tally_{event}()"
        )


def _count_by_row() -> None:
    """SQLite has one writer at a time and triggers by row: counts are kept in place."""
    fields = "stage state wait_reason result deletes chunks_expected chunks_rejected chunks_embedded".split()
    changed = " OR ".join(f"old.{f} IS NOT new.{f}" for f in fields)
    op.execute(f"CREATE TRIGGER work_tally_insert AFTER INSERT ON work BEGIN {_add('new', '')}; END")
    op.execute(
        f"CREATE TRIGGER work_tally_update AFTER UPDATE OF {', '.join(fields)} ON work WHEN {changed} "
        f"BEGIN {_subtract()}; {_add('new', '')}; END"
    )
    op.execute(f"CREATE TRIGGER work_tally_delete AFTER DELETE ON work BEGIN {_subtract()}; END")


def _add(row: str, sign: str) -> str:
    return (
        f"INSERT INTO tally ({PLACE}, {SUMS}) VALUES ({row}.job_id, {row}.stage, {row}.state, "
        f"coalesce({row}.wait_reason, ''), coalesce({row}.result, ''), {row}.deletes, {sign}1, "
        f"{sign}{row}.chunks_expected, {sign}{row}.chunks_rejected, {sign}{row}.chunks_embedded) "
        f"ON CONFLICT ({PLACE}) DO UPDATE SET "
        + ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS.split(", "))
    )


def _subtract() -> str:
    """Where the row was there is a count already, unless its job went first."""
    return (
        "UPDATE tally SET documents = documents - 1, expected = expected - old.chunks_expected, "
        "rejected = rejected - old.chunks_rejected, embedded = embedded - old.chunks_embedded "
        "WHERE job_id = old.job_id AND stage = old.stage AND state = old.state "
        "AND wait_reason = coalesce(old.wait_reason, '') AND result = coalesce(old.result, '') "
        "AND deletes = old.deletes"
    )
