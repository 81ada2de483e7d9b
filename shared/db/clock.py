"""What time it is, said by the database."""

from typing import Any

from sqlalchemy import Connection, Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class clock(FunctionElement[float]):
    """The database's own clock, as seconds since 1970; workers' clocks are never compared."""

    type = Double()
    inherit_cache = True


@compiles(clock, "sqlite")
def _sqlite_clock(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock, "postgresql")
def _postgresql_clock(element: Any, compiler: Any, **kw: Any) -> str:
    # Not clock_timestamp(), which is volatile: a condition on it cannot use an index. Both move within a transaction.
    return "extract(epoch FROM statement_timestamp())::float8"


def read_clock(connection: Connection) -> float:
    """Seconds since 1970 by the database's clock, at the beginning of this statement."""
    return float(connection.execute(select(clock())).scalar_one())
