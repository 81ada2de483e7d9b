"""A process that counts one up, again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from embedmill.shared.db.opening import open_database
from embedmill.shared.flow.state import FlowState
from embedmill.shared.settings import Settings
from embedmill.shared.spend.shared_state import open_shared_state


@contextmanager
def opened(database_url: str, limits_url: str) -> Iterator[FlowState]:
    """The store of those URLs, as a process opens it."""
    database = open_database(database_url)
    state = open_shared_state(Settings(database_url=database_url, limits_url=limits_url), database)
    yield state
    state.close()
    database.close()


def count(state: FlowState) -> int:
    """One more; returns how many."""

    def change(value: dict[str, Any], now: float) -> tuple[dict[str, Any], int]:
        assert now >= value.get("at", 0.0)
        return {"n": value.get("n", 0) + 1, "at": now}, value.get("n", 0) + 1

    return state.update("count", change)


def count_often(database_url: str, limits_url: str, times: int) -> None:
    """A process's whole life."""
    with opened(database_url, limits_url) as shared:
        for _ in range(times):
            count(shared)
