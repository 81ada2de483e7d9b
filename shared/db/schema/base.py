"""What all tables have in common: one metadata, and how conditions on words are written."""

from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    literal_column,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only gives out row ids for INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


STAGE_LETTERS = 32
"""The longest name of a stage; which stages there are is `embedmill.shared.stages`'s to say and no constraint's."""


def one_of(column: str, values: Iterable[str]) -> str:
    """The condition of a constraint: a column has one of our own words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of some rows only; `know_partial_indexes_on_postgres` says so there."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), info={"where": where})


def know_partial_indexes_on_postgres() -> None:
    """Say on Postgres, too, which rows an index is of; for whoever makes tables, because it loads that dialect."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if "where" in index.info:
                index.dialect_kwargs["postgresql_where"] = text(index.info["where"])


def is_literally(of: ColumnElement[str], value: str) -> ColumnElement[bool]:
    """A condition with one of our own words written out: a parameter keeps SQLite from the word's partial index."""
    return of == literal_column(f"'{value}'")
