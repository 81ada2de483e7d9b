"""Owns one pass over all shards' tables: one statement for all of them, and one for each where that fails."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import psycopg

from embedmill.shared.errors import EmbedmillError, FlowControl, KeyRefused, ProviderUnavailable, SettingsError
from embedmill.shared.providers.vectorstores.persistence import Persistence
from embedmill.shared.providers.vectorstores.pgvector.connections import ABSENT, LATE, Connections
from embedmill.shared.providers.vectorstores.pgvector.tables import ShardTable, Tables

T = TypeVar("T")

TOO_LATE = "it was too late"
SHARE = 0.25
"""Of what is left of the time that all shards together wait for a lock; then each is asked by itself."""
LONGEST_LOCK_SECONDS = 1.0
SERVER = (FlowControl, ProviderUnavailable, SettingsError, KeyRefused)
"""What is wrong with the server is wrong with every shard."""

Ask = Callable[[psycopg.Connection[Any], Mapping[str, ShardTable]], list[T]]
"""Rows of the tables of some shards."""


@dataclass(frozen=True, slots=True)
class PassAnswer:
    """The rows of the shards that answered, and why others did not."""

    rows: list[Any]
    failed: Mapping[str, str]


class Passes:
    """Asks the tables of one schema."""

    def __init__(self, connections: Connections, tables: Tables) -> None:
        self._connections = connections
        self._tables = tables

    def over(self, names: Mapping[str, str], ask: Ask[T], *, deadline: float | None) -> PassAnswer:
        """The rows of these shards' tables; a shard that nothing was written to has none."""
        try:
            found = self._persist(lambda: self._find(names), deadline)
            return PassAnswer(self._ask(found, ask, deadline) if found else [], {})
        except SERVER as error:
            return PassAnswer([], dict.fromkeys(names, str(error)))
        except TimeoutError:
            return PassAnswer([], dict.fromkeys(names, TOO_LATE))
        except (EmbedmillError, *ABSENT, *LATE):
            return self._one_by_one(names, ask, deadline)

    def _find(self, names: Mapping[str, str]) -> dict[str, ShardTable]:
        found = self._tables.find(list(names.values()))
        return {shard: found[name] for shard, name in names.items() if name in found}

    def _one_by_one(self, names: Mapping[str, str], ask: Ask[T], deadline: float | None) -> PassAnswer:
        rows: list[T] = []
        failed: dict[str, str] = {}
        for shard, name in names.items():
            try:
                if found := self._find({shard: name}):
                    rows += self._ask(found, ask, deadline)
            except ABSENT:
                continue
            except (TimeoutError, *LATE):
                failed[shard] = TOO_LATE
            except EmbedmillError as error:
                failed[shard] = str(error)
        return PassAnswer(rows, failed)

    def _ask(self, found: Mapping[str, ShardTable], ask: Ask[T], deadline: float | None) -> list[T]:
        def once() -> list[T]:
            with self._connections.use() as connection:
                _limit(connection, deadline)
                return ask(connection, found)

        return self._persist(once, deadline)

    def _persist(self, ask: Callable[[], T], deadline: float | None) -> T:
        persistence: Persistence = self._connections.persistence
        if deadline is not None:
            left = deadline - time.monotonic()
            persistence = replace(persistence, bound_seconds=min(persistence.bound_seconds, max(left, 0.0)))
        return persistence.ask(ask)


def _limit(connection: psycopg.Connection[Any], deadline: float | None) -> None:
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    lock = min(SHARE * left, LONGEST_LOCK_SECONDS)
    limits = {"statement_timeout": left, "lock_timeout": lock}
    for name, seconds in limits.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, f"{max(int(1000 * seconds), 1)}ms"))


def union(found: Mapping[str, ShardTable], select: Callable[[int, ShardTable], str]) -> str:
    """One statement of a part for each table; parts number their shards."""
    return " UNION ALL ".join(f"({select(n, table)})" for n, table in enumerate(found.values()))


def numbered(found: Mapping[str, ShardTable]) -> Sequence[str]:
    """The shards by the numbers that `union` gives them."""
    return list(found)
