"""Changes a CHECK constraint where SQLite can only make a table anew."""

import sqlalchemy as sa
from alembic import op


def reword_wait_reason(before: str, after: str) -> None:
    """SQLite changes a constraint only by a new table, and dropping the old one would delete what refers to work.

    So the constraint is rewritten in place, as sqlite.org/lang_altertable.html describes for changes that touch no row.
    """
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_work_wait_reason"), "work", type_="check")
        op.create_check_constraint(op.f("ck_work_wait_reason"), "work", f"wait_reason IS NULL OR {after}")
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.execute(
        sa.text("UPDATE sqlite_master SET sql = replace(sql, :before, :after) WHERE name = 'work' AND type = 'table'"),
        {"before": before, "after": after},
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    assert changed == 1
