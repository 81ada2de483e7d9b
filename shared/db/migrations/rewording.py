"""Changes a CHECK constraint or the length of a column where SQLite can only make a table anew.

Dropping the old table would delete what refers to it. So the declaration is rewritten in place, as
sqlite.org/lang_altertable.html describes for changes that touch no row.
"""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op


def reword_wait_reason(before: str, after: str) -> None:
    """Change the words of `wait_reason`."""
    if _is_postgres():
        op.drop_constraint(op.f("ck_work_wait_reason"), "work", type_="check")
        op.create_check_constraint(op.f("ck_work_wait_reason"), "work", f"wait_reason IS NULL OR {after}")
        return
    _rewrite("work", lambda sql: sql.replace(before, after))


def reword(table: str, constraint: str, before: str, after: str) -> None:
    """Change the condition of a constraint from `before` to `after`."""
    if _is_postgres():
        name = op.f(f"ck_{table}_{constraint}")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, after)
        return
    _rewrite(table, lambda sql: sql.replace(before, after))


def add_check(table: str, name: str, condition: str) -> None:
    """Add a constraint that every row keeps already."""
    if _is_postgres():
        op.create_check_constraint(op.f(name), table, condition)
        return
    _rewrite(table, lambda sql: sql.rstrip().removesuffix(")") + _clause(name, condition) + ")")


def drop_check(table: str, name: str, condition: str) -> None:
    """Remove a constraint, be it of the table's beginning or added by `add_check`."""
    if _is_postgres():
        op.drop_constraint(op.f(name), table, type_="check")
        return
    clause = re.compile(rf",\s*CONSTRAINT {name} CHECK \({re.escape(condition)}\)")
    _rewrite(table, lambda sql: clause.sub("", sql))


def resize(table: str, column: str, before: int, after: int) -> None:
    """Change how long the words of a column may be; Postgres writes a table anew only where they become shorter."""
    if _is_postgres():
        cut = f"left({column}, {after})" if after < before else None
        op.alter_column(table, column, type_=sa.String(after), postgresql_using=cut)
        return
    _rewrite(table, lambda sql: sql.replace(f"{column} VARCHAR({before})", f"{column} VARCHAR({after})"))


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _clause(name: str, condition: str) -> str:
    return f", CONSTRAINT {name} CHECK ({condition})"


def _rewrite(table: str, change: Callable[[str], str]) -> None:
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    this = "name = :table AND type = 'table'"
    before = connection.execute(sa.text(f"SELECT sql FROM sqlite_master WHERE {this}"), {"table": table}).scalar_one()
    after = change(before)
    assert after != before
    connection.execute(sa.text(f"UPDATE sqlite_master SET sql = :sql WHERE {this}"), {"sql": after, "table": table})
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
